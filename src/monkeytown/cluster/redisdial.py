"""Connections to Redis for the bus: where an address leads, what is there, and what an error means to an operator.

Knows the redis library, which is an extra and is looked for only when it is needed; no channel.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from monkeytown.cluster.redisaddress import host_of, no_address, place_of, words
from monkeytown.errors import StartError

__all__ = ["Dial", "Node", "Trouble", "drop"]

CONNECT_SECONDS = 1.0
"""For a connection with all that is said before it can be used."""
OLDEST = 7
SLOTS = 16384
_SECRETLY_WRONG = ("WRONGPASS", "NOAUTH", "invalid password", "invalid username-password")


class Node(NamedTuple):
    """A server of a cluster; the address itself if the host is empty."""

    host: str = ""
    port: int = 0


class Trouble(NamedTuple):
    """What an error means: one line, and whether it will not go away by itself."""

    line: str
    is_refusal: bool = False


class Dial:
    """Makes connections to whatever is at `url`, under a name that the server lists. Raises `StartError` for an address of
    another form, which is not repeated, and without the library."""

    def __init__(self, url: str, name: str) -> None:
        self.place = place_of(url)
        self._name = name
        try:
            from redis.asyncio import connection
        except ModuleNotFoundError as error:
            raise StartError("redis:// needs redis-py: pip install 'monkeytown[redis]'") from error
        try:
            options: dict[str, Any] = dict(connection.parse_url(url))
            # Every wait for a connection is bounded where it is used, so the library needs no timeouts of its own; and it
            # tries nothing again, as what was published may not be published twice.
            options |= {"socket_timeout": None, "socket_connect_timeout": CONNECT_SECONDS, "protocol": 2}
            self._kind = options.pop("connection_class", connection.Connection)
            self._options = options
            self._kind(**options)
        except Exception:  # not why: the library may repeat what it cannot read
            raise no_address() from None

    def place_of(self, node: Node) -> str:
        """As an operator knows it."""
        scheme = self.place.partition("://")[0]
        return f"{scheme}://{host_of(node.host)}:{node.port}" if node.host else self.place

    async def connect(self, node: Node = Node()) -> Any:  # noqa: B008 - immutable
        """A connection that is ready. Raises what the library raises, or `TimeoutError`."""
        options = self._options
        if node.host:
            options = {**options, "host": node.host, "port": node.port, "db": 0}
        connection = self._kind(**options)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await connection.connect()
                await self._introduce(connection)
        except BaseException:
            await drop(connection)
            raise
        return connection

    async def _introduce(self, connection: Any) -> None:
        from redis.exceptions import ResponseError

        await connection.send_command("CLIENT", "SETNAME", self._name)
        with suppress(ResponseError):  # a user may lack that right, and it is needed for nothing
            await connection.read_response()

    async def look(self) -> bool:
        """Whether it is a cluster. Raises `StartError` if it cannot be reached, lets nobody in, or is too old."""
        from redis.exceptions import ResponseError

        try:
            async with asyncio.timeout(2 * CONNECT_SECONDS):
                connection = await self.connect()
                try:
                    # Unlike INFO, it may be asked by every user.
                    await connection.send_command("HELLO")
                    hello = await connection.read_response()
                finally:
                    await drop(connection)
        except ResponseError as error:
            if "unknown command" in str(error):
                raise StartError(f"{self.place} is older than Redis {OLDEST}, or no Redis") from error
            raise StartError(self.explain(error).line) from error
        except Exception as error:
            raise StartError(self.explain(error).line) from error
        return self._judge(hello)

    def _judge(self, hello: Any) -> bool:
        try:
            about = dict(zip(hello[::2], hello[1::2], strict=True))
            version = about[b"version"].decode()
            major = int(version.partition(".")[0])
        except (TypeError, ValueError, KeyError, AttributeError):
            raise StartError(f"{self.place} is older than Redis {OLDEST}, or no Redis") from None
        if major < OLDEST:
            raise StartError(f"{self.place} is Redis {version}; {OLDEST}.0 or newer is needed")
        if about.get(b"mode") == b"sentinel":
            raise StartError(f"{self.place} is a Sentinel; the address of the Redis behind it is needed")
        return about.get(b"mode") == b"cluster"

    async def slots(self, node: Node) -> tuple[list[Node | None], set[Node]]:
        """Which node of the cluster serves each slot, as this one sees it, and all that could. Raises as `connect` does."""
        connection = await self.connect(node)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await connection.send_command("CLUSTER", "SLOTS")
                reply = await connection.read_response()
        finally:
            await drop(connection)
        asked = node.host or self._options.get("host", "localhost")
        owners: list[Node | None] = [None] * SLOTS
        known: set[Node] = set()
        for first, last, *servers in reply:
            # A node that does not know its own name is the one that was asked.
            nodes = [Node((name or b"").decode() or asked, int(port)) for name, port, *_ in servers]
            owners[first : last + 1] = nodes[:1] * (last + 1 - first)
            known.update(nodes)
        return owners, known

    def explain(self, error: BaseException, node: Node = Node()) -> Trouble:  # noqa: B008 - immutable
        """What to tell an operator."""
        from redis import exceptions

        place = self.place_of(node)
        causes = list(_causes(error))
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return Trouble(f"{place}: its certificate is not trusted: {cause.verify_message}", True)
            if isinstance(cause, ssl.SSLError):
                return Trouble(f"{place}: TLS failed: {cause.reason or words(cause)}", True)
        if isinstance(error, exceptions.NoPermissionError) or str(error).startswith("NOPERM"):
            return Trouble(f"{place} refuses permission: {words(error)}", True)
        if isinstance(error, exceptions.AuthenticationError) or any(
            said in str(error) for said in _SECRETLY_WRONG
        ):
            return Trouble(f"{place} refuses the user or the password: {words(error)}", True)
        if isinstance(error, exceptions.InvalidResponse):
            return Trouble(f"{place} is no Redis", True)
        if isinstance(error, TimeoutError | exceptions.TimeoutError):
            return Trouble(f"{place} does not answer")
        for cause in causes:
            if isinstance(cause, OSError):
                reason = cause.strerror or words(cause)
                return Trouble(f"{place} cannot be reached: {reason}")
        return Trouble(f"{place}: {words(error)}")


async def drop(connection: Any) -> None:
    """Ends a connection at once, also if the server takes nothing any more: not even what was sent may keep it open."""
    writer = getattr(connection, "_writer", None)
    if writer is not None:
        writer.transport.abort()
    with suppress(Exception):
        await connection.disconnect(nowait=True)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
