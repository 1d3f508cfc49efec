"""What one reader of an area sees, and the messages that bring it from what it has to what it is to have."""

from typing_extensions import disjoint_base

from monkeytown._core.area import Area
from monkeytown._core.state import Row

@disjoint_base
class Sight:
    """What one reader of an area sees. Without a focus it sees nothing but what everybody sees."""

    area: Area

    @property
    def tick(self) -> int:
        """At which the reader knows what it was last told; 0 before that."""

    @property
    def cells(self) -> list[tuple[int, bool]]:
        """The cells that the reader was last told it sees: (cell, whether it is in the far ring)."""

    @property
    def place(self) -> tuple[float, float] | None:
        """Where it looked from last; None before that."""

    def __new__(cls, area: Area) -> Sight: ...
    def follow(self, row: Row | None) -> None:
        """The focus is a row, of a table of the area, for as long as it lives; then the place where it was last.

        None, or a row that is gone: the place that it is at.
        """

    def look_at(self, x: float, y: float) -> None:
        """The focus is a place."""

    def can_continue(self, base: int) -> bool:
        """Whether what the reader has at tick `base` is what it was last told, and all since then is known."""

    def forget(self) -> None:
        """The reader has nothing any more: what it is shown next begins from nothing."""

    def read(self, epoch: int, base: int | None) -> bytes | None:
        """The message that brings the reader from tick `base`, at which it must have left off (None: from nothing), to the
        newest; None if there is nothing to say. The reader is taken to have it.
        """

    def advance(self, anew: bool) -> None:
        """For readers who are told by other means: they are about to be shown what they are to see."""

    def arrive(self) -> None:
        """The same: they have been."""
