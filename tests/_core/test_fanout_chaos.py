"""Rooms in disorder: players who come, go, stall, break, and change sockets in the middle of a tick.

Every frame says what it is, so each client's stream is judged by itself: whole frames only, each state the one that leads
on from the state before, events without a gap, private parts with their own player and the state of their tick.
"""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest

from monkeytown._core.fanout import Group
from monkeytown._core.frames import frame
from tests._core.link import Player, Stage, payloads, whole
from tests._core.test_connection import ack

TICKS = 81
PLAYERS = 50
WINDOW = 6
NOTHING = b"nothing" * 100
FILLER = frame(NOTHING)


def resting(tick: int) -> bool:
    """Whether nothing in the room changes in this tick."""
    return tick % 7 == 3


def state(base: int, tick: int, channel: int) -> bytes:
    """What leads from `base` (0: from nothing) to `tick`: now and then more than a small socket takes."""
    dice = Random(base << 40 | tick << 8 | channel)
    return b"S %d %d %d " % (base, tick, channel) + dice.randbytes(dice.choice((0, 30, 90, 300, 3000, 9000)))


class Seat:
    """A player, and what its client has read."""

    def __init__(self, player: Player, number: int, channel: int) -> None:
        self.player = player
        self.number = number
        self.channel = channel
        self.handle = -1
        self.events = 0
        self.stream = b""
        self.deaf = False
        """Its client has closed its end: a broken socket."""

    def read(self) -> None:
        if not self.deaf:
            self.stream += self.player.arrived()

    def fill(self) -> None:
        """Fills the kernel's buffer with whole frames that mean nothing."""
        with suppress(BlockingIOError):
            while True:
                assert self.player.transport.sock.send(FILLER) == len(FILLER)

    def judge(self, *, last: int | None) -> int:
        """`last`: the tick that it must have come to. Returns how many states arrived."""
        at = states = events = 0
        floor = 0
        for payload in payloads(self.stream if last is not None else whole(self.stream)):
            if payload == NOTHING:
                continue
            kind, *words = payload.split(b" ", 3)
            if kind == b"S":
                base, tick = int(words[0]), int(words[1])
                assert base == at < tick
                assert tick > floor, "an event of this tick or a later one came before it"
                assert not resting(tick)
                assert payload == state(base, tick, self.channel)
                at, states = tick, states + 1
            elif kind == b"E":
                assert (int(words[0]), int(words[1])) == (self.number, events + 1)
                events, floor = events + 1, int(words[2])
            else:
                assert payload[:2] == b"\x44\x02", "neither state nor event nor private"
                owner, tick = map(int, payload[2:].split())
                assert owner == self.number
                assert (at < tick) if resting(tick) else (at == tick)
        if last is not None:
            assert (at, events) == (last, self.events)
        return states


class Disorder:
    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.random = Random(seed)
        self.group: Group = stage.group(window=WINDOW)
        self.seats: list[Seat] = []
        self.gone: list[Seat] = []
        self.sent = 0

    def join(self) -> None:
        random = self.random
        player = self.stage(small=random.random() < 0.4, raw=random.random() < 0.85)
        seat = Seat(player, len(self.seats) + len(self.gone), random.randrange(2))
        seat.handle = self.group.add(player, channel=seat.channel)
        self.seats.append(seat)

    def leave(self, seat: Seat) -> None:
        self.seats.remove(seat)
        self.gone.append(seat)
        if self.random.random() < 0.3:
            # Sent out of the room; the socket stays.
            assert self.group.remove(seat.handle)
        else:
            seat.player.detach()
            # The number is free, and the next to come has it.
            seat.player.transport.sock.close()
            seat.player.transport.kept = b""

    def disturb(self) -> None:
        """What may happen while a tick is under way."""
        random = self.random
        for seat in random.sample(self.seats, 10):
            seat.read()
        seat = random.choice(self.seats)
        if not seat.player.blocked and not seat.deaf:
            seat.fill()
        if random.random() < 0.3 and len(self.seats) > PLAYERS // 2:
            self.leave(random.choice(self.seats))
            self.join()
        if random.random() < 0.05:
            seat = random.choice(self.seats)
            seat.read()
            seat.deaf = True
            seat.player.theirs.close()

    def tick(self, number: int) -> None:
        random, group = self.random, self.group
        for seat in self.seats:
            if random.random() < 0.3 and seat.player.append(
                b"E %d %d %d" % (seat.number, seat.events + 1, number)
            ):
                seat.events += 1
            if random.random() < 0.5:
                seat.player.receive(*(ack(1, seen) for seen in range(max(1, number - WINDOW), number)))
        cohorts = group.due(number, float(number))
        for seat in self.seats:
            if seat.player.is_due and random.random() < 0.2:
                group.set_private(seat.handle, 0x02, b"%d %d" % (seat.number, number))
        for cohort, (base, channel) in enumerate(cohorts):
            self.disturb()
            if not resting(number):
                payload = state(base.tick if base else 0, number, channel)
                self.sent += group.send(cohort, frame(payload), 1, number)
        self.disturb()
        group.flush()
        for seat in self.seats:
            if random.random() < 0.4:
                seat.read()
            if random.random() < 0.7:
                seat.player.transport.turn()

    def calm_down(self, number: int) -> None:
        """Everybody reads until nothing is left to write; then one tick more."""
        for seat in self.seats:
            for _ in range(10_000):
                seat.read()
                if not seat.player.blocked or seat.deaf:
                    break
                seat.player.transport.turn()
            seat.player.receive(*(ack(1, seen) for seen in range(1, number)))
        for cohort, (base, channel) in enumerate(self.group.due(number, float(number))):
            payload = state(base.tick if base else 0, number, channel)
            self.sent += self.group.send(cohort, frame(payload), 1, number)
        self.group.flush()
        for seat in self.seats:
            for _ in range(100):
                seat.read()
                if seat.deaf:
                    break
                seat.player.transport.turn()


@pytest.mark.parametrize("seed", range(6))
def test_every_client_reads_whole_frames_in_order_and_comes_to_now(make: Stage, seed: int) -> None:
    disorder = Disorder(make, seed)
    for _ in range(PLAYERS):
        disorder.join()
    for number in range(1, TICKS):
        disorder.tick(number)
    disorder.calm_down(TICKS)
    group = disorder.group
    assert min(group.shared, group.staged, group.partial, group.full, group.held) > 0
    assert bool(make.senders.barriers) == bool(make.threads)
    states = 0
    for seat in disorder.seats:
        states += seat.judge(last=None if seat.deaf else TICKS)
    for seat in disorder.gone:
        seat.read()
        states += seat.judge(last=None)
    assert disorder.sent / 2 < states <= disorder.sent
