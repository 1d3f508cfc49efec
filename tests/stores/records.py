"""Records for tests: a room that counts its own entries."""

from __future__ import annotations

from typing import Any

from monkeytown.room.ledger import Kind, as_json
from monkeytown.stores.records import Record

__all__ = ["WEEK_48", "Diary"]

WEEK_48 = 1_795_608_000.0
"""Wednesday, 25 November 2026, 12:00 UTC."""


class Diary:
    """What is noted of one room, as records; a second later each time, unless `time` is set."""

    def __init__(
        self, room: str = "room-1", *, game: str = "jungle", epoch: int = 1, time: float = WEEK_48
    ) -> None:
        self.room = room
        self.game = game
        self.epoch = epoch
        self.time = time
        self.sequence = 0
        self.records: list[Record] = []

    def note(self, kind: Kind, player: str = "", **content: Any) -> Record:
        self.sequence += 1
        self.time += 1
        record = Record(
            self.room,
            self.game,
            self.epoch,
            self.sequence,
            self.time,
            kind,
            player,
            as_json(content),
        )
        self.records.append(record)
        return record

    def opened(self, mode: str = "", *, private: bool = False) -> Record:
        return self.note(Kind.OPENED, game=self.game, mode=mode, private=private)

    def joined(self, player: str, name: str = "", *, guest: bool = False) -> Record:
        return self.note(Kind.JOINED, player, name=name or player.title(), guest=guest)

    def left(self, player: str) -> Record:
        return self.note(Kind.LEFT, player)

    def event(self, event: str, data: Any = None, player: str = "") -> Record:
        return self.note(Kind.EVENT, player, event=event, data=data)

    def chat(self, player: str, text: str, name: str = "") -> Record:
        return self.note(Kind.CHAT, player, name=name or player.title(), text=text)

    def score(self, player: str, score: float, *, order: str = "best", name: str = "") -> Record:
        return self.note(
            Kind.SCORE, player, score=score, name=name or player.title(), guest=False, order=order
        )

    def result(self, result: Any) -> Record:
        return self.note(Kind.RESULT, result=result)

    def data(self, player: str, data: Any) -> Record:
        return self.note(Kind.DATA, player, data=data)

    def closed(self, reason: str = "", *, failed: bool = False) -> Record:
        return self.note(Kind.CLOSED, reason=reason, failed=failed)
