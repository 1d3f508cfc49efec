"""Inputs: what players steer with, in the fixed layout of docs/reference/wire.md, section 6."""

from collections.abc import Container
from typing import Any

from typing_extensions import disjoint_base

from monkeytown._core.fields import Holder

@disjoint_base
class Record(Holder):
    """One input of one player. Fields not given have their defaults."""

    def __init__(self, **values: Any) -> None: ...

@disjoint_base
class Layout:
    """Where the fields of an input class lie in a `player_input` message."""

    input_class: type[Record]
    hash: int
    size: int
    """Bytes that the fields take."""
    places: dict[str, int]
    """Of the fields, by name."""

    def __init__(self, input_class: type[Record], hash: int) -> None: ...
    def parse(self, message: bytes) -> tuple[int, int, Record]:
        """A whole `player_input` message as (number, acknowledged tick, record). WireError if it is not one."""

    def pack(self, record: Record, number: int, acknowledged: int = 0) -> bytes:
        """A whole `player_input` message."""

@disjoint_base
class Queue:
    """Inputs that wait for the next tick, in order of arrival, at most `per_player` of each player: the newest ones."""

    layout: Layout
    per_player: int
    dropped: int
    """Inputs that gave way to newer ones of the same player, since the queue was made."""

    def __init__(self, layout: Layout, per_player: int = 4) -> None: ...
    def __len__(self) -> int: ...
    def push_message(self, player: int, message: bytes) -> tuple[int, int]:
        """Queues a whole `player_input` message: (number, acknowledged tick). WireError if it is not one of this layout."""

    def put(self, player: int, number: int, record: Record, acknowledged: int = 0) -> None:
        """Queues an input that did not come in the packed layout."""

    def take_packed(self) -> bytes:
        """All that wait, in order, for the queue of another instance; this one is then empty. Empty bytes if none do."""

    def put_packed(self, data: bytes, allowed: Container[int]) -> int:
        """Queues what `take_packed` gave of another queue of this layout, as if it had been pushed here. How many those were.

        Players who are not in `allowed` are left out. Nothing is queued, and WireError raised, for any other bytes.
        """

    def drain(self) -> list[tuple[int, int, int, Record]]:
        """All that wait, in order: (player, number, acknowledged tick, record). The queue is then empty."""
