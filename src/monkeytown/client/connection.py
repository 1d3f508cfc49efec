"""A player's connection that repairs itself: after a loss it comes back and goes on, or joins its room again.

Knows the order of messages and when to try again. It must not know sockets (that is `link`), what outlives them (that is
`session`), what a frame holds (that is `mirror`) or what a game means by its events (that is for listeners).
"""

from __future__ import annotations

import asyncio
import time
from random import Random
from types import TracebackType
from typing import Any, Literal, Self

from monkeytown.client import messages
from monkeytown.client.backoff import delays
from monkeytown.client.events import ConnectionLost, Emitter, Reconnected, Reconnecting
from monkeytown.client.link import GOING_AWAY, NORMAL_CLOSE, Closed, Link, socket_url
from monkeytown.client.mirror import Mirror
from monkeytown.client.room import MirrorSource, Room, Voice
from monkeytown.client.session import Place, Session
from monkeytown.client.tokens import Token, TokenSource
from monkeytown.errors import Refusal
from monkeytown.protocol.messages import (
    Error,
    HeartbeatReply,
    Hello,
    JoinGame,
    LeaveGame,
    Schema,
    Welcome,
)

__all__ = ["Client", "connect"]

ACK_INTERVAL = 0.18  # the wire asks for five a second
ANSWER_TIMEOUT = 10.0
PING_SMOOTHING = 0.2
UNKNOWN_ROOM = "GAME-001"
UNKNOWN_SESSION = "AUTH-003"
TOKEN_EXPIRED = "AUTH-004"


async def connect(
    url: str = "ws://127.0.0.1:8000/ws",
    *,
    name: str | None = None,
    token: Token = None,
    random: Random | None = None,
    mirrors: MirrorSource = Mirror,
) -> Client:
    """Connect, say hello, and return once the server has answered. Raises ConnectionLost or Refusal.

    `token` is one, or what gets one: that is called for each connection, and when the server wants another.

    `http:` addresses become `ws:`; an address without a path gets `/ws`. `random` draws the delays of coming back.
    `mirrors` makes the tables of a room from its schema; bots share them.
    """
    client = Client(socket_url(url), name, token, random or Random(), mirrors)
    await client.open()
    return client


class Client(Emitter):
    """One player's connection. Made by `connect`; `async with` closes it.

    Events: `error` (Refusal), `reconnecting`, `reconnected`, `close` (Closed).
    """

    def __init__(
        self, url: str, name: str | None, token: Token, random: Random, mirrors: MirrorSource
    ) -> None:
        super().__init__()
        self.url = url
        self.id = ""
        self.name = name or ""
        self.server = ""
        self.state: Literal["open", "reconnecting", "closed"] = "reconnecting"
        self.room: Room | None = None
        self.ping = 0.0
        """Round trip of the last heartbeats, smoothed, in seconds; 0 until the first is answered."""
        self._clock_offset = 0.0
        self._session = Session(Hello(name))
        self._tokens = TokenSource(token)
        self._renewal: asyncio.Task[None] | None = None
        self._random = random
        self._mirrors = mirrors
        self._link: Link | None = None
        self._reader: asyncio.Task[Closed] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._answer: asyncio.Future[Any] | None = None
        self._asked: Literal["", "welcome", "state", "join"] = ""
        # That this session is in `room`: a schema after that shows it in another way.
        self._described = False
        # That a schema comes of a room that was left while the server could not hear it.
        self._unwanted = False
        # That the server has the player where the player believes to be.
        self._speaking = False
        self._resumed: str | None = None
        self._recovered = True
        self._lost = 0
        self._acknowledged_at = 0.0

    # ---- what a player does ----

    async def open(self) -> None:
        """Make the first connection; later ones are made by the client itself."""
        try:
            await self._establish()
        except BaseException:
            await self._hang_up(NORMAL_CLOSE)
            raise
        self.state = "open"
        self._keeper = asyncio.create_task(self._keep())

    async def join(self, game_id: str) -> Room:
        """Join a room: of a game by its name, or a particular one by its id. Raises Refusal or ConnectionLost.

        Returns when the room's schema and first state are in.
        """
        if self.room is not None and self.room.open:
            raise Refusal("", "GAME-004")
        if self.state != "open":
            raise ConnectionLost(f"there is no connection to {self.url}")
        self.room = None
        try:
            return await self._join(game_id)
        except (ConnectionLost, asyncio.CancelledError):
            # The server may have heard it all the same. If it cannot hear this, it is told when one is back.
            self.room = None
            self._say(messages.encode(LeaveGame()))
            raise

    async def close(self) -> None:
        """Leave for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        await self._hang_up(NORMAL_CLOSE)
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
        """A fresh connection, up to the server's welcome; if the room goes on with a snapshot, up to that."""
        self._speaking = self._unwanted = False
        self._acknowledged_at = 0.0
        token = await self._tokens.another()
        self._link = await Link.dial(self.url)
        self._reader = asyncio.create_task(self._link.read(self._receive))
        await self._ask("welcome", messages.encode(self._session.hello(self._place(), token)))

    async def _renew(self) -> None:
        """Shows the server another token. If there is none in time the connection ends, and the next one asks again."""
        self._send(messages.encode(Hello(token=await self._tokens.another())))

    def _place(self) -> Place | None:
        """Where a delta could go on from."""
        room = self._open_room
        if room is None or room.position is None or not (self._described and room.mirror.resumable):
            return None
        return Place(room.id, room.position)

    @property
    def _open_room(self) -> Room | None:
        return self.room if self.room is not None and self.room.open else None

    async def _keep(self) -> None:
        """Come back after each loss, until the server says not to."""
        while self._reader is not None:
            ended = await self._reader
            if self._tokens.may_return(ended.code):
                self.state = "reconnecting"
                ended = await self._come_back(ended)
            if not self._tokens.may_return(ended.code):
                self._finish(ended)
                return

    async def _come_back(self, ended: Closed) -> Closed:
        """Try until it works or the server says not to; returns how the last connection that failed ended."""
        self._recovered, self._lost = True, 0
        before = None if self.room is None else (self.room.id, self.room.schema["hash"])
        for attempt, delay in enumerate(delays(self._random), 1):
            self._tell("reconnecting", Reconnecting(attempt, delay, ended.code, ended.reason))
            await asyncio.sleep(delay)
            try:
                await self._establish()
                await self._take_place()
            except (ConnectionLost, Refusal):
                ended = await self._hang_up(GOING_AWAY) or ended
                if self._tokens.may_return(ended.code):
                    continue
            else:
                self.state = "open"
                self._tell("reconnected", self._reconnected(before))
            break
        return ended

    async def _take_place(self) -> None:
        """On a fresh connection, join again unless the server has kept the seat."""
        room = self._open_room
        if room is None or self._speaking:
            return
        try:
            joined = await self._join(room.id)
        except Refusal as refusal:
            if refusal.code != UNKNOWN_ROOM:
                raise
            joined = await self._join(room.game)
        if not room.open:
            joined.leave()  # the player has left while it was joined

    def _reconnected(self, before: tuple[str, int] | None) -> Reconnected:
        room = self.room
        if room is None or before is None:
            return Reconnected(True, True, self._resumed, self._recovered, self._lost)
        same_room, same_schema = room.id == before[0], room.schema["hash"] == before[1]
        return Reconnected(same_room, same_schema, self._resumed, self._recovered, self._lost)

    async def _hang_up(self, code: int) -> Closed | None:
        """Close what is open; says how it ended, if there was anything."""
        if self._link is None or self._reader is None:
            return None
        await self._link.close(code)
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
        self._described = False
        room: Room = await self._ask("join", messages.encode(JoinGame(game_id)))
        return room

    async def _ask(self, asked: Literal["welcome", "join"], question: bytes) -> Any:
        """Send a question and wait for its answer, for as long as there is a connection that could bring it."""
        if self._reader is None or not self._send(question):
            raise ConnectionLost(f"there is no connection to {self.url}")
        answer = asyncio.get_running_loop().create_future()
        self._answer, self._asked = answer, asked
        waiting: set[asyncio.Future[Any]] = {answer, self._reader}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=ANSWER_TIMEOUT)
        finally:
            self._answer, self._asked = None, ""
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

    def _say(self, message: bytes) -> bool:
        """What a player does, if the server would take it as meant."""
        return self._speaking and self._send(message)

    def _say_surely(self, message: bytes) -> bool:
        numbered = None if self.state == "closed" else self._session.outbox.add(message)
        if numbered is None:
            return False
        self._say(numbered)  # if that is not possible now, it goes out with all that waits
        return True

    def _begin_to_speak(self) -> None:
        self._speaking = True
        for message in self._session.outbox:
            self._say(message)

    def _receive(self, message: messages.Message) -> None:
        payload = message.payload
        self._session.number = message.number or self._session.number
        if isinstance(payload, Welcome):
            self._receive_welcome(payload)
        elif isinstance(payload, HeartbeatReply):
            self._receive_heartbeat(payload)
        elif isinstance(payload, Schema):
            self._receive_schema(payload)
        elif isinstance(payload, Error):
            self._receive_error(payload)
        elif (room := self._open_room) is not None:
            self._receive_in(room, message)
        if self._asked == "state" and self._open_room is None:
            self._settle()  # the player has left, and its state will not come

    def _receive_welcome(self, welcome: Welcome) -> None:
        if self._renewal is not None and self._asked != "welcome":
            self._renewal = None
            self._session.renew(welcome)
            return
        told = self._session.take(welcome)
        self.id, self.name, self.server = welcome.player_id, welcome.name, welcome.server
        self._resumed = told.resumed
        self._recovered = self._recovered and told.recovered
        self._lost += told.lost
        room = self._open_room
        if room is None or told.seated:
            self._begin_to_speak()
        if room is not None and told.seated:
            if not self._described:
                room.enter()  # joined before the connection was lost, and nothing had come of it yet
            elif not told.recovered:
                room.players.clear()
        self._described = room is not None and told.seated
        if room is None and told.seated:
            self._unwanted = told.awaits_state
            self._say(messages.encode(LeaveGame()))
        if room is not None and told.awaits_state:
            self._asked = "state"
        else:
            self._settle()

    def _receive_in(self, room: Room, message: messages.Message) -> None:
        first = room.position is None
        room.receive(message)
        if first and room.position is not None:
            self._acknowledge(room)
            if not self._speaking:
                self._begin_to_speak()
            self._settle(room)
        elif time.monotonic() - self._acknowledged_at >= ACK_INTERVAL:
            self._acknowledge(room)

    def _receive_schema(self, schema: Schema) -> None:
        if self._unwanted:
            self._unwanted = False
            return
        room = self._open_room
        if room is not None and self._described:
            room.look_anew(schema)
        elif room is not None:
            room.load(schema)
        elif self._asked == "join":
            self.room = Room(schema, Voice(self._say, self._say_surely), self._mirrors)
        else:
            return  # nobody waits for it any more
        self._described = True

    def _receive_error(self, error: Error) -> None:
        if error.code == UNKNOWN_SESSION:
            return  # the welcome has said so, and that is not held against an honest client
        if error.code == TOKEN_EXPIRED and self._tokens.has_others and self._asked != "welcome":
            self._renewal = asyncio.create_task(self._renew())
            return
        refusal = Refusal(error.message, error.code)
        if self._asked in ("welcome", "join"):
            self._settle(error=refusal)
        self._tell("error", refusal)

    def _receive_heartbeat(self, reply: HeartbeatReply) -> None:
        self._session.outbox.received(reply.received)
        round_trip = max(0.0, time.time() - reply.timestamp / 1000)
        self.ping += (PING_SMOOTHING if self.ping else 1.0) * (round_trip - self.ping)
        self._clock_offset = reply.server_time / 1000 + round_trip / 2 - time.time()

    def _acknowledge(self, room: Room) -> None:
        if room.position is not None:
            self._acknowledged_at = time.monotonic()
            self._send(messages.encode_ack(*room.position, self._session.number))

    def _tell(self, event: str, data: Any) -> None:
        self.emit(event, data)
        if self.room is not None:
            self.room.emit(event, data)
