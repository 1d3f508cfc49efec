"""The line to one server: what is published there and what is heard from there, over a connection each.

Knows Pub/Sub, and when a line does not work; not which channels belong to this server, nor who receives.

A subscription can be deaf without a sign: the connection stands, and nothing comes. So the line says a number on a channel of
its own each second, and listens for it. What may have been published is never said again; who needs that builds it on top.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from monkeytown.cluster.backlog import Backlog, Waiting
from monkeytown.cluster.redisdial import Dial, Node, Trouble
from monkeytown.cluster.rediswire import Wire

__all__ = ["Counts", "Line", "Owner"]

BEAT_SECONDS = 1.0
UNANSWERED_BEATS = 2
"""A connection on which nothing is answered for so many beats is no good."""
UNHEARD_BEATS = 3
CALM_SECONDS = 2.0
"""Trouble is over when the line works so long after it last did not."""
DEAF = "a subscription hears nothing of what is published"
BATCH_BYTES = 256 * 1024


@dataclass
class Counts:
    """What all lines of a bus did."""

    published: int = 0
    received: int = 0
    dropped: int = 0
    """Not published, or not known to be."""
    reconnects: int = 0
    deaf: int = 0


@dataclass
class Owner:
    """Whom a line tells."""

    deliver: Callable[[bytes, bytes], None]
    """Channel and data."""
    moved: Callable[[], None]
    """A channel belongs to another server now, or this one does not work."""
    changed: Callable[[], None]
    """It is ready, or has other trouble."""


class Line:
    """To `node`; `probe` is the channel of its own. `sharded`: as a node of a cluster speaks."""

    def __init__(
        self,
        dial: Dial,
        node: Node,
        probe: bytes,
        *,
        sharded: bool,
        backlog: Backlog,
        counts: Counts,
        owner: Owner,
    ) -> None:
        self.node = node
        self.probe = probe
        self.backlog = backlog
        self.trouble: Trouble | None = None
        self.counts = counts
        self.owner = owner
        self._dial = dial
        self._failed_at = 0.0
        self._said = 0
        self._heard = 0
        self._unheard_beats = 0
        self._connections = 0
        self._speaker = _Speaker(self, b"SPUBLISH" if sharded else b"PUBLISH")
        self._listener = _Listener(self, b"SSUBSCRIBE" if sharded else b"SUBSCRIBE")
        self._speaking = Wire(self._connect, self._speaker)
        self._listening = Wire(self._connect, self._listener)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_ready(self) -> bool:
        """What is said is heard, on all channels."""
        return self._heard > 0 and self._listening.is_up and not self._listener.unconfirmed

    def start(self) -> None:
        self._listener.want(self.probe)
        runs = (self._speaking.run(), self._listening.run(), self._beats())
        self._tasks = [asyncio.create_task(run) for run in runs]

    async def close(self, patience: float = 0.0) -> None:
        """Sends what waits, if that takes no longer than so many seconds."""
        deadline = asyncio.get_running_loop().time() + patience
        while self._speaking.is_up and (self.backlog or self._speaker.unanswered):
            if asyncio.get_running_loop().time() >= deadline:
                break
            await asyncio.sleep(0.005)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def publish(self, waiting: Waiting) -> None:
        self.counts.dropped += self.backlog.put(waiting)
        self._speaker.wake.set()

    def want(self, channel: bytes) -> None:
        """Listen to it, from soon on."""
        self._listener.want(channel)

    def unwant(self, channel: bytes) -> None:
        self._listener.unwant(channel)

    def probe_on(self, channel: bytes) -> None:
        """The one until now is another server's."""
        self.unwant(self.probe)
        self.probe = channel
        self.want(channel)

    def fail(self, error: BaseException) -> None:
        """Something did not work."""
        self._failed_at = asyncio.get_running_loop().time()
        self.trouble = self._dial.explain(error, self.node)
        self.owner.changed()

    def say(self) -> None:
        """The next number, before all that waits."""
        self._said += 1
        self._speaker.probe = b"%d" % self._said
        self._speaker.wake.set()

    def heard(self, said: bytes) -> None:
        """One of ours came back, or what somebody else says here."""
        number = int(said) if said.isdigit() and len(said) < 20 else 0
        if not self._heard < number <= self._said:
            return
        was_ready = self.is_ready
        self._heard = number
        self._unheard_beats = 0
        if self.trouble and not self._listener.unconfirmed and self._speaking.is_up:
            calm = asyncio.get_running_loop().time() - self._failed_at >= CALM_SECONDS
            if calm:
                self.trouble = None
                self.owner.changed()
        if not was_ready:
            self.owner.changed()

    def listens(self) -> None:
        """The connection is new, and nothing can have been heard yet."""
        self._unheard_beats = 0
        self._connected()

    def speaks(self) -> None:
        """This connection is new too."""
        self.say()
        self._connected()

    def _connected(self) -> None:
        self._connections += 1
        if self._connections > 2:
            self.counts.reconnects += 1

    async def _connect(self) -> Any:
        return await self._dial.connect(self.node)

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self._beat()

    def _beat(self) -> None:
        if self._speaking.is_up and self._speaker.unanswered:
            self._speaker.silent_beats += 1
            if self._speaker.silent_beats >= UNANSWERED_BEATS:
                self._speaking.restart(TimeoutError())
        if self._listening.is_up and not self._speaker.refuses_probe:
            # Beats, not seconds: if this process was frozen, it was not the subscription that heard nothing.
            self._unheard_beats += 1
            if self._unheard_beats > UNHEARD_BEATS:
                self.counts.deaf += 1
                is_answered = self._speaking.is_up and not self._speaker.silent_beats
                self._listening.restart(RuntimeError(DEAF) if is_answered else TimeoutError())
        self._listener.ask_again()
        self.say()


class _Speaker:
    """Publishes what waits, in order. Replies are read as they come; nobody waits for one before the next is sent."""

    def __init__(self, line: Line, command: bytes) -> None:
        self.wake = asyncio.Event()
        self.probe = b""
        self.silent_beats = 0
        self.refuses_probe = False
        self._line = line
        self._start = b"*3\r\n$%d\r\n%b\r\n" % (len(command), command)
        self._sent = 0
        self._answered = 0
        self._probes: deque[int] = deque()
        """Which of what was sent."""

    @property
    def unanswered(self) -> int:
        return self._sent - self._answered

    def connected(self) -> None:
        self._sent = self._answered = self.silent_beats = 0
        self._probes.clear()
        self._line.speaks()

    async def write(self, connection: Any) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.probe or self._line.backlog:
                await connection.send_packed_command(self._packed(), check_health=False)

    def _packed(self) -> list[bytes]:
        # Put together here: the library takes eight times as long for it.
        start = self._start
        packed: list[bytes] = []
        if self.probe:
            name, data = self._line.probe, self.probe
            packed.append(b"%b$%d\r\n%b\r\n$%d\r\n%b\r\n" % (start, len(name), name, len(data), data))
            self._probes.append(self._sent)
            self.probe = b""
        for name, data, _ in self._line.backlog.take(BATCH_BYTES):
            packed.append(b"%b$%d\r\n%b\r\n$%d\r\n%b\r\n" % (start, len(name), name, len(data), data))
        self._sent += len(packed)
        return packed

    def received(self, reply: Any) -> None:
        is_probe = bool(self._probes) and self._probes[0] == self._answered
        self._answered += 1
        self.silent_beats = 0
        failed = isinstance(reply, Exception)
        if is_probe:
            self._probes.popleft()
            self.refuses_probe = failed
        elif failed:
            self._line.counts.dropped += 1
        else:
            self._line.counts.published += 1
        if failed:
            self._refused(reply)

    def _refused(self, error: Exception) -> None:
        self._line.owner.moved()
        if not str(error).startswith("MOVED"):
            self._line.fail(error)

    def lost(self, error: BaseException) -> None:
        self._line.counts.dropped += self.unanswered - len(self._probes)
        self._sent = self._answered = 0
        self._probes.clear()
        self.refuses_probe = False
        self._line.fail(error)
        self._line.owner.moved()


class _Listener:
    """Hears the channels that are wanted, and asks for each until the server confirms it."""

    def __init__(self, line: Line, command: bytes) -> None:
        name = command.decode().lower()
        self._line = line
        self._subscribe = name.upper()
        self._unsubscribe = name.replace("subscribe", "unsubscribe").upper()
        self._confirming = name.encode()
        self._ending = self._unsubscribe.lower().encode()
        self._message = b"smessage" if name.startswith("ss") else b"message"
        self._wanted: set[bytes] = set()
        self._confirmed: set[bytes] = set()
        self._changed: set[bytes] = set()
        self._wake = asyncio.Event()

    @property
    def unconfirmed(self) -> bool:
        return len(self._confirmed) < len(self._wanted)

    def want(self, channel: bytes) -> None:
        self._wanted.add(channel)
        self._changed.add(channel)
        self._wake.set()

    def unwant(self, channel: bytes) -> None:
        self._wanted.discard(channel)
        self._confirmed.discard(channel)
        self._changed.add(channel)
        self._wake.set()

    def ask_again(self) -> None:
        """For what the server has not confirmed: it refused, or the channel belonged to another."""
        if self.unconfirmed:
            self._changed |= self._wanted - self._confirmed
            self._wake.set()

    def connected(self) -> None:
        self._confirmed.clear()
        self._changed = set(self._wanted)
        self._wake.set()
        self._line.listens()

    async def write(self, connection: Any) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            changed, self._changed = self._changed, set()
            # One by one: those of one command would have to be of one slot.
            commands = [
                (self._subscribe if name in self._wanted else self._unsubscribe, name) for name in changed
            ]
            if commands:
                await connection.send_packed_command(connection.pack_commands(commands), check_health=False)

    def received(self, reply: Any) -> None:
        if isinstance(reply, Exception):
            self._line.owner.moved()
            if not str(reply).startswith("MOVED"):
                self._line.fail(reply)
            return
        kind, channel, data = reply
        if kind == self._message:
            if channel == self._line.probe:
                self._line.heard(data)
            elif channel in self._wanted:
                self._line.owner.deliver(channel, data)
        elif kind == self._confirming:
            self._confirm(channel)
        elif kind == self._ending and channel in self._wanted:
            self._confirmed.discard(channel)
            self._line.owner.moved()

    def _confirm(self, channel: bytes) -> None:
        if channel in self._wanted:
            self._confirmed.add(channel)
            if not self.unconfirmed:
                self._line.say()
                self._line.owner.changed()

    def lost(self, error: BaseException) -> None:
        self._confirmed.clear()
        self._line.fail(error)
        self._line.owner.moved()
