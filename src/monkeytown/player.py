"""What the rules are given: a `Player`, the `Players` of the room, a `Timer`; and what they may ask of the room they run in.

Knows nothing of rooms beyond what `Stage` asks of one, nothing of connections or of the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from monkeytown.errors import SchemaError
from monkeytown.views import Everything

if TYPE_CHECKING:
    from monkeytown._core.state import Row

__all__ = ["Player", "Players", "Stage", "Timer"]


class Timer:
    """A call that waits for game time; made by `Game.after` and `Game.every`."""

    __slots__ = ("active",)

    def __init__(self) -> None:
        self.active = True
        """Whether a call is still to come."""

    def cancel(self) -> None:
        """No call comes any more. Allowed at any time, also from the call itself, and more than once."""
        self.active = False


class Stage(Protocol):
    """What the rules may ask of the room they run in."""

    def broadcast(self, event: str, data: object) -> None: ...
    def emit(self, event: str, data: object) -> None: ...
    def score(self, player: Player, points: float) -> None: ...
    def finish(self, result: object) -> None: ...
    def send(self, player: Player, event: str, data: object) -> None: ...
    def publish(self, topic: str, event: str, data: object) -> None: ...
    def tell(self, player_id: str, event: str, data: object) -> None: ...
    def subscribe(self, topic: str) -> None: ...
    def unsubscribe(self, topic: str) -> None: ...
    def kick(self, player: Player, reason: str) -> None: ...
    def close(self, reason: str) -> None: ...
    def after(self, seconds: float, call: Callable[[], object]) -> Timer: ...
    def every(self, seconds: float, call: Callable[[], object]) -> Timer: ...
    def own(self, player: Player, before: Any, entity: Any) -> None: ...
    def look(self, player: Player) -> None: ...
    def show(self, player: Player) -> None: ...
    def seen_tick(self, player: Player) -> int: ...


class Player:
    """Somebody in the room. Games may keep attributes of their own on it: `player.team = "red"`."""

    def __init__(self, stage: Stage, id: str, name: str, number: int) -> None:
        self.id = id
        """Names the player; unique on this server."""
        self.name = name
        """What others see: one printable line of at most 24 characters, not unique."""
        self.number = number
        """Counts the players of this room from 1; owns the rows of tables (`spawn(owner=player.number)`)."""
        self.connected = True
        """False from `on_drop` to `on_resume` or `on_leave`: the connection is lost and the seat is kept."""
        self.guest = True
        """Whether nobody vouches for who this is."""
        self.data: dict[str, Any] = {}
        """A small document about this player: JSON of at most 16 KiB that is there again the next time they come.

        One without a token is somebody new each time.
        """
        self._stage = stage
        self._entity: Any = None
        self._focus: Row | tuple[float, float] | None = None
        self._view: Everything | None = None

    @property
    def entity(self) -> Any:
        """The row that stands for this player, or None.

        Setting it makes the player its owner: who alone sees its `owner_only` fields, and whose client knows
        it as its own.
        """
        return self._entity

    @entity.setter
    def entity(self, entity: Any) -> None:
        self._stage.own(self, self._entity, entity)
        self._entity = entity
        self._stage.look(self)

    @property
    def focus(self) -> Any:
        """What the player's view is around, in a game whose `view` is an area: a row, a place (x, y), or None for its entity.

        Once that row is gone the view stays where it was last.
        """
        return self._focus

    @focus.setter
    def focus(self, focus: Row | tuple[float, float] | None) -> None:
        before, self._focus = self._focus, focus
        try:
            self._stage.look(self)
        except (TypeError, ValueError):
            self._focus = before
            raise

    @property
    def view(self) -> Everything | None:
        """None: the player sees what the game's `view` shows. `everything()`, or `everything(delay=…)`, for a spectator."""
        return self._view

    @view.setter
    def view(self, view: Everything | None) -> None:
        if view is not None and not isinstance(view, Everything):
            raise TypeError(f"player.view is everything(), everything(delay=…) or None, not {view!r}")
        before, self._view = self._view, view
        if view == before:
            return
        try:
            self._stage.show(self)
        except SchemaError:
            self._view = before
            raise

    @property
    def seen_tick(self) -> int:
        """The newest tick that the player's client had applied when it sent its last input; 0 before that.

        What it drew is a few ticks older.
        """
        return self._stage.seen_tick(self)

    def send(self, event: str, data: object = None) -> None:
        """Sends an event to this player alone; it arrives in order and is not lost.

        `data` is anything MessagePack can hold.
        """
        self._stage.send(self, event, data)

    def kick(self, reason: str = "") -> None:
        """Removes the player from the room, as soon as the hook that calls this returns."""
        self._stage.kick(self, reason)

    def __repr__(self) -> str:
        return f"<Player {self.number} {self.name!r}>"

    if TYPE_CHECKING:  # the game's own attributes

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any, /) -> None: ...


class Players:
    """The players in the room, in the order in which they joined. Kicking one while iterating is allowed."""

    def __init__(self, players: Mapping[str, Player]) -> None:
        self._players = players

    def __iter__(self) -> Iterator[Player]:
        return iter(self._players.values())

    def __len__(self) -> int:
        return len(self._players)

    def __contains__(self, player: object) -> bool:
        """Whether a player, or a player of that id, is in the room."""
        id = player.id if isinstance(player, Player) else player
        return id in self._players

    def __getitem__(self, id: str) -> Player:
        return self._players[id]

    def get(self, id: str) -> Player | None:
        """The player of an id, or None if nobody of that id is in the room."""
        return self._players.get(id)

    def __repr__(self) -> str:
        return f"<{len(self)} players>"
