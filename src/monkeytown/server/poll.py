"""`POST /poll`: HTTP around the long-poll front.

Knows ASGI, headers and origins; not what the body holds. Only requests of a type that a page of another origin cannot send
without a preflight are taken, and nothing secret stands in an address.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.datastructures import Headers

from monkeytown.errors import ERROR_CODES
from monkeytown.readers.handshake import Origins, Refused
from monkeytown.readers.longpoll import Polls

__all__ = ["PollEndpoint"]

CONTENT_TYPE = b"application/octet-stream"
PREFLIGHT_SECONDS = 600


class PollEndpoint:
    """Answers requests for its path, and leaves all others to the application. It is the one path that is asked for often: no
    routing, no request objects."""

    def __init__(self, app: ASGIApp, polls: Polls, origins: Origins, *, path: str = "/poll") -> None:
        self._app = app
        self._polls = polls
        self._origins = origins
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        verdict = self._verdict(scope)
        if isinstance(verdict, Refused):
            self._polls.metrics.refused[verdict.code] += 1
            await _respond(
                send, verdict.status, _explained(verdict), [(b"content-type", b"application/json")]
            )
            return
        if scope["method"] == "OPTIONS":
            await _respond(send, HTTPStatus.NO_CONTENT, b"", verdict)
            return
        body = await self._body(receive)
        answer: bytes | Refused
        if body is None:
            answer = Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "WS-004")
        else:
            client = scope.get("client")
            answer = await self._polls.answer(body, client[0] if client else "")
        if isinstance(answer, Refused):
            headers = [*verdict, (b"content-type", b"application/json")]
            await _respond(send, answer.status, _explained(answer), headers)
        elif answer:
            await _respond(send, HTTPStatus.OK, answer, [*verdict, (b"content-type", CONTENT_TYPE)])
        else:
            await _respond(send, HTTPStatus.NO_CONTENT, b"", verdict)

    def _verdict(self, scope: Scope) -> Refused | list[tuple[bytes, bytes]]:
        """Why a request is refused, or the headers that its response carries."""
        headers: dict[bytes, bytes] = {}
        asked = Headers()
        for name, value in scope["headers"]:
            headers[name] = value
            if name in (b"origin", b"host"):
                asked[name.decode()] = value.decode("latin-1")
        if not self._origins.allow(asked, secure=scope["scheme"] == "https"):
            return Refused(HTTPStatus.FORBIDDEN, "AUTH-002")
        out = [(b"cache-control", b"no-store")]
        if b"origin" in headers:
            out += [(b"access-control-allow-origin", headers[b"origin"]), (b"vary", b"origin")]
            # A page of an origin that is allowed may read the answer, whichever headers all responses carry.
            out += [(b"cross-origin-resource-policy", b"cross-origin")]
        method = scope["method"]
        if method == "OPTIONS":
            allowed = [(b"allow-methods", b"POST"), (b"allow-headers", b"content-type")]
            out += [(b"access-control-" + name, value) for name, value in allowed]
            out += [(b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS)]
            return out
        if method != "POST":
            return Refused(HTTPStatus.METHOD_NOT_ALLOWED, "WS-003")
        content_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if content_type != CONTENT_TYPE or headers.get(b"content-encoding", b"identity") != b"identity":
            return Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "WS-003")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._polls.limits.poll_bytes:
            return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "WS-004")
        return out

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole body; None if it is too long."""
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                return b""
            part = event.get("body", b"")
            size += len(part)
            if size > self._polls.limits.poll_bytes:
                return None
            parts.append(part)
            more = event.get("more_body", False)
        return b"".join(parts)


def _explained(refused: Refused) -> bytes:
    return msgspec.json.encode({"code": refused.code, "message": ERROR_CODES[refused.code]})


async def _respond(send: Send, status: HTTPStatus, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    if status is not HTTPStatus.NO_CONTENT:
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
