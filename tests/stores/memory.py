"""A store in memory that keeps, refuses and fails as it is told, by the same rules as the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from monkeytown.errors import RecordRefused, StoreDown
from monkeytown.room.ledger import Kind
from monkeytown.stores.records import Record


def record(sequence: int, *, room: str = "meadow", text: str = "", time: float = 1000.0) -> Record:
    content = b'{"text":"%s"}' % text.encode()
    return Record(room, "jungle", 1, sequence, time + sequence, Kind.CHAT, "ann", content)


class MemoryStore:
    """`write` keeps all records of a batch or none, and each of them once."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int, int], Record] = {}
        self.batches: list[list[Record]] = []
        """All that were handed over, whatever became of them."""
        self.refuses: Callable[[Record], bool] = lambda record: False
        self.down = False
        self.forgets_to_answer = 0
        """So many batches are kept, and then the connection is lost."""
        self.gate = asyncio.Event()
        self.gate.set()
        self.called = asyncio.Event()

    async def write(self, records: Sequence[Record]) -> int:
        self.batches.append(list(records))
        self.called.set()
        await self.gate.wait()
        if self.down:
            raise StoreDown("connection refused")
        for one in records:
            if self.refuses(one):
                raise RecordRefused(f"value out of range in {one.sequence}")
        before = len(self.records)
        for one in records:
            self.records.setdefault((one.room, one.epoch, one.sequence), one)
        if self.forgets_to_answer:
            self.forgets_to_answer -= 1
            raise StoreDown("connection lost")
        return len(self.records) - before

    async def tried(self) -> None:
        """The next time that something is handed over."""
        self.called.clear()
        await self.called.wait()

    def sequences(self, room: str = "meadow") -> list[int]:
        """In the order in which they were first kept."""
        return [sequence for of, _, sequence in self.records if of == room]
