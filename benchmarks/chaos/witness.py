"""Players who are real clients and write down everything they see, with the time: for a check after the run.

Knows the game of `plaza.py` and the public client; judges nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from monkeytown.client import connect
from monkeytown.client.events import ConnectionLost, Reconnected
from monkeytown.errors import Refusal

__all__ = ["MANY", "Crowd", "Heard", "Seen", "Witness"]

MANY = 12
"""Players from whom on a state is told by its clock alone: a client that looks at every dot sixty times a second is slow."""
STEP_SECONDS = 0.05
STEPS_TO_A_NUMBER = 4
JOIN_SECONDS = 15.0


class Seen(NamedTuple):
    """A state. `content` is a digest of everything in it."""

    at: float
    epoch: int
    tick: int
    beat: int
    content: int


class Heard(NamedTuple):
    """An event: somebody has said a number."""

    at: float
    who: str
    number: int


class Witness:
    """One player. `url` is asked for before each attempt to connect."""

    def __init__(self, name: str, url: Callable[[], str], *, looks: bool = True) -> None:
        self.name = name
        self.states: list[Seen] = []
        self.heard: list[Heard] = []
        self.said: list[tuple[float, int]] = []
        """When which number was said."""
        self.lost: list[tuple[float, int]] = []
        """When a connection was found to be lost, and the code of its end."""
        self.back: list[tuple[float, Reconnected]] = []
        self.closed: list[Any] = []
        """Ends after which it does not come back."""
        self.steps: list[float] = []
        """When each input went out."""
        self.delays: list[float] = []
        """Seconds from an input to the state that has it, while none is lost."""
        self._url = url
        self._looks = looks
        self._answered = 0
        self.client: Any = None
        self.room: Any = None

    async def join(self, game: str) -> None:
        """Raises what it was answered last if there is no seat within some seconds."""
        deadline = time.monotonic() + JOIN_SECONDS
        while True:
            try:
                self.client = await connect(self._url(), name=self.name)
                self.room = await self.client.join(game)
                break
            except (ConnectionLost, Refusal):
                if time.monotonic() > deadline:
                    raise
                if self.client is not None:
                    await self.client.close()
                await asyncio.sleep(0.1)
        self._see(None)
        self.client.on("reconnecting", self._lose)
        self.client.on("reconnected", lambda about: self.back.append((time.monotonic(), about)))
        self._unheard = self.client.on("close", self.closed.append)
        self.room.on("state", self._see)
        self.room.on("did", lambda did: self.heard.append(Heard(time.monotonic(), *did)))

    def _lose(self, about: Any) -> None:
        self.lost.append((time.monotonic(), about.code))
        self.client.url = self._url()

    def _see(self, state: Any) -> None:
        now, room = time.monotonic(), self.room
        clock = next(iter(room.tables["clock"]), None)
        beat, mark = (0, 0) if clock is None else (clock.beat, clock.mark)
        dots = (
            tuple((one.name, one.x, one.steps, one.said) for one in room.tables["dots"])
            if self._looks
            else ()
        )
        self.states.append(Seen(now, room.epoch, room.tick, beat, hash((beat, mark, dots))))
        me = room.entity
        if me is not None:
            while self._answered < min(me.steps, len(self.steps)):
                self.delays.append(now - self.steps[self._answered])
                self._answered += 1

    def step(self) -> None:
        if self.room.input(dx=1 / 8):
            self.steps.append(time.monotonic())

    def say(self) -> None:
        number = len(self.said) + 1
        if self.room.chat(str(number)):
            self.said.append((time.monotonic(), number))

    async def close(self) -> None:
        """It leaves by itself, which is not an end that was seen."""
        self._unheard()
        await self.client.close()


class Crowd:
    """Several witnesses who steer for as long as the block lasts; the first `speakers` of them say numbers."""

    def __init__(self, witnesses: Sequence[Witness], speakers: int) -> None:
        self.witnesses = list(witnesses)
        self.speakers = self.witnesses[:speakers]
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Crowd:
        self._task = asyncio.create_task(self._play())
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.rest()
        await asyncio.gather(*(one.close() for one in self.witnesses))

    async def rest(self) -> None:
        """They do nothing more; what they see is still written down."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _play(self) -> None:
        turn = 0
        while True:
            turn += 1
            share = STEP_SECONDS / max(1, len(self.witnesses))
            for place, one in enumerate(self.witnesses):
                one.step()
                if place < len(self.speakers) and (turn + place) % STEPS_TO_A_NUMBER == 0:
                    one.say()
                if place % 8 == 7:
                    await asyncio.sleep(share * 8)
            await asyncio.sleep(share * (len(self.witnesses) % 8))
