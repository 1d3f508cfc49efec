"""One instance's end of a link to another: what was sent and not acknowledged, what came, and what is owed.

Knows numbers, sizes and times it is given; knows no bus, no clock and no message. A link has an identity that both ends
share: its generation above 32 random bits. Whoever gives a link up opens the next generation, and of two identities the
higher one holds, so that both ends agree without asking. Two that open the same generation at once have sent nothing that
the other took, and the lower one moves its items over.

What is sent is kept until it is acknowledged, and sent again from the first if nothing happens (go-back-N).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from msgspec import Raw

from monkeytown.cluster.parcel import PARCEL_BYTES, Packing, Parcel, split

__all__ = [
    "ACK_WITHIN",
    "FORGOTTEN_AFTER",
    "KEEPALIVE",
    "LOST_AFTER",
    "MAX_BYTES",
    "MAX_ITEMS",
    "PATIENCE",
    "TURN",
    "Link",
    "generation",
    "identity",
]

MAX_BYTES = 4 * 1024 * 1024
"""Kept for a peer; a message that is larger than a parcel counts as if it filled one."""

MAX_ITEMS = 20_000
"""Kept for a peer."""

TURN = 0.05
"""Seconds between two looks at the links; all times below may be late by so much, unless it is taken off them."""

PATIENCE = 0.25
"""Seconds without progress until what is kept is sent again; twice as long each time, up to `MOST_PATIENCE`."""

MOST_PATIENCE = 1.0

PACE = 16 * 1024 * 1024
"""Bytes that the slowest bus moves in a second: nobody is impatient with a checkpoint that is still under way."""

ACK_WITHIN = 0.1
"""Seconds."""

KEEPALIVE = 0.5
"""Seconds between two parcels at most."""

LOST_AFTER = 15.0
"""Seconds of silence until a peer that owes us an answer is lost."""

FORGOTTEN_AFTER = 60.0
"""Seconds of silence until any peer is."""


def identity(generation: int, bits: int) -> int:
    """The identity of a link, of its generation (from 1) and 32 random bits."""
    return generation << 32 | bits


def generation(identity: int) -> int:
    """The generation of a link's identity; 0 for none."""
    return identity >> 32


class Link:
    """One end; `channel` is where the other one listens."""

    __slots__ = (
        "_base",
        "_fresh",
        "_kept",
        "_newest",
        "_number",
        "_owed",
        "_patience",
        "_received",
        "_sent",
        "_since",
        "_states",
        "_weight",
        "channel",
        "full",
        "heard",
        "id",
        "met",
        "opened",
        "touched",
    )

    def __init__(self, channel: str, identity: int, now: float) -> None:
        self.channel = channel
        self.opened = now
        self.heard: float | None = None
        """When the peer was last heard, of whichever link."""
        self.reset(identity, now)

    def reset(self, identity: int, now: float) -> None:
        """Begins again under another identity, with nothing of what was."""
        self.id = identity
        self.met = False
        """The peer takes part in this link."""
        self.touched = False
        """Somebody would miss it."""
        self.full = False
        """More is waiting than is kept: what is sent now is lost."""
        self._kept: deque[Raw] = deque()
        self._fresh: list[Raw] = []
        self._states: list[Raw] = []
        self._weight = 0
        self._base = 1
        self._number = 0
        self._received = 0
        self._newest = 0
        self._patience = PATIENCE
        self._since = self._sent = now
        self._owed: float | None = None

    def rejoin(self, identity: int, now: float) -> None:
        """Goes on under another identity: the peer took nothing that was sent, and gets all of it."""
        self.id = identity
        self._fresh[:0] = self._kept
        self._kept.clear()
        self._patience, self._since = PATIENCE, now

    # What goes out.

    @property
    def waiting(self) -> int:
        """Items that were not sent yet."""
        return len(self._fresh)

    @property
    def under_way(self) -> int:
        """Items that were sent and not acknowledged."""
        return len(self._kept)

    @property
    def weight(self) -> int:
        """Bytes of what is kept, as `MAX_BYTES` counts them."""
        return self._weight

    def item(self, raw: Raw) -> None:
        """Something that must arrive. With the one too many the link is full and keeps nothing."""
        self.touched = True
        if self.full:
            return
        self._weight += _weight(raw)
        self._fresh.append(raw)
        if self._weight > MAX_BYTES or len(self._kept) + len(self._fresh) > MAX_ITEMS:
            self.full = True
            self._fresh, self._states, self._weight = [], [], 0
            self._kept.clear()

    def state(self, raw: Raw) -> None:
        """Something that the next parcel has and no other."""
        self.touched = True
        if not self.full:
            self._states.append(raw)

    def pack(self, packing: Packing, now: float, *, again: bool = False) -> Iterator[tuple[bytes, int]]:
        """Parcels with all that waits, and how many items each has; at least one parcel. `again`: all that is kept too."""
        fresh, states = self._fresh, self._states
        first = self._base + len(self._kept)
        if not self._kept:
            self._since = now
        self._kept.extend(fresh)
        if again:
            fresh, first = list(self._kept), self._base
            self._since, self._patience = now, min(2 * self._patience, MOST_PATIENCE)
        self._fresh, self._states = [], []
        self._sent, self._owed = now, None
        if sum(map(len, fresh)) + sum(map(len, states)) <= PARCEL_BYTES:
            yield self._parcel(packing, first, fresh, states), len(fresh)
            return
        for piece in split(fresh):
            yield self._parcel(packing, first, piece, []), len(piece)
            first += len(piece)
        for piece in split(states):
            yield self._parcel(packing, first, [], piece), 0

    def _parcel(self, packing: Packing, first: int, items: list[Raw], states: list[Raw]) -> bytes:
        self._number += 1
        return packing.parcel(self.id, self._number, first, self._received if self.met else -1, items, states)

    # What comes in.

    def acknowledge(self, number: int, now: float) -> bool:
        """The peer has all up to `number`; False if it cannot, because that was never sent."""
        if number >= self._base + len(self._kept):
            return False
        if number >= self._base:
            self._since, self._patience = now, PATIENCE
        while self._base <= number:
            self._weight -= _weight(self._kept.popleft())
            self._base += 1
        return True

    def due(self, parcel: Parcel, now: float) -> tuple[list[Any], list[Any]]:
        """The parcel's items that are next, and its states if it is the newest; each item is then to be `taken`."""
        items: list[Any] = []
        if parcel.items:
            if self._owed is None:
                self._owed = now
            already = self._received + 1 - parcel.first
            if already >= 0:
                items = parcel.items[already:] if already else parcel.items
        if parcel.number <= self._newest:
            return items, []
        self._newest = parcel.number
        return items, parcel.states

    def taken(self) -> None:
        """One more item was delivered."""
        self._received += 1

    def owe(self, now: float) -> None:
        """The peer has to hear of us soon: it does not know this link."""
        if self._owed is None:
            self._owed = now

    # What time brings.

    def lost(self, now: float) -> bool:
        """Nobody is there any more."""
        silence = now - (self.opened if self.heard is None else self.heard)
        missed = self._kept or self._fresh or not self.touched
        return silence >= (LOST_AFTER if missed else FORGOTTEN_AFTER)

    def overdue(self, now: float) -> bool:
        """What is kept has to be sent again."""
        waited = now - self._since - self._patience
        return waited >= 0 and bool(self._kept) and waited >= sum(map(len, self._kept)) / PACE

    def owing(self, now: float) -> bool:
        """A parcel has to be sent, even an empty one."""
        if self._owed is not None and now - self._owed >= ACK_WITHIN - TURN:
            return True
        return now - self._sent >= KEEPALIVE - TURN


def _weight(raw: Raw) -> int:
    return min(len(raw), PARCEL_BYTES)
