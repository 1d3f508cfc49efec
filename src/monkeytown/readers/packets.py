"""What python-socketio and the game say to each other: packets in, packets out, and the WebSockets that they travel on.

Knows texts, sizes and rates; does not know whose they are. What libraries would trip over or keep without bound is dealt with
here, before they see it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio.packet import EVENT
from socketio.packet import Packet as SocketPacket

from monkeytown.readers.events import BOUND, TRANSPORT
from monkeytown.runtime.limits import Limits, TokenBucket

__all__ = ["PIPE", "Incoming", "Outgoing", "Pipe", "Receive", "Scope", "Send"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PIPE = "monkeytown.pipe"
"""The extension of a scope by which its pipe is found again."""

ID_DIGITS = 15
"""Of the number by which a client asks for an answer, at most."""

# Engine.IO's own packets count as well, and are not many.
RAW_MESSAGES = 4


class Incoming(SocketPacket):  # type: ignore[misc]
    """A packet whose events are not parsed yet, and cannot pass for those that python-socketio makes itself."""

    uses_binary_events = False

    def __init__(self, *arguments: Any, encoded_packet: object = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if encoded_packet is not None:  # an empty one is none to python-socketio
            self.decode(encoded_packet)

    def decode(self, encoded_packet: object) -> int:
        text = encoded_packet if isinstance(encoded_packet, str) else ""
        kind = text[:1]
        if kind in ("0", "1", "3"):
            super().decode(text)
        else:
            self._event(text if kind == str(EVENT) else "")
        return 0

    def _event(self, text: str) -> None:
        """Attachments, unknown kinds and all else that makes no sense become an event without content."""
        rest = text[1:]
        self.packet_type, self.namespace, self.id = EVENT, None, None
        if rest.startswith("/"):
            self.namespace, _, rest = rest.partition(",")
        digits = len(rest) - len(rest.lstrip("0123456789"))
        if 0 < digits <= ID_DIGITS:
            self.id = int(rest[:digits])
        self.data = ["said", rest[digits:].encode(errors="replace"), self.id is not None]


class Outgoing(EnginePacket):  # type: ignore[misc]
    """A message that is encoded already, and says when the transport takes it."""

    def __init__(self, text: str, taken: Callable[[int], None], size: int) -> None:
        super().__init__(MESSAGE, text[1:])
        self.encode_cache = text
        self._taken: Callable[[int], None] | None = taken
        self._size = size

    def encode(self, b64: bool = False) -> str:
        if self._taken is not None:
            self._taken(self._size)
            self._taken = None
        return str(self.encode_cache)


class Pipe:
    """What a WebSocket's client sends, counted, until it is cut."""

    def __init__(self, scope: Scope, receive: Receive, limits: Limits, now: Callable[[], float]) -> None:
        extension = scope.get("extensions", {}).get(TRANSPORT)
        self.unsent: Callable[[], int] = extension.get_write_buffer_size if extension else lambda: 0
        self.abort: Callable[[], None] = extension.abort if extension else lambda: None
        bound = scope.get("extensions", {}).get(BOUND)
        if bound is not None:
            bound(limits.poll_bytes)
        self.opened = ""
        """What Engine.IO calls the connection that this WebSocket has opened, if it has."""
        self.said_goodbye = False
        """Whether the client has closed it with 1000: it has done what it came for."""
        self._receive = receive
        self._reading: asyncio.Task[Any] | None = None
        self._cut = False
        rate = RAW_MESSAGES * limits.messages_per_second
        self._rate = TokenBucket(rate, rate, now())
        self._now = now

    async def receive(self) -> MutableMapping[str, Any]:
        if self._cut:
            return {"type": "websocket.disconnect", "code": 1000}
        self._reading = asyncio.current_task()
        try:
            event = await self._receive()
        except asyncio.CancelledError:
            if not self._cut:
                raise
            return {"type": "websocket.disconnect", "code": 1000}
        finally:
            self._reading = None
        if event["type"] == "websocket.disconnect":
            self.said_goodbye = event.get("code") == 1000
        elif not self._rate.take(self._now()) and self._rate.flooded:
            return {"type": "websocket.disconnect", "code": 1008}
        return event

    def cut(self) -> None:
        """Nothing more is read, which ends the WebSocket once all that was sent has gone out."""
        self._cut = True
        if self._reading is not None:
            self._reading.cancel()
