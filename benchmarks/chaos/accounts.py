"""What witnesses have written down, held against each other and against the database, after the run.

Pure, but for the one who reads the database. Each function gives what is wrong as lines, or a figure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import asyncpg

from benchmarks.chaos.witness import Seen, Witness

__all__ = [
    "Record",
    "contradictions",
    "differing",
    "doubled",
    "kept_twice",
    "longest_pause",
    "lost_play",
    "missing",
    "most_ticks_between",
    "records",
    "silent_gaps",
    "unkept",
    "wrong",
]

DID = "SELECT room, epoch, sequence, data FROM events WHERE event = 'did' ORDER BY room, epoch, sequence"


class Record(NamedTuple):
    """What the database has of one number that somebody said."""

    room: str
    epoch: int
    sequence: int
    who: str
    number: int


async def records(url: str, room: str) -> list[Record]:
    """All that the database has of a room."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(DID)
    finally:
        await connection.close()
    return [Record(*row[:3], *json.loads(row[3])) for row in rows if row[0] == room]


def contradictions(witnesses: Iterable[Witness]) -> list[str]:
    """One epoch and tick with two contents: two owners in an epoch, or a state that was read wrongly. Ticks that go back."""
    found, known = [], dict[tuple[int, int], tuple[int, str]]()
    for one in witnesses:
        before = (0, -1)
        for seen in one.states:
            at = seen.epoch, seen.tick
            content, who = known.setdefault(at, (seen.content, one.name))
            if content != seen.content:
                found.append(f"{at} is something else for {one.name} than for {who}")
            if at < before:
                found.append(f"{one.name} is at {at} after {before}")
            before = at
    return found


def differing(witnesses: Sequence[Witness]) -> list[str]:
    """Who sees something else than the first, now that all has come to rest."""
    first, *others = [
        sorted((dot.name, dot.x, dot.steps, dot.said) for dot in one.room.tables["dots"]) for one in witnesses
    ]
    return [
        f"{one.name} sees something else than {witnesses[0].name}"
        for one, dots in zip(witnesses[1:], others, strict=True)
        if dots != first
    ]


def doubled(witnesses: Iterable[Witness]) -> list[str]:
    """Numbers that somebody has heard twice, or behind a later one."""
    found = []
    for one in witnesses:
        last: dict[str, int] = {}
        for heard in one.heard:
            if heard.number <= last.get(heard.who, 0):
                found.append(f"{one.name} heard {heard.who} say {heard.number} after {last[heard.who]}")
            last[heard.who] = heard.number
    return found


def missing(one: Witness, speakers: Iterable[Witness]) -> list[tuple[str, int]]:
    """What others said and this witness has not heard, from the first number on that it heard of each."""
    gaps = []
    for speaker in speakers:
        heard = {each.number for each in one.heard if each.who == speaker.name}
        first = min(heard, default=1)
        gaps += [
            (speaker.name, number) for _, number in speaker.said if number >= first and number not in heard
        ]
    return gaps


def silent_gaps(witnesses: Sequence[Witness]) -> list[str]:
    """What somebody has not heard without ever being told that something is missing."""
    return [
        f"{one.name} never heard {who} say {number}"
        for one in witnesses
        if all(about.recovered for _, about in one.back)
        for who, number in missing(one, witnesses)
    ]


def _between(one: Witness, since: float, until: float) -> list[Seen]:
    return [seen for seen in one.states if since <= seen.at <= until]


def most_ticks_between(one: Witness, since: float, until: float) -> int:
    """From one state to the next of the same epoch, at most; 1 if there was one for every tick."""
    seen = _between(one, since, until)
    return max(
        (two.tick - first.tick for first, two in pairwise(seen) if two.epoch == first.epoch), default=0
    )


def longest_pause(one: Witness, since: float, until: float) -> float:
    """Seconds without a state, at most; the ends count as if there were one."""
    times = [since, *(seen.at for seen in _between(one, since, until)), until]
    return max(later - earlier for earlier, later in pairwise(times))


def lost_play(witnesses: Iterable[Witness], epoch: int) -> int:
    """Ticks that were seen before this epoch began and are not in it."""
    before = max(seen.beat for one in witnesses for seen in one.states if seen.epoch < epoch)
    after = min(seen.beat for one in witnesses for seen in one.states if seen.epoch >= epoch)
    return max(0, before - after + 1)


def wrong(witnesses: Sequence[Witness]) -> list[str]:
    """What no fault excuses."""
    return contradictions(witnesses) + doubled(witnesses)


def unkept(witnesses: Iterable[Witness], kept: Iterable[Record], before: float, after: float) -> list[str]:
    """What somebody heard outside these two moments and the database does not have."""
    known = {(record.who, record.number) for record in kept}
    heard = {
        (each.who, each.number) for one in witnesses for each in one.heard if not before <= each.at <= after
    }
    return [f"{who} said {number}, and that is not kept" for who, number in sorted(heard - known)]


def kept_twice(kept: Iterable[Record]) -> list[str]:
    """What the database has more than once."""
    found, known = [], set[tuple[str, int]]()
    for record in kept:
        if (record.who, record.number) in known:
            found.append(f"{record.who} said {record.number}, and that is kept twice")
        known.add((record.who, record.number))
    return found
