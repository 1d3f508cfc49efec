"""A player's connection that repairs itself: after a loss it comes back and joins its room again.

Knows the order of messages and when to try again. It must not know sockets (that is `link`), what a frame holds (that is
`mirror`) or what a game means by its events (that is for listeners).
"""

from __future__ import annotations

import asyncio
import time
from random import Random
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from monkeytown.client import messages
from monkeytown.client.backoff import delays
from monkeytown.client.events import ConnectionLost, Emitter
from monkeytown.client.link import Closed, Link, socket_url
from monkeytown.client.mirror import Mirror
from monkeytown.client.room import MirrorSource, Room
from monkeytown.errors import Refusal
from monkeytown.protocol.close import may_return
from monkeytown.protocol.messages import Error, HeartbeatReply, Hello, JoinGame, Schema, Welcome

__all__ = ["Client", "Reconnected", "Reconnecting", "connect"]

ACK_INTERVAL = 0.18  # the wire asks for five a second
ANSWER_TIMEOUT = 10.0
PING_SMOOTHING = 0.2
NORMAL_CLOSE = 1000
UNKNOWN_ROOM = "GAME-001"


class Reconnecting(NamedTuple):
    """`attempt` counts from 1 within one loss; `delay` is in seconds; `code` ended the last connection."""

    attempt: int
    delay: float
    code: int
    reason: str


class Reconnected(NamedTuple):
    """False where the old room was gone and another of the same game was joined, or where its schema is another one."""

    same_room: bool
    same_schema: bool


async def connect(
    url: str = "ws://127.0.0.1:8000/ws",
    *,
    name: str | None = None,
    token: str | None = None,
    random: Random | None = None,
    mirrors: MirrorSource = Mirror,
) -> Client:
    """Connect, say hello, and return once the server has answered. Raises ConnectionLost or Refusal.

    `http:` addresses become `ws:`; an address without a path gets `/ws`. `random` draws the delays of coming back.
    `mirrors` makes the tables of a room from its schema; bots share them.
    """
    client = Client(socket_url(url), Hello(name, token), random or Random(), mirrors)
    await client.open()
    return client


class Client(Emitter):
    """One player's connection. Made by `connect`; `async with` closes it.

    Events: `error` (Refusal), `reconnecting`, `reconnected`, `close` (Closed).
    """

    def __init__(self, url: str, hello: Hello, random: Random, mirrors: MirrorSource) -> None:
        super().__init__()
        self.url = url
        self.id = ""
        self.name = hello.name or ""
        self.server = ""
        self.state: Literal["open", "reconnecting", "closed"] = "reconnecting"
        self.room: Room | None = None
        self.ping = 0.0
        """Round trip of the last heartbeats, smoothed, in seconds; 0 until the first is answered."""
        self._clock_offset = 0.0
        self._hello = hello
        self._random = random
        self._mirrors = mirrors
        self._link: Link | None = None
        self._reader: asyncio.Task[Closed] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._answer: asyncio.Future[Any] | None = None
        self._joining = False
        self._described = False  # the room that was joined; a schema after that shows it in another way
        self._number = 0
        self._acknowledged_at = 0.0

    # ---- what a player does ----

    async def open(self) -> None:
        """Make the first connection; later ones are made by the client itself."""
        try:
            await self._establish()
        except BaseException:
            await self._hang_up()
            raise
        self.state = "open"
        self._keeper = asyncio.create_task(self._keep())

    async def join(self, game_id: str) -> Room:
        """Join a room: of a game by its name, or a particular one by its id. Raises Refusal or ConnectionLost.

        Returns when the room's schema and first state are in.
        """
        if self.room is not None and self.room.open:
            raise Refusal("", "GAME-004")
        self.room = None
        return await self._join(game_id)

    async def close(self) -> None:
        """Leave for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        await self._hang_up()
        self._finish(Closed(NORMAL_CLOSE, ""))

    @property
    def server_time(self) -> float:
        """The server's clock now, in seconds since 1970, as far as heartbeats tell."""
        return time.time() + self._clock_offset

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ---- coming and coming back ----

    async def _establish(self) -> None:
        """A fresh connection, up to the server's welcome."""
        self._link = await Link.dial(self.url)
        self._number = 0
        self._reader = asyncio.create_task(self._link.read(self._receive))
        await self._ask(messages.encode(self._hello))

    async def _keep(self) -> None:
        """Come back after each loss, until the server says not to."""
        while self._reader is not None:
            lost = await self._reader
            if may_return(lost.code):
                self.state = "reconnecting"
                lost = await self._come_back(lost)
            if not may_return(lost.code):
                self._finish(lost)
                return

    async def _come_back(self, lost: Closed) -> Closed:
        """Try until it works or the server says not to; returns how the last connection that failed ended."""
        for attempt, delay in enumerate(delays(self._random), 1):
            self._tell("reconnecting", Reconnecting(attempt, delay, lost.code, lost.reason))
            await asyncio.sleep(delay)
            try:
                await self._establish()
                reconnected = await self._resume()
            except (ConnectionLost, Refusal):
                lost = await self._hang_up() or lost
                if may_return(lost.code):
                    continue
            else:
                self.state = "open"
                self._tell("reconnected", reconnected)
            break
        return lost

    async def _resume(self) -> Reconnected:
        """On a fresh connection, be where one was."""
        room = self.room
        if room is None or not room.open:
            return Reconnected(True, True)
        id_, game, hash_ = room.id, room.game, room.schema["hash"]
        try:
            await self._join(id_)
        except Refusal as refusal:
            if refusal.code != UNKNOWN_ROOM:
                raise
            await self._join(game)
        return Reconnected(room.id == id_, room.schema["hash"] == hash_)

    async def _hang_up(self) -> Closed | None:
        """Close what is open; says how it ended, if there was anything."""
        if self._link is None or self._reader is None:
            return None
        await self._link.close()
        await asyncio.wait({self._reader})
        closed = None if self._reader.cancelled() else self._reader.result()
        self._link = self._reader = None
        return closed

    def _finish(self, closed: Closed) -> None:
        if self.state == "closed":
            return
        self.state = "closed"
        self._tell("close", closed)
        if self.room is not None:
            self.room.open = False

    # ---- questions and answers ----

    async def _join(self, game_id: str) -> Room:
        self._joining, self._described = True, False
        try:
            room: Room = await self._ask(messages.encode(JoinGame(game_id)))
        finally:
            self._joining = False
        return room

    async def _ask(self, question: bytes) -> Any:
        """Send a question and wait for its answer, for as long as there is a connection that could bring it."""
        if self._reader is None or not self._send(question):
            raise ConnectionLost(f"there is no connection to {self.url}")
        answer = self._answer = asyncio.get_running_loop().create_future()
        waiting: set[asyncio.Future[Any]] = {answer, self._reader}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=ANSWER_TIMEOUT)
        self._answer = None
        if answer.done():
            return answer.result()
        ended = self._reader.result() if self._reader.done() else "in time"
        raise ConnectionLost(f"{self.url} did not answer: {ended}")

    def _settle(self, result: Any = None, error: Exception | None = None) -> None:
        if self._answer is None or self._answer.done():
            return
        if error is not None:
            self._answer.set_exception(error)
        else:
            self._answer.set_result(result)

    # ---- what goes out and comes in ----

    def _send(self, data: bytes) -> bool:
        return self._link is not None and self._link.send(data)

    def _receive(self, message: messages.Message) -> None:
        payload = message.payload
        self._number = message.number or self._number
        if isinstance(payload, Welcome):
            self.id, self.name, self.server = payload.player_id, payload.name, payload.server
            if not self._joining:
                self._settle()
        elif isinstance(payload, HeartbeatReply):
            self._receive_heartbeat(payload)
        elif isinstance(payload, Schema):
            self._receive_schema(payload)
        elif isinstance(payload, Error):
            self._receive_error(payload)
        elif self.room is not None and self.room.open:
            self._receive_in(self.room, message)

    def _receive_in(self, room: Room, message: messages.Message) -> None:
        first = room.position is None
        room.receive(message)
        if first and room.position is not None:
            self._acknowledge(room)
            self._settle(room)
        elif time.monotonic() - self._acknowledged_at >= ACK_INTERVAL:
            self._acknowledge(room)

    def _receive_schema(self, schema: Schema) -> None:
        if self.room is None or not self.room.open:
            self.room = Room(schema, self._send, self._mirrors)
        elif self._described:
            self.room.look_anew(schema)
        else:
            self.room.load(schema)
        self._described = True

    def _receive_error(self, error: Error) -> None:
        refusal = Refusal(error.message, error.code)
        self._settle(error=refusal)
        self._tell("error", refusal)

    def _receive_heartbeat(self, reply: HeartbeatReply) -> None:
        round_trip = max(0.0, time.time() - reply.timestamp / 1000)
        self.ping += (PING_SMOOTHING if self.ping else 1.0) * (round_trip - self.ping)
        self._clock_offset = reply.server_time / 1000 + round_trip / 2 - time.time()

    def _acknowledge(self, room: Room) -> None:
        if room.position is not None:
            self._acknowledged_at = time.monotonic()
            self._send(messages.encode_ack(*room.position, self._number))

    def _tell(self, event: str, data: Any) -> None:
        self.emit(event, data)
        if self.room is not None:
            self.room.emit(event, data)
