"""Sockets are read at once while little comes, and by the clock while anything comes at each look."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from monkeytown.readers.pace import PACE, PATIENCE, Pace


class Loop:
    """An event loop that does what a test says, when it says so."""

    def __init__(self) -> None:
        self.readers: dict[int, Callable[[], None]] = {}
        self.timers: list[Timer] = []

    def add_reader(self, fd: int, call: Callable[[], None]) -> None:
        self.readers[fd] = call

    def remove_reader(self, fd: int) -> None:
        del self.readers[fd]

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        assert seconds == PACE
        self.timers.append(Timer(call))
        return self.timers[-1]

    def ring(self) -> None:
        """The timer that waits."""
        waiting, self.timers = [timer for timer in self.timers if timer.active], []
        for timer in waiting:
            timer.call()


class Timer:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call
        self.active = True

    def cancel(self) -> None:
        self.active = False


@pytest.fixture
def loop() -> Any:
    return Loop()


def test_looks_by_the_clock_as_long_as_something_comes_and_for_a_while_after(loop: Any) -> None:
    looks: list[bool] = []
    comes = True

    def read() -> bool:
        looks.append(comes)
        return comes

    pace = Pace(loop, 7, read)
    assert not pace.is_busy
    pace.look()
    assert looks == [], "who is woken up need not look before a tick"
    loop.readers[7]()
    assert (looks, pace.is_busy, loop.readers) == ([True], True, {})
    loop.ring()
    pace.look()
    assert looks == [True] * 3
    assert sum(timer.active for timer in loop.timers) == 1, "after a look it waits as long as ever"
    comes = False
    for _ in range(PATIENCE - 1):
        loop.ring()
    assert pace.is_busy
    comes = True
    loop.ring()
    comes = False
    for _ in range(PATIENCE):
        assert pace.is_busy
        loop.ring()
    assert not pace.is_busy
    assert list(loop.readers) == [7]
    loop.readers[7]()
    for _ in range(PATIENCE):
        pace.look()
    assert not pace.is_busy, "looks before ticks count as any"
    assert not any(timer.active for timer in loop.timers)


@pytest.mark.parametrize("busy", [False, True])
def test_reads_no_more_once_it_is_closed(loop: Any, busy: bool) -> None:
    pace = Pace(loop, 7, lambda: True)
    if busy:
        loop.readers[7]()
    pace.close()
    assert loop.readers == {}
    assert not any(timer.active for timer in loop.timers)
    assert not pace.is_busy


def test_what_is_read_may_close_it(loop: Any) -> None:
    closing: list[Pace] = []

    def read() -> bool:
        for pace in closing:
            pace.close()
        return False

    pace = Pace(loop, 7, read)
    loop.readers[7]()
    closing.append(pace)
    loop.ring()
    assert loop.readers == {}
    assert not any(timer.active for timer in loop.timers)


async def test_on_a_real_loop_everything_is_read() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    came = bytearray()
    done = asyncio.Event()

    def read() -> bool:
        try:
            came.extend(ours.recv(3))
        except BlockingIOError:
            return False
        if len(came) == 30:
            done.set()
        return True

    pace = Pace(asyncio.get_running_loop(), ours.fileno(), read)
    for _ in range(10):
        theirs.send(b"abc")
        await asyncio.sleep(0)
    await asyncio.wait_for(done.wait(), 5)
    pace.close()
    ours.close()
    theirs.close()
    assert bytes(came) == b"abc" * 10
