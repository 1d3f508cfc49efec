"""The WebSocket players of one room: after each step, one frame per position and encoding, one send per player.

Knows the room's reading side and the compiled fan-out; runs no Python per player, except for players to whom something
private happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING

from monkeytown._core.fanout import Group
from monkeytown._core.frames import frame
from monkeytown._core.senders import Senders
from monkeytown._core.sight import Sight
from monkeytown.position import Position
from monkeytown.room.delayed import Delayed
from monkeytown.room.encoded import Encoding
from monkeytown.room.member import Member
from monkeytown.room.readable import ReadableRoom
from monkeytown.room.view import EVERYTHING
from monkeytown.runtime.metrics import Metrics, Traffic

if TYPE_CHECKING:
    from monkeytown.readers.connection import GameConnection

__all__ = ["WebSocketAudience"]

# A channel is what readers must have in common, beside their position, to share a frame, or to have frames of their own
# planned in one go. Readers of JSON who see a part of the room have a channel each.
BINARY, JSON, PARTS, FIRST_ALONE = range(4)

# By whether it is text. Looking up an enum's member is slow.
ENCODINGS = Encoding.BINARY, Encoding.JSON

# Of rooms without ticks, where a tick is an event: as if they had so many a second.
EVENTS_PER_SECOND = 60


class WebSocketAudience:
    """One room's players. `window`: seconds of states that a client may leave unacknowledged; 0 for no window.

    `senders`: the threads that share the sends of all rooms; none, if not given. `delay`: seconds that what they see is old.
    """

    def __init__(
        self,
        room: ReadableRoom,
        *,
        window: float,
        delay: float = 0.0,
        metrics: Metrics,
        senders: Senders | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.group = Group(window=ceil(window * (room.tick_rate or EVENTS_PER_SECOND)), senders=senders)
        self.delay = delay
        self._past = Delayed(room, delay) if delay else None
        self._members: dict[Member, GameConnection] = {}
        self._owed: set[Member] = set()
        self._frames: list[tuple[int, bytes | None]] = []
        """By cohort, from `prepare` to `send`; None: each has a message of its own planned."""
        self._alone: dict[int, Sight] = {}
        """By channel."""
        self._position: Position = room.position
        self._metrics = metrics
        self._now = now

    def enter(self, connection: GameConnection, member: Member, position: Position | None = None) -> None:
        """From now on this connection is sent what brings its client from a position to now."""
        sight = member.view if isinstance(member.view, Sight) else None
        connection.set_sight(None if connection.codec.is_text else sight)
        if sight is None:
            channel = JSON if connection.codec.is_text else BINARY
        elif not connection.codec.is_text:
            channel = PARTS
        else:
            channel = FIRST_ALONE + member.number
            self._alone[channel] = sight
        connection.handle = self.group.add(connection, channel=channel, position=position)
        self._members[member] = connection
        if position is not None:
            self._owed.add(member)

    def leave(self, connection: GameConnection, member: Member) -> None:
        self.group.remove(connection.handle)
        self._alone.pop(FIRST_ALONE + member.number, None)
        self._members.pop(member, None)
        self._owed.discard(member)

    def prepare(self, room: ReadableRoom) -> None:
        """Makes ready what brings everyone who may be sent to to where the room stands."""
        group = self.group
        self._frames.clear()
        if self._past is not None:
            self._prepare_past(self._past)
            return
        if not len(group):
            return
        self._position = _, tick = room.position
        for cohort, (base, channel) in enumerate(group.due(tick, self._now())):
            if channel == PARTS:
                self._plan(room, cohort, base)
                continue
            text = channel != BINARY
            view = EVERYTHING if channel < PARTS else self._alone[channel]
            reading = room.read(base, view, ENCODINGS[text])
            if reading.frame is None:
                continue
            self._metrics.reads[reading.reason] += 1
            if reading.is_snapshot:
                self._owe_everything(cohort)
            self._frames.append((cohort, frame(reading.frame, text=text)))
        if room.touched:
            self._owed.update(room.touched)
        if self._owed:
            self._stage_private(room)

    def _prepare_past(self, past: Delayed) -> None:
        """The same for those who see what was. Nothing is private to them, since nothing that they see is theirs."""
        past.follow()
        position = past.position
        cohorts = self.group.due(0 if position is None else position.tick, self._now())
        if position is None:
            return
        self._position = position
        for cohort, (base, channel) in enumerate(cohorts):
            reading = past.read(base, EVERYTHING, ENCODINGS[channel == JSON])
            if reading.frame is not None:
                self._metrics.reads[reading.reason] += 1
                self._frames.append((cohort, frame(reading.frame, text=channel == JSON)))

    def send(self) -> None:
        """Sends what `prepare` has made ready, and what else waits."""
        group = self.group
        if not len(group):
            return
        epoch, tick = self._position
        for cohort, framed in self._frames:
            if framed is None:
                group.send_planned(cohort, epoch, tick)
            else:
                group.send(cohort, framed, epoch, tick)
        group.flush()
        if self._owed:
            self._settle_private(tick)

    def traffic(self) -> Traffic:
        """What was sent to these players so far, in states and beside them."""
        group = self.group
        return Traffic(
            sends_shared=group.shared,
            sends_staged=group.staged,
            sends_partial=group.partial,
            sends_full=group.full,
            held=group.held,
            bytes_sent=group.bytes_sent,
        )

    def _plan(self, room: ReadableRoom, cohort: int, base: Position | None) -> None:
        """What each of a cohort sees of its part of the room."""
        group = self.group
        reason, count = room.plan(group, cohort, base)
        if not count:
            return
        self._metrics.reads[reason] += count
        self._frames.append((cohort, None))
        if not reason.is_delta:
            self._owe_everything(cohort)
        elif room.has_private:
            # Rows of theirs may have come into sight.
            widened = set(group.with_new_cells(cohort))
            self._owed.update(member for member, one in self._members.items() if one in widened)

    def _owe_everything(self, cohort: int) -> None:
        """After a snapshot a reader has nothing private any more."""
        snapshot = set(self.group.cohort(cohort))
        for member, connection in self._members.items():
            if connection in snapshot:
                connection.private_base = None
                self._owed.add(member)

    def _stage_private(self, room: ReadableRoom) -> None:
        for member in list(self._owed):
            connection = self._members.get(member)
            if connection is None:
                self._owed.discard(member)
                continue
            if not connection.is_due:
                continue
            private = room.private(member, connection.private_base, ENCODINGS[connection.codec.is_text])
            if private is None:
                self._owed.discard(member)
            else:
                self.group.set_private(connection.handle, private.flags, private.body)
                connection.private_staged = True

    def _settle_private(self, tick: int) -> None:
        """Who was told owes nothing any more; who could not be is told the next time."""
        for member in list(self._owed):
            connection = self._members[member]
            if connection.private_staged and not connection.private_waits:
                connection.private_base = tick
                self._owed.discard(member)
            connection.private_staged = False
