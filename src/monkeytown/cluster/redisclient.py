"""One Redis or Redis Cluster, asked with a deadline: commands in, replies out, or `DirectoryDown`.

Knows the redis library, connections, deadlines and what errors mean to an operator; no key and no rule. The library is an
extra, which is looked for only when it is asked for.

Whoever waits is told after `ANSWER_SECONDS`, whatever the library is doing: it may connect again and repeat what failed, but
only within that time. A connection that is given up while a reply is due is closed, so no reply is ever taken for another's.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import structlog

from monkeytown.cluster.directory import DirectoryDown
from monkeytown.cluster.redisaddress import no_address, place_of, words
from monkeytown.cluster.redisscripts import SOURCES
from monkeytown.errors import StartError

__all__ = ["ANSWER_SECONDS", "Command", "RedisClient"]

ANSWER_SECONDS = 0.9
NODE_SECONDS = 0.4
"""How long one node of a cluster may take, so that another can still be asked where its slots are now."""
CALM_SECONDS = 2.0
"""Trouble is over when something works so long after the last failure: of a cluster, a part may fail."""
CONNECTIONS = 8
"""To each server. More would wait for one another there anyway."""
TOGETHER = 25
"""How many commands are sent at once. Each takes the event loop about 15 µs, in which no room ticks."""
OLDEST = 7
NO_REDIS = f"older than Redis {OLDEST}, or no Redis"
Command = tuple[Any, ...]
"""A name, as of one word, and its arguments; EVALSHA with a hash out of `SOURCES`."""

log = structlog.get_logger()


class RedisClient:
    """Whatever is at `url`. Raises `StartError` for an address of another form, which is not repeated."""

    def __init__(self, url: str) -> None:
        self.place = place_of(url)
        self.trouble = ""
        """Empty while it works, else one line for operators."""
        self._url = url
        self._client: Any = None
        self._is_cluster = False
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._failed_at = 0.0
        self._finding: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises `StartError` if it cannot be reached, lets nobody in, or is older than Redis 7."""
        try:
            import redis.asyncio
        except ModuleNotFoundError as error:
            raise StartError("redis:// needs redis-py: pip install 'monkeytown[redis]'") from error
        try:
            self._client = self._single(redis.asyncio)
        except Exception:  # not why: the library may repeat what it cannot read
            raise no_address() from None
        try:
            await self._look(await self._greet(), redis.asyncio)
        except DirectoryDown as error:
            await self.close()
            raise StartError(str(error)) from error
        except BaseException:
            await self.close()
            raise

    async def _greet(self) -> Any:
        """What it says of itself. Every user may ask for that, once the password was right."""
        from redis.exceptions import InvalidResponse, ResponseError

        try:
            (hello,) = await self.ask(("HELLO",))
        except DirectoryDown as error:
            cause = error.__cause__
            if isinstance(cause, InvalidResponse) or (
                type(cause) is ResponseError and "unknown command" in str(cause)
            ):
                raise StartError(f"{self.place} is {NO_REDIS}") from error
            raise
        return hello

    async def _look(self, hello: Any, library: Any) -> None:
        try:
            about = dict(zip(hello[::2], hello[1::2], strict=True))
            version = about[b"version"].decode()
            major = int(version.partition(".")[0])
        except (TypeError, ValueError, KeyError, AttributeError):
            raise StartError(f"{self.place} is {NO_REDIS}") from None
        if major < OLDEST:
            raise StartError(f"{self.place} is Redis {version}; {OLDEST}.0 or newer is needed")
        if about.get(b"mode") == b"cluster":
            await self._hang_up()
            try:
                self._client = self._cluster(library)
            except Exception as error:
                raise StartError(f"{self.place} is a cluster: {words(error)}") from error
            self._is_cluster = True

    async def close(self) -> None:
        if self._finding is not None:
            self._finding.cancel()
            await asyncio.wait({self._finding})
        await self._hang_up()

    async def _hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                async with asyncio.timeout(ANSWER_SECONDS):
                    await client.aclose()

    async def ask(self, *commands: Command) -> list[Any]:
        """The replies to commands, each of which is a step of its own. Raises `DirectoryDown`."""
        if not commands:
            return []
        if self._client is None:
            raise DirectoryDown(f"{self.place} is not open")
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._slots:
                replies = []
                for start in range(0, len(commands), TOGETHER):
                    replies += await self._send_known(commands[start : start + TOGETHER])
        except TimeoutError as error:
            raise self._failed(f"{self.place} did not answer within {ANSWER_SECONDS:g} s") from error
        except Exception as error:
            raise self._failed(self._explained(error)) from error
        for reply in replies:
            if isinstance(reply, Exception):
                raise self._failed(self._explained(reply)) from reply
        self._worked()
        return replies

    async def _send(self, commands: tuple[Command, ...] | list[Command]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies

    async def _send_known(self, commands: tuple[Command, ...]) -> list[Any]:
        """The same with scripts that Redis knows: it forgets them when it starts again, and each node has its own."""
        from redis.exceptions import NoScriptError

        replies = await self._send(commands)
        unknown = [number for number, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            again = [("EVAL", SOURCES[commands[number][1]], *commands[number][2:]) for number in unknown]
            for number, reply in zip(unknown, await self._send(again), strict=True):
                replies[number] = reply
        return replies

    # ---- trouble ----

    def _failed(self, trouble: str) -> DirectoryDown:
        self._failed_at = time.monotonic()
        if not self.trouble:
            log.error("redis does not do what it is asked to", trouble=trouble)
        self.trouble = trouble
        if self._is_cluster and (self._finding is None or self._finding.done()):
            self._finding = asyncio.create_task(self._find_nodes())
        return DirectoryDown(trouble)

    def _worked(self) -> None:
        if self.trouble and time.monotonic() - self._failed_at >= CALM_SECONDS:
            self.trouble = ""
            log.info("redis works again", place=self.place)

    async def _find_nodes(self) -> None:
        """Asks where the slots are now: the library does so if a node refuses a connection, not if it is silent."""
        with suppress(Exception):
            async with asyncio.timeout(CALM_SECONDS):
                await self._client.nodes_manager.initialize()

    def _explained(self, error: Exception) -> str:
        from redis import exceptions

        while isinstance(error, exceptions.RedisClusterException):  # about a cluster; why, it tells only so
            inner = error.__cause__ or error.__context__
            if not isinstance(inner, Exception):
                break
            error = inner
        if isinstance(error, exceptions.OutOfMemoryError) or "OOM command not allowed" in str(error):
            return f"{self.place} is out of memory (maxmemory is reached, and it may evict nothing)"
        if isinstance(error, exceptions.TimeoutError):
            return f"{self.place} did not answer in time"
        if isinstance(
            error, exceptions.AuthenticationError | exceptions.AuthenticationWrongNumberOfArgsError
        ):
            return f"{self.place} refuses the user or the password: {words(error)}"
        if isinstance(error, exceptions.NoPermissionError):
            return f"{self.place} refuses permission: {words(error)}"
        if isinstance(error, exceptions.ReadOnlyError):
            return f"{self.place} is a replica, which takes no writes"
        return f"{self.place}: {words(error)}"

    # ---- clients of the library ----

    def _single(self, library: Any) -> Any:
        return library.Redis.from_url(self._url, socket_timeout=ANSWER_SECONDS, **self._options())

    def _cluster(self, library: Any) -> Any:
        return library.RedisCluster.from_url(self._url, socket_timeout=NODE_SECONDS, **self._options())

    def _options(self) -> dict[str, Any]:
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError as LostConnection

        return {
            # One more try, over a new connection: Redis may have been started again since the last command.
            "retry": Retry(NoBackoff(), 1, supported_errors=(LostConnection,)),
            "socket_connect_timeout": NODE_SECONDS,
            "max_connections": CONNECTIONS + 2,  # one that is given up is counted until it is closed
            # Nothing is said at connecting that a user of few rights may not say, and nothing that costs a round trip.
            "protocol": 2,
            "driver_info": None,
        }
