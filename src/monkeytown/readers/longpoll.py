"""The long-poll front: requests in, answers out, for players who cannot have a WebSocket.

Knows the polling connections that are open, by the tokens of their sessions, and what a request's body is made of; does not
know HTTP. A polling connection is a connection like any other: the same session, limits and close codes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from http import HTTPStatus

from monkeytown._core.wire import Reader
from monkeytown.errors import Refusal, WireError
from monkeytown.protocol.close import CloseCode
from monkeytown.protocol.codec import BINARY
from monkeytown.protocol.messages import Poll
from monkeytown.readers.handshake import Addresses, Refused
from monkeytown.readers.polling import PollLink
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.metrics import Metrics
from monkeytown.runtime.sessions import Sessions

__all__ = ["Polls"]

HELLO, POLL = b"\x01", b"\x09"


class Polls:
    """All polling connections of a server."""

    def __init__(
        self,
        sessions: Sessions,
        limits: Limits,
        *,
        addresses: Addresses,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sessions = sessions
        self.limits = limits
        self.now = now
        self.shutting_down = False
        self._addresses = addresses
        self._links: dict[bytes, PollLink] = {}
        """By the hash of their token, so that the time of a look-up says nothing of a token."""

    def __len__(self) -> int:
        return len(self._links)

    @property
    def metrics(self) -> Metrics:
        return self.sessions.host.metrics

    async def answer(self, body: bytes, address: str) -> bytes | Refused:
        """Answers a request, when there is something to say."""
        try:
            messages = _messages(body)
        except WireError:
            return Refused(HTTPStatus.BAD_REQUEST, "WS-003")
        if self.shutting_down:
            return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "SYS-002")
        if messages[0][:1] == HELLO:
            return await self._open(messages, address)
        try:
            poll = BINARY.decode(messages[0])
        except Refusal:
            return Refused(HTTPStatus.BAD_REQUEST, "WS-003")
        if not isinstance(poll, Poll):
            return Refused(HTTPStatus.BAD_REQUEST, "WS-003")
        link = self._links.get(_hash(poll.session))
        if link is None:
            return Refused(HTTPStatus.GONE, "AUTH-003")
        content = await link.poll(
            poll.number, poll.heard, min(poll.wait, self.limits.poll_seconds), messages[1:]
        )
        if link.closed is not None:
            self._forget(link)
        return content

    async def _open(self, messages: list[bytes], address: str) -> bytes | Refused:
        if self._addresses.full(address):
            self.metrics.refused["WS-008"] += 1
            return Refused(HTTPStatus.TOO_MANY_REQUESTS, "WS-008")
        link = PollLink(self, address)
        self._addresses.enter(address)
        self.metrics.connections += 1
        self._know(link)
        content = await link.begin(messages)
        if link.token in self._links:
            # Whoever has come back has its session now, under another token.
            del self._links[link.token]
            self._know(link)
        if link.closed is not None:
            self._forget(link)
        return content

    def _know(self, link: PollLink) -> None:
        link.token = _hash(link.session.secret.token)
        self._links[link.token] = link

    def _forget(self, link: PollLink) -> None:
        if self._links.pop(link.token, None) is not None:
            self._addresses.leave(link.address)

    def sweep(self, now: float) -> None:
        """Gives up those who have not asked for too long."""
        for link in list(self._links.values()):
            if link.idle_since is not None and now - link.idle_since > self.limits.stalled_seconds:
                link.lost()
                self._forget(link)

    def close(self) -> None:
        """No more answers but that the server is going away."""
        self.shutting_down = True
        for link in list(self._links.values()):
            link.session.end(CloseCode.GOING_AWAY)
            self._forget(link)


def _hash(token: str) -> bytes:
    return sha256(token.encode(errors="replace")).digest()


def _messages(body: bytes) -> list[bytes]:
    """The messages of a request. Raises WireError if they are not whole, or there is none."""
    reader, messages = Reader(body), []
    while reader.remaining:
        messages.append(reader.raw(reader.varint()))
    if not messages or not all(messages):
        raise WireError("a message is empty")
    return messages
