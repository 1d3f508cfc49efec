"""A game whose world is larger than what its players see, for the tests of the pages. Knows the public API only."""

from typing import Any

from monkeytown import Entity, Game, Player, area, everything, fixed, table, text

SIZE = 20_000
INHABITANTS = 1000


class Walker(Entity):
    x = fixed(0, SIZE, step=1 / 16, predict="linear")
    y = fixed(0, SIZE, step=1 / 16, predict="linear")
    name = text(24)


class Steppe(Game):
    """A thousand who stand about in a grid, and players who walk straight on among them, or watch."""

    tick_rate = 30
    walkers = table(Walker, capacity=2000)
    view = area(600, "walkers", far=1500)

    def on_create(self) -> None:
        for number in range(INHABITANTS):
            self.walkers.spawn(x=300 + number % 32 * 625, y=300 + number // 32 * 625)

    def on_join(self, player: Player) -> None:
        player.entity = self.walkers.spawn(owner=player.number, name=player.name, x=SIZE / 2, y=SIZE / 2)

    def on_message(self, player: Player, action: dict[str, Any]) -> None:
        """Whoever says anything becomes a spectator, and again a player."""
        player.view = None if player.view else everything()

    def on_tick(self, dt: float) -> None:
        for player in self.players:
            if isinstance(player.entity, Walker):
                player.entity.x += 8
