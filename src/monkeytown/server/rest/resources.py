"""HTTP around the endpoints of one path: origins, methods, tokens, rates, bodies, entity tags.

Knows ASGI and headers; not what endpoints do. The order of the checks is that of what they cost: whoever may not ask is told
so before anything is read.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import structlog
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose
from websockets.datastructures import Headers, MultipleValuesError

from monkeytown.errors import RecordRefused, Refusal, StoreDown
from monkeytown.identity import Identity
from monkeytown.readers.handshake import Origins
from monkeytown.server.auth import Auth
from monkeytown.server.rest.answers import (
    Reply,
    TooMany,
    encode,
    entity_tag,
    explained,
    matches,
    status_of,
)
from monkeytown.server.rest.endpoints import Access, Call, Endpoint, read_body, read_path, read_query
from monkeytown.server.rest.quotas import Quotas

__all__ = ["CONFIRMATION", "Desk", "Resource"]

log = structlog.get_logger()

MOST_BODY = 16 * 1024
PREFLIGHT_SECONDS = 600
STORE_SECONDS = 5
"""After which whoever heard that the store cannot be reached may try again."""
CONFIRMATION = "erase"

Header = tuple[bytes, bytes]

_ALLOWED = b"authorization, confirm, content-type, if-none-match"
_EXPOSED = b"etag, location, retry-after, www-authenticate"
_JSON = (b"content-type", b"application/json")
_NO_STORE = (b"cache-control", b"no-store")


class Desk:
    """What all resources share. `admin_token`: None, if nobody is the server's administrator."""

    def __init__(
        self,
        auth: Auth,
        origins: Origins,
        quotas: Quotas,
        *,
        has_store: bool,
        admin_token: bytes | None = None,
        root: str = "",
    ) -> None:
        self.auth = auth
        self.origins = origins
        self.quotas = quotas
        self.has_store = has_store
        self.admin_token = admin_token
        self.root = root
        """Where the API stands: what the paths of resources begin with."""


class Resource:
    """The endpoints of one path. Without any it is what is answered for paths that there are not."""

    def __init__(self, desk: Desk, endpoints: Sequence[Endpoint] = ()) -> None:
        self._desk = desk
        self._endpoints = {endpoint.method: endpoint for endpoint in endpoints}
        methods = [*self._endpoints, "OPTIONS"]
        if "GET" in methods:
            methods.insert(1, "HEAD")
        self._methods = ", ".join(methods).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await WebSocketClose()(scope, receive, send)
            return
        headers = Headers()
        for name, value in scope["headers"]:
            headers[name.decode("latin-1")] = value.decode("latin-1")
        answered: list[Header] = []
        if not self._desk.origins.allow(headers, secure=scope["scheme"] == "https"):
            await _refuse(send, Refusal(code="AUTH-002"), answered)
            return
        if "Origin" in headers:
            # A page of an origin that is allowed may read the answer, whichever headers all responses carry.
            answered += [(b"access-control-allow-origin", headers["Origin"].encode("latin-1"))]
            answered += [(b"access-control-expose-headers", _EXPOSED)]
            answered += [(b"cross-origin-resource-policy", b"cross-origin")]
        answered.append((b"vary", b"origin, authorization"))
        try:
            await self._answer(scope, receive, send, headers, answered)
        except Refusal as refusal:
            await _refuse(send, refusal, answered)
        except MultipleValuesError:
            await _refuse(send, Refusal("A header comes twice.", "REST-001"), answered)
        except StoreDown:
            await _refuse(send, Refusal(code="SYS-003"), answered)
        except RecordRefused:
            await _refuse(send, Refusal(code="REST-007"), answered)
        except Exception:
            log.exception("a request failed", method=scope["method"], path=scope["path"])
            await _refuse(send, Refusal(code="SYS-001"), answered)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, answered: list[Header]
    ) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if not self._endpoints:
            raise Refusal(code="REST-003")
        if method == "OPTIONS":
            await _respond(send, HTTPStatus.NO_CONTENT, b"", [*answered, *self._options()])
            return
        endpoint = self._endpoints.get(method)
        if endpoint is None:
            answered.append((b"allow", self._methods))
            raise Refusal(code="REST-004")
        client = scope.get("client")
        address = client[0] if client else ""
        identity = await self._admit(endpoint, headers, address)
        path: Mapping[str, str] = scope.get("path_params", {})
        read_path(path)
        asked = None
        if endpoint.asks is not None:
            if endpoint.reads_body:
                asked = read_body(await _body(receive, headers), endpoint.asks)
            else:
                asked = read_query(scope["query_string"], endpoint.asks)
        if endpoint.confirmed and headers.get("Confirm") != CONFIRMATION:
            raise Refusal(f"Confirm it: the header Confirm is {CONFIRMATION}.", "REST-001")
        if endpoint.needs_store and not self._desk.has_store:
            raise StoreDown("nothing is kept")
        reply = await endpoint.handle(Call(path, identity, address), asked)
        if endpoint.method == "GET":
            await self._show(send, scope, endpoint, reply, headers, answered)
        else:
            await self._done(send, endpoint, reply, answered)

    async def _show(
        self,
        send: Send,
        scope: Scope,
        endpoint: Endpoint,
        reply: Reply,
        headers: Headers,
        answered: list[Header],
    ) -> None:
        """What was read, unless whoever asks has it."""
        body = encode(reply.value)
        tag = entity_tag(body)
        cached = "private, no-cache"
        if endpoint.max_age is not None and "Authorization" not in headers:
            cached = f"public, max-age={endpoint.max_age}"
        answered += [(b"etag", tag.encode()), (b"cache-control", cached.encode())]
        if matches(headers.get_all("If-None-Match"), tag):
            await _respond(send, HTTPStatus.NOT_MODIFIED, b"", answered)
        else:
            await _respond(send, HTTPStatus.OK, body, [*answered, _JSON], is_head=scope["method"] == "HEAD")

    async def _done(self, send: Send, endpoint: Endpoint, reply: Reply, answered: list[Header]) -> None:
        answered.append(_NO_STORE)
        if reply.location:
            answered.append((b"location", (self._desk.root + reply.location).encode()))
        if endpoint.answers is None:
            await _respond(send, HTTPStatus.NO_CONTENT, b"", answered)
        else:
            await _respond(send, HTTPStatus(endpoint.status), encode(reply.value), [*answered, _JSON])

    async def _admit(self, endpoint: Endpoint, headers: Headers, address: str) -> Identity | None:
        """Who asks, once it is clear that they may. Raises `Refusal`."""
        quotas = self._desk.quotas
        quotas.may_try(address)
        tokens = headers.get_all("Authorization")
        if not tokens:
            quotas.address_asks(address)
            if endpoint.access is not Access.ANYONE:
                raise Refusal(code="AUTH-006")
            return None
        scheme, _, token = tokens[0].partition(" ")
        try:
            if scheme.lower() != "bearer" or len(tokens) > 1:
                raise Refusal(code="AUTH-001")
            token = token.strip()
            if endpoint.access is Access.ADMIN:
                quotas.address_asks(address)
                self._admit_admin(token)
                return None
            identity = await self._desk.auth.identify(token)
        except Refusal as refusal:
            if refusal.code == "AUTH-001":
                quotas.failed(address)
            raise
        quotas.player_asks(identity.id)
        return identity

    def _admit_admin(self, token: str) -> None:
        known = self._desk.admin_token
        if known is None or not secrets.compare_digest(token.encode("latin-1"), known):
            raise Refusal(code="AUTH-001")

    def _options(self) -> list[Header]:
        out = [(b"access-control-allow-methods", self._methods), (b"access-control-allow-headers", _ALLOWED)]
        return [*out, (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS), (b"allow", self._methods)]


async def _body(receive: Receive, headers: Headers) -> bytes:
    """The whole body. Raises `Refusal` if it is too long, or not JSON by its type."""
    length = headers.get("Content-Length", "0")
    if not length.isdecimal() or int(length) > MOST_BODY:
        raise Refusal(code="REST-006")
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            break
        part = event.get("body", b"")
        size += len(part)
        if size > MOST_BODY:
            raise Refusal(code="REST-006")
        parts.append(part)
        more = event.get("more_body", False)
    body = b"".join(parts)
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    plain = headers.get("Content-Encoding", "identity") == "identity"
    if not plain or (kind != "application/json" and (body or kind)):
        raise Refusal(code="REST-005")
    return body


async def _refuse(send: Send, refusal: Refusal, answered: list[Header]) -> None:
    status = status_of(refusal)
    answered.append(_NO_STORE)
    if isinstance(refusal, TooMany):
        answered.append((b"retry-after", b"%d" % refusal.seconds))
    elif refusal.code == "SYS-003":
        answered.append((b"retry-after", b"%d" % STORE_SECONDS))
    if status is HTTPStatus.UNAUTHORIZED:
        answered.append((b"www-authenticate", b"Bearer"))  # RFC 6750, 3
    await _respond(send, status, explained(refusal), [*answered, _JSON])


async def _respond(
    send: Send, status: HTTPStatus, body: bytes, headers: list[Header], *, is_head: bool = False
) -> None:
    if status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else body})
