"""What the database has of each room, read offline with statements of its own, and whether it is what was to be kept.

Knows the tables and nothing of the server that has filled them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from benchmarks.chaos.visitors import Listener, Told, Visit, told_event

__all__ = ["Comparison", "Kept", "check", "compare", "read"]

# All that is named by room, epoch and sequence, in one order.
LEDGERS = """
    SELECT room, epoch, sequence, kind, player, event AS what, data FROM events
    UNION ALL SELECT room, epoch, sequence, 'chat', player, text, NULL FROM chat
    UNION ALL SELECT room, epoch, sequence, 'score', player, score::text, NULL FROM scores
    UNION ALL SELECT room, epoch, sequence, 'result', '', result, NULL FROM results
    ORDER BY room, epoch, sequence
"""
STANDINGS = "SELECT player, -place FROM standings WHERE game = 'belfry' AND period = ''"
GAMES = "SELECT room, opened, closed, mode FROM games"
# Who is told of again in tables that are folded out of records.
PARTICIPANTS = "SELECT room, player, left_at IS NOT NULL FROM participants"


@dataclass
class Kept:
    """One room in the database. `told` is what its listener must have heard, in order."""

    told: list[Told] = field(default_factory=list)
    numbers: list[tuple[int, int]] = field(default_factory=list)
    """Epoch and sequence of each record."""
    scores: list[tuple[str, int]] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    participants: dict[str, bool] = field(default_factory=dict)
    """Who has been here, and whether they have left."""
    closed: bool = False


async def read(url: str, listeners: Iterable[str]) -> tuple[dict[str, Kept], dict[str, int]]:
    """All rooms by their ids, and the standings of all time. What is about the listeners themselves they were not told."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(LEDGERS)
        standings = {player: int(total) for player, total in await connection.fetch(STANDINGS)}
        participants = await connection.fetch(PARTICIPANTS)
        games = await connection.fetch(GAMES)
    finally:
        await connection.close()
    rooms = {room: Kept(closed=closed is not None) for room, _, closed, _ in games}
    for room, player, left in participants:
        rooms[room].participants[player] = left
    silent = set(listeners)
    for room, epoch, sequence, kind, player, what, data in rows:
        kept = rooms[room]
        kept.numbers.append((epoch, sequence))
        kept.kinds[kind] += 1
        if kind == "event":
            kept.told.append(told_event(what, json.loads(data)))
        elif kind == "chat":
            kept.told.append((kind, player, what))
        elif kind in ("joined", "left") and player not in silent:
            kept.told.append((kind, player, ""))
        elif kind == "score":
            kept.scores.append((player, int(float(what))))
        elif kind == "result":
            kept.results.append(what)
    return rooms, standings


async def check(
    url: str, complete: Sequence[Listener], broken: Mapping[Listener, int], visits: Sequence[Visit]
) -> Comparison:
    """All that listeners have heard, against the database, once the last server has ended in good order.

    `complete` were there to the end of their rooms. `broken` lost their server; how much of what they heard had to be kept
    then, from the beginning on.
    """
    found = Comparison()
    listeners = [*complete, *broken]
    rooms, standings = await read(url, (listener.client.id for listener in listeners))
    for listener in listeners:
        id, room = listener.room.id, rooms.get(listener.room.id, Kept())
        found.add(compare(id, room, listener.told, surely=broken.get(listener)))
        if listener not in broken:
            visitors = {visit.id for visit in visits if visit.room == id}
            found.wrong += [f"{id}: {problem}" for problem in _endings(room, listener, visitors)]
    unknown = rooms.keys() - {listener.room.id for listener in listeners}
    if unknown:
        found.wrong.append(f"rooms that nobody was in: {unknown}")
    points: Counter[str] = Counter()
    for room in rooms.values():
        for player, score in room.scores:
            points[player] += score
    if standings != points:
        found.wrong.append("the leaderboard is not the sum of all scores")
    return found


def _endings(room: Kept, listener: Listener, visitors: set[str]) -> Iterator[str]:
    """What is wrong with how a room came out in the end."""
    rings = sum(what.startswith("ring ") for _, _, what in room.told)
    if room.results != [str(listener.rung)] or rings != listener.rung:
        yield f"{rings} rings, results {room.results}, but the rules say {listener.rung}"
    here = {*visitors, listener.client.id}
    if room.participants != dict.fromkeys(here, True):
        stayed = [player for player, left in room.participants.items() if not left]
        yield f"who was here: {here ^ room.participants.keys()} are in one list only, {stayed} have not left"
    if not room.closed or (room.kinds["opened"], room.kinds["closed"]) != (1, 1):
        yield f"that it has begun and ended: {dict(room.kinds)}"


@dataclass
class Comparison:
    """What is wrong, by things that must last; `lost` were heard and are not there."""

    records: int = 0
    lost: int = 0
    doubled: int = 0
    unsure: int = 0
    """Heard and not there, but it was never said that they were on disk."""
    wrong: list[str] = field(default_factory=list)
    """Out of order, never heard of, or not what it should add up to."""

    @property
    def is_right(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)

    def add(self, other: Comparison) -> None:
        self.records += other.records
        self.lost += other.lost
        self.doubled += other.doubled
        self.unsure += other.unsure
        self.wrong += other.wrong


def compare(room: str, kept: Kept, told: Sequence[Told], *, surely: int | None = None) -> Comparison:
    """A room in the database against what its listener was told.

    `surely` is how much of that had to be kept, from the beginning on; None: all of it, and nothing else. Otherwise the end
    may be lost, or may have been kept without anybody having been told.
    """
    found = Comparison(records=len(kept.numbers))
    found.doubled = len(kept.told) - len(set(kept.told))
    heard = set(told[:surely])
    missing = heard - set(kept.told)
    found.lost = len(missing)
    if missing:
        found.wrong.append(f"{room}: {len(missing)} of {len(heard)} are lost, such as {sorted(missing)[:3]}")
    if surely is None:
        if sorted(kept.told) == sorted(told) and kept.told != list(told):
            found.wrong.append(f"{room}: out of order")
        unheard = set(kept.told) - heard
        if unheard:
            found.wrong.append(f"{room}: {len(unheard)} that nobody heard, such as {min(unheard)}")
    else:
        found.unsure = len(set(told) - set(kept.told)) - found.lost
        both = min(len(kept.told), len(told))
        if kept.told[:both] != list(told[:both]):
            found.wrong.append(f"{room}: out of order")
    epoch = kept.numbers[0][0] if kept.numbers else 0
    if kept.numbers != [(epoch, number + 1) for number in range(len(kept.numbers))]:
        found.wrong.append(f"{room}: its ledger has gaps: {kept.numbers[:3]} to {kept.numbers[-1:]}")
    rings = [int(what.removeprefix("ring ")) for _, _, what in kept.told if what.startswith("ring ")]
    if rings != [number + 1 for number in range(len(rings))]:
        found.wrong.append(f"{room}: its bell was not rung so: {rings[:3]} to {rings[-1:]}")
    scored = [json.loads(what.removeprefix("scored ")) for _, _, what in kept.told if what.startswith("scored ")]
    # A score is noted right before its event: of a ledger that was cut off between them, the event is not there.
    if [[player, points] for player, points in kept.scores[: len(scored)]] != scored or len(kept.scores) > len(scored) + 1:
        found.wrong.append(f"{room}: scores and what was told of them differ")
    return found
