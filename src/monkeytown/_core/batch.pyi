"""Batches: all inputs of a tick as columns."""

from collections.abc import Container
from typing import Any

from typing_extensions import disjoint_base

from monkeytown._core.inputs import Queue
from monkeytown._core.state import Row, Table

@disjoint_base
class Seat:
    """What compiled code has to know of a player who sends inputs."""

    input: int
    """The number of the newest input that was taken; 0 before the first."""
    seen_tick: int
    """The newest tick that its sender had applied when it sent it; 0 before the first."""
    entity: Row | None
    """The row that stands for the player, or None."""

    def __init__(self, number: int) -> None: ...
    @property
    def number(self) -> int: ...

@disjoint_base
class Seats:
    """Seats by the player's number: as many as there are players, whatever their numbers are."""

    def __new__(cls) -> Seats: ...
    def __len__(self) -> int: ...
    def add(self, seat: Seat) -> None:
        """In place of the seat of that number, if there is one."""

    def remove(self, seat: Seat) -> None: ...
    def get(self, number: int) -> Seat | None:
        """The seat of a number."""

    def note(self, now: int) -> bool:
        """Finds out who has another newest input than when this was last called; of them that is known since `now` (from 1).

        Returns whether there are any; whoever was added since is one.
        """

    def noted(self, since: int) -> bytes:
        """The newest inputs that are known since later than `since`, for `learn` of other seats; empty if there are none."""

    def learn(self, data: bytes) -> None:
        """Takes over what `noted` gave of other seats, also of numbers that have none yet. WireError for anything else."""

    def drain(self, queue: Queue, absent: Container[Seat] = ()) -> Batch:
        """All that wait, in order; the queue is then empty.

        What comes from players without a seat, or from those in `absent`, is left out.
        """

@disjoint_base
class Batch:
    """The inputs of one tick in order of arrival, one number of each per input.

    `batch.turn` is the column of the field `turn`: float64 for `fixed` and `angle`, int64 for `uint` and `sint`, booleans for
    `bool`, one byte for `enum` (the place of the name).

    Columns are views of memory that is the batch's own: NumPy shares it, and what a game keeps does not change.
    """

    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    def __getattr__(self, name: str) -> memoryview[Any]: ...
    def column(self, name: str) -> memoryview[Any]:
        """The column of a field, also of one whose name means something else on a batch. KeyError if there is none."""

    def scatter(self, **columns: Any) -> None:
        """Writes fields to where their senders' entities stand: `batch.scatter(turn=turns)` puts each sender's newest `turn`
        into its slot of `turns`.

        Who has no entity is left out. The arrays are writable and of the same numbers as the columns; TypeError if one is
        not, IndexError if it ends before a slot.
        """

    def of(self, table: Table[Any]) -> Batch:
        """The inputs of those alone whose entity is in this table, so that every slot is one of its rows."""

    @property
    def players(self) -> memoryview[int]:
        """The numbers of the players who sent them: int32."""

    @property
    def numbers(self) -> memoryview[int]:
        """Each player's own count of its inputs: uint32."""

    @property
    def ticks(self) -> memoryview[int]:
        """The newest tick that the sender had applied when it sent this, 0 for none: int64."""

    @property
    def slots(self) -> memoryview[int]:
        """Where the sender's `player.entity` stands in its table, -1 without one: int64, as indices are."""
