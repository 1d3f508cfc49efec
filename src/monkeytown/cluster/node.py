"""This instance among the others: what all parts of the cluster share.

Knows how to ask another instance and wait for its answer, and which part takes which message; not what any of them means.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import structlog

from monkeytown.cluster import messages
from monkeytown.cluster.bus import Bus
from monkeytown.cluster.courier import Courier
from monkeytown.cluster.directory import Directory, DirectoryDown
from monkeytown.cluster.envelope import Envelopes
from monkeytown.cluster.messages import Message
from monkeytown.errors import Refusal

if TYPE_CHECKING:
    from monkeytown.runtime.host import Host
    from monkeytown.runtime.sessions import Sessions

__all__ = ["ANSWER_SECONDS", "Node", "Times"]

log = structlog.get_logger()

LATE_SECONDS = 30.0
"""For an answer that nobody waits for any more, but that has consequences."""

ANSWER_SECONDS = 2.0
"""For the answer of an instance that lives. What is asked is done between two ticks."""

CLOSE_SECONDS = 0.2

M = TypeVar("M")
R = TypeVar("R")


class Times(NamedTuple):
    """How long things last, in seconds."""

    lease: float = 2.0
    """A lease that is not renewed."""
    renewal: float = 0.5
    """From one renewal to the next."""
    checkpoint: float = 1.0
    """From one checkpoint of a room to the next."""
    seat: float = 300.0
    """A seat whose player has no connection, unless the game says otherwise."""
    kept: float = 600.0
    """A checkpoint that nobody has taken up."""


class _Question(NamedTuple):
    """What another instance was asked."""

    to: str
    answer: type
    accept: Callable[[Any], Any]
    future: asyncio.Future[Any]

    def answered(self, message: Message) -> None:
        if self.future.done():
            return
        if isinstance(message, messages.Refused):
            self.future.set_exception(Refusal(message.message, message.code))
        elif isinstance(message, self.answer):
            try:
                self.future.set_result(self.accept(message))
            except Exception as error:
                self.future.set_exception(error)
        else:
            self.future.set_exception(TimeoutError(f"{self.to} has answered something else"))


class Node:
    """One instance among others."""

    def __init__(
        self,
        id: str,
        name: str,
        host: Host,
        sessions: Sessions,
        directory: Directory,
        bus: Bus,
        secret: str,
        times: Times,
    ) -> None:
        self.id = id
        self.name = name
        self.host = host
        self.sessions = sessions
        self.directory = directory
        self.bus = bus
        self.times = times
        self.envelopes = Envelopes(secret, id)
        self.courier: Courier[Message] = Courier(
            id, bus, self.envelopes, Message, receive=self._receive, broken=self._broken
        )
        self.counters: Counter[str] = Counter()
        """What happened, for metrics."""
        self.broken: list[Callable[[str], None]] = []
        """Are told of each instance of which messages were lost, or that is gone."""
        self._takers: dict[type, Callable[[str, Any], None]] = {}
        self._asked: dict[int, _Question] = {}
        self._late: dict[int, tuple[str, type, Callable[[Any], object]]] = {}
        self._numbers = count(1)
        self._tasks: set[asyncio.Task[Any]] = set()

    def now(self) -> float:
        return time.monotonic()

    def take(self, kind: type[M], taker: Callable[[str, M], None]) -> None:
        """Messages of this kind go there, with who sent them."""
        self._takers[kind] = taker

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Does something that takes a while; a failure is logged, unless that is an answer too."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ran)
        return task

    def _ran(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure is not None and not isinstance(failure, Refusal | DirectoryDown):
            log.error("the cluster failed at something", exc_info=failure)

    async def ask(
        self,
        to: str,
        make: Callable[[int], Message],
        answer: type[M],
        accept: Callable[[M], R],
        seconds: float = ANSWER_SECONDS,
        late: Callable[[M], object] | None = None,
    ) -> R:
        """Asks another instance. What `accept` makes of the answer, before anything that comes behind it has its turn.

        Raises `Refusal` if it refuses, and `TimeoutError` if it says nothing; should it say it later, `late` gets that.
        """
        number = next(self._numbers)
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._asked[number] = _Question(to, answer, accept, future)
        try:
            self.courier.send(to, make(number))
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            if late is not None:
                self._late[number] = to, answer, late
                asyncio.get_running_loop().call_later(LATE_SECONDS, self._late.pop, number, None)
            raise
        finally:
            del self._asked[number]

    def refuse(self, to: str, ask: int, refusal: Refusal) -> None:
        self.courier.send(to, messages.Refused(ask, refusal.code, refusal.message))

    async def close(self) -> None:
        while self._tasks:
            # More than once: in Python 3.11 `wait_for`, which libraries use, may swallow a cancellation.
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)

    def _receive(self, sender: str, message: Message) -> None:
        if not self.host.attentive():
            self.counters["deferred"] += 1
        taker = self._takers.get(type(message))
        if taker is not None:
            taker(sender, message)
            return
        question = self._asked.get(getattr(message, "ask", 0))
        if question is not None and question.to == sender:
            question.answered(message)
        elif question is None:
            self._answered_late(sender, message)

    def _answered_late(self, sender: str, message: Message) -> None:
        to, answer, late = self._late.pop(getattr(message, "ask", 0), ("", type(None), None))
        if late is not None and to == sender and isinstance(message, answer):
            late(message)

    def _broken(self, peer: str) -> None:
        for question in tuple(self._asked.values()):
            if question.to == peer and not question.future.done():
                question.future.set_exception(TimeoutError(f"{peer} is gone"))
        for tell in self.broken:
            tell(peer)
