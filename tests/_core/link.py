"""A connection over a real pair of sockets, with a transport that behaves like an event loop's whose write limits are 0."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

from websockets.frames import Frame, Opcode

from monkeytown._core.connection import Connection
from monkeytown._core.fanout import Group
from monkeytown._core.frames import ReadBuffer, frame
from monkeytown._core.senders import Senders

SHARED = ReadBuffer(4096)


class Transport:
    """Writes at once what it can and keeps the rest; while it keeps anything, its protocol is paused."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.protocol: Any = None
        self.kept = b""

    def write(self, data: bytes) -> None:
        self.kept += data
        self.drain()
        if self.kept:
            self.protocol.pause_writing()

    def drain(self) -> None:
        """What an event loop does when the socket becomes writable."""
        try:
            self.kept = self.kept[self.sock.send(self.kept) :]
        except BlockingIOError:
            return
        except OSError:
            # It will tell its protocol that the connection is lost, later.
            self.kept = b""

    def turn(self) -> None:
        """One turn of the event loop."""
        if self.kept:
            self.drain()
            if not self.kept:
                self.protocol.resume_writing()


class Player(Connection):
    """A connection that keeps what it is told."""

    def __init__(self, *, small: bool = False, raw: bool = True, **options: Any) -> None:
        super().__init__(SHARED, **options)
        self.messages: list[bytes] = []
        self.refused: list[int] = []
        self.floods = 0
        ours, self.theirs = socket.socketpair()
        for end in (ours, self.theirs):
            end.setblocking(False)
        if small:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.transport = Transport(ours)
        self.transport.protocol = self
        self.attach(self.transport, ours.fileno() if raw else -1)  # type: ignore[arg-type]

    def binary_received(self, payload: bytes) -> None:
        self.messages.append(payload)

    def input_refused(self, reason: int) -> None:
        self.refused.append(reason)

    def flooding(self) -> None:
        self.floods += 1

    def receive(self, *payloads: bytes) -> None:
        """As if the client had sent these binary messages."""
        for payload in payloads:
            self.feed(bytes(Frame(Opcode.BINARY, payload).serialize(mask=True)))

    def arrived(self) -> bytes:
        """Everything that is at the client's end by now."""
        parts = []
        try:
            while part := self.theirs.recv(1 << 20):
                parts.append(part)
        except BlockingIOError:
            pass
        return b"".join(parts)

    def read(self) -> list[bytes]:
        """The payloads of the frames that are at the client's end by now."""
        return list(payloads(self.arrived()))

    def fill(self) -> int:
        """Fills the kernel's buffer, so that nothing more can be sent; returns with how many bytes."""
        count = 0
        try:
            while True:
                count += self.transport.sock.send(b"\0" * 512)
        except BlockingIOError:
            return count

    def close(self) -> None:
        self.detach()
        self.transport.sock.close()
        self.theirs.close()


def payloads(stream: bytes) -> Iterator[bytes]:
    """The payloads of a server's frames."""
    start = 0
    while start < len(stream):
        length, at = stream[start + 1], start + 2
        if length == 126:
            length, at = int.from_bytes(stream[at : at + 2], "big"), at + 2
        elif length == 127:
            length, at = int.from_bytes(stream[at : at + 8], "big"), at + 8
        start = at + length
        assert start <= len(stream), "a frame is cut off"
        yield stream[at:start]


def whole(stream: bytes) -> bytes:
    """The stream up to where a frame is cut off."""
    end = 0
    while len(stream) - end >= 10:
        length, at = stream[end + 1], 2
        if length == 126:
            length, at = int.from_bytes(stream[end + 2 : end + 4], "big"), 4
        elif length == 127:
            length, at = int.from_bytes(stream[end + 2 : end + 10], "big"), 10
        if len(stream) < end + at + length:
            break
        end += at + length
    return stream[:end]


class Stage:
    """Players, and groups whose sends are shared by so many threads; closed with it."""

    def __init__(self, stack: ExitStack, threads: int) -> None:
        self.threads = threads
        self._stack = stack
        self.senders = stack.enter_context(closing(Senders(threads, alone=2)))

    def __call__(self, **options: Any) -> Player:
        return self._stack.enter_context(closing(Player(**options)))

    def group(self, **options: Any) -> Group:
        return Group(senders=self.senders, **options)


def tick(group: Group, number: int, payload: bytes | None = None, *, epoch: int = 1, now: float = 1.0) -> int:
    """One tick of a room: everyone who may be sent to is brought to (epoch, number)."""
    sent = 0
    for cohort in range(len(group.due(number, now))):
        sent += group.send(cohort, frame(payload or b"state %d" % number), epoch, number)
    group.flush()
    return sent
