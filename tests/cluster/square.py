"""A game for tests of many instances: everybody has a dot, and what is done is told, counted and kept."""

from typing import Any

from monkeytown import Entity, Game, Input, Player, everything, fixed, table, text, uint


class Dot(Entity):
    x = fixed(0, 1000, step=1 / 8, predict="linear")
    name = text(24)
    steps = uint(16)
    secret = uint(16, owner_only=True)


class Step(Input):
    dx = fixed(-1, 1, step=1 / 8)


class Square(Game):
    tick_rate = 60
    max_players = 64
    seat_seconds = 60
    input = Step
    dots = table(Dot, capacity=128)

    def on_create(self) -> None:
        self.said = 0
        self.dropped: list[str] = []
        self.subscribe("square")

    def save(self) -> dict[str, Any]:
        return {"said": self.said, "dropped": self.dropped}

    def load(self, saved: dict[str, Any]) -> None:
        self.said, self.dropped = saved["said"], saved["dropped"]
        self.subscribe("square")

    def on_join(self, player: Player) -> None:
        player.entity = self.dots.spawn(name=player.name, x=player.number, secret=player.number * 7)

    def on_input(self, player: Player, step: Step) -> None:
        dot = player.entity
        dot.x = (dot.x + step.dx) % 1000
        dot.steps = (dot.steps + 1) % 65536
        dot.secret = (dot.secret + 1) % 65536

    def on_chat(self, player: Player, text: str) -> str | None:
        self.said += 1
        match text.split(" ", 1):
            case ["/emit", data]:
                self.emit("happened", {"what": data, "number": self.said})
            case ["/kick", id]:
                self.players[id].kick("begone")
            case ["/publish", data]:
                self.publish("square", "news", data)
            case ["/tell", data]:
                id, words = data.split(" ", 1)
                self.tell(id, "told", words)
            case ["/watch", _]:
                player.view = everything(delay=0.2)
            case ["/fail", _]:
                raise RuntimeError("as wished")
            case ["/close", reason]:
                self.close(reason)
            case _:
                return text
        return None

    def on_published(self, topic: str, event: str, data: Any) -> None:
        self.broadcast("heard", {"topic": topic, "event": event, "data": data})

    def on_drop(self, player: Player) -> None:
        self.dropped.append(player.id)
        self.broadcast("dropped", player.id)

    def on_resume(self, player: Player) -> None:
        self.broadcast("resumed", player.id)
