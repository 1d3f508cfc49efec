"""`/socket.io/`: HTTP and WebSockets around the Socket.IO front.

Knows ASGI, headers and origins; not what is said. Engine.IO's own handling of origins is off: these are the rules of the game
socket, and they hold as well for requests that a page of another origin can send without a preflight.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qs

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from websockets.datastructures import Headers

from monkeytown.errors import ERROR_CODES
from monkeytown.readers.handshake import Origins, Refused
from monkeytown.readers.socketio import EventFront

__all__ = ["SocketIoEndpoint"]

MAX_QUERY = 1024


class SocketIoEndpoint:
    """Answers requests for its path, and leaves all others to the application."""

    def __init__(
        self, app: ASGIApp, front: EventFront, origins: Origins, *, path: str = "/socket.io"
    ) -> None:
        self._app = app
        self._front = front
        self._origins = origins
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"].rstrip("/") != self._path:
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name != b"origin"}
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        query = parse_qs(scope["query_string"][:MAX_QUERY].decode("latin-1"))
        eio_sid = query["sid"][0] if "sid" in query else None
        refused = self._refused(scope, headers, query, eio_sid)
        if refused is not None:
            self._front.metrics.refused[refused.code] += 1
            await _refuse(scope, send, refused)
            return
        more = [(b"cache-control", b"no-store")]
        if origins:
            more += [(b"access-control-allow-origin", origins[0]), (b"vary", b"origin")]
            more += [(b"cross-origin-resource-policy", b"cross-origin")]

        async def respond(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *more]
            await send(message)

        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            more += [(b"access-control-allow-methods", b"GET, POST")]
            more += [(b"access-control-allow-headers", b"content-type")]
            start = {"type": "http.response.start", "status": HTTPStatus.NO_CONTENT.value, "headers": []}
            await respond(start)
            await send({"type": "http.response.body", "body": b""})
            return
        await self._front.handle(scope, receive, respond, eio_sid)

    def _refused(
        self, scope: Scope, headers: dict[bytes, bytes], query: dict[str, list[str]], eio_sid: str | None
    ) -> Refused | None:
        """Why a request is refused."""
        asked = Headers()
        for name, value in scope["headers"]:
            if name in (b"origin", b"host"):
                asked[name.decode()] = value.decode("latin-1")
        if not self._origins.allow(asked, secure=scope["scheme"] in ("https", "wss")):
            return Refused(HTTPStatus.FORBIDDEN, "AUTH-002")
        if "j" in query:
            # An answer that is a script could be read by any page: scripts have no origin.
            return Refused(HTTPStatus.BAD_REQUEST, "WS-001")
        if scope["type"] == "http" and scope["method"] == "POST":
            length = headers.get(b"content-length", b"")
            if not length.isdigit() or int(length) > self._front.limits.poll_bytes:
                return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "WS-004")
        if eio_sid is None:
            if self._front.shutting_down:
                return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "SYS-002")
            client = scope.get("client")
            if self._front.full(client[0] if client else ""):
                return Refused(HTTPStatus.TOO_MANY_REQUESTS, "WS-008")
        return None


async def _refuse(scope: Scope, send: Send, refused: Refused) -> None:
    body = msgspec.json.encode({"code": refused.code, "message": ERROR_CODES[refused.code]})
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": f"{kind}.start", "status": refused.status.value, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})
