"""What a store should answer, worked out the slow way: from all records that were ever written, each time anew.

Written from the contract alone: it must not know how the store does it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from monkeytown.room.ledger import Kind
from monkeytown.stores.records import Record

__all__ = ["Naive"]


class Naive:
    """Knows every record, and who was erased when (by the count of records then)."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int, int], Record] = {}
        self.lost: set[tuple[str, int, int]] = set()  # scores of who was erased
        self.erased: set[str] = set()

    def write(self, records: Iterable[Record]) -> int:
        """How many are new. Scores of who was erased are as if they had not come."""
        new = 0
        for record in records:
            key = (record.room, record.epoch, record.sequence)
            if key in self.records or (record.kind is Kind.SCORE and record.player in self.erased):
                continue
            self.records[key] = record
            new += 1
        return new

    def erase(self, player: str) -> None:
        self.erased.add(player)
        for key, record in tuple(self.records.items()):
            if record.kind is Kind.SCORE and record.player == player:
                del self.records[key]
                self.lost.add(key)

    def of(self, *kinds: Kind) -> list[tuple[Record, Any]]:
        """Records of some kinds with what they say, in the order of their keys."""
        return [
            (record, json.loads(record.content))
            for _, record in sorted(self.records.items())
            if record.kind in kinds
        ]

    def name(self, player: str) -> str:
        if player in self.erased:
            return ""
        named = [
            (record.time, content["name"])
            for record, content in self.of(Kind.JOINED, Kind.SCORE)
            if record.player == player
        ]
        return str(max(named)[1]) if named else ""

    def document(self, player: str) -> Any:
        documents = [
            (record.time, record.epoch, record.sequence, content["data"])
            for record, content in self.of(Kind.DATA)
            if record.player == player
        ]
        return max(documents)[-1] if documents and player not in self.erased else None

    def games(self) -> list[tuple[Any, ...]]:
        """room, mode, opened, closed, reason, result; newest first."""
        found = []
        opened = {record.room: (record, content) for record, content in self.of(Kind.OPENED)}
        closed = {record.room: (record, content) for record, content in self.of(Kind.CLOSED)}
        results = {record.room: content["result"] for record, content in self.of(Kind.RESULT)}
        for room in opened.keys() | closed.keys():
            end, why = closed.get(room, (None, {"reason": ""}))
            begin, how = opened.get(room, (end, {"mode": ""}))
            assert begin
            found.append((room, how["mode"], begin.time, end and end.time, why["reason"], results.get(room)))
        return sorted(found, key=lambda game: (game[2], game[0]), reverse=True)

    def participants(self, room: str) -> list[tuple[Any, ...]]:
        """player, name, joined, left; in the order in which they came."""
        moves: dict[str, list[Record]] = defaultdict(list)
        for record, _ in self.of(Kind.JOINED, Kind.LEFT):
            if record.room == room:
                moves[record.player].append(record)
        found = []
        for player, records in moves.items():
            first = min(record.time for record in records)
            last = records[-1]
            found.append((player, self.name(player), first, last.time if last.kind is Kind.LEFT else None))
        return sorted(found, key=lambda one: (one[2], one[0]))

    def board(self, game: str, week: str) -> list[tuple[int, str, str, float]]:
        """rank, player, name, score; best first, and those with the same score by their ids."""
        scores: dict[str, list[float]] = defaultdict(list)
        everything = [record for record, _ in self.of(Kind.SCORE) if record.game == game]
        order = "best"
        for record, content in self.of(Kind.SCORE):
            if record.game == game and week in ("", _week(record.time)):
                order = content["order"]
                scores[record.player].append(content["score"])
        assert everything or not scores
        pick = {"best": max, "lowest": min, "total": sum}[order]
        totals = {player: pick(points) for player, points in scores.items()}
        sign = 1 if order == "lowest" else -1
        places = sorted((sign * score, player) for player, score in totals.items())
        return [
            (1 + sum(other < place for other, _ in places), player, self.name(player), totals[player])
            for place, player in places
        ]


def _week(time: float) -> str:
    year, week, _ = datetime.fromtimestamp(time, UTC).isocalendar()
    return f"{year}-W{week:02}"
