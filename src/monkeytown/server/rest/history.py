"""What is kept of games: who took part, what was said, what happened, what was recorded.

Knows what is kept and who may see it: of private rooms, who took part. Everybody else hears what they would of a room that
there is not, after as many questions to the store.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta

from monkeytown.errors import Refusal
from monkeytown.runtime.host import Host
from monkeytown.server.rest.answers import Page, Reply, Shape, page, position
from monkeytown.server.rest.endpoints import (
    Call,
    Cursor,
    Endpoint,
    GameName,
    Limit,
    PlayerId,
    ReplayId,
    RoomId,
)
from monkeytown.server.rest.storing import Reach, Storing
from monkeytown.stores.known import ChatLine, KnownEvent, KnownGame, KnownReplay, Participant

__all__ = ["History"]

Whole = Annotated[int, Meta(ge=0, le=2**53)]
Time = Annotated[float, Meta(ge=0, le=1e12)]


class PageQuery(Shape):
    limit: Limit = 25
    cursor: Cursor | None = None


class ReplaysQuery(Shape):
    game: GameName | None = None
    room: RoomId | None = None
    limit: Limit = 25
    cursor: Cursor | None = None


class Participation(Shape):
    """Somebody who took part."""

    player_id: str
    name: str | None
    joined: float
    """Seconds since 1970, when first."""
    left: float | None
    """When last; null: still there."""


class Line(Shape):
    """Something that was said."""

    time: float
    """Seconds since 1970."""
    player_id: str
    name: str | None
    text: str


class Event(Shape):
    """Something that the rules emitted."""

    time: float
    """Seconds since 1970."""
    event: str
    data: msgspec.Raw
    """Any JSON."""


class Replay(Shape):
    """A recording of a game."""

    replay_id: str
    game_id: str
    game: str
    started: float
    """Seconds since 1970."""
    ended: float | None
    """null: it goes on."""
    ticks: int
    size: int
    """Bytes."""
    complete: bool


class History(Storing):
    def __init__(self, reach: Reach | None, host: Host) -> None:
        super().__init__(reach)
        self._host = host
        none, no_cursor = Refusal(code="GAME-001"), Refusal(code="REST-007")
        room = "/games/{room}"
        self.endpoints = (
            Endpoint(
                method="GET",
                path=f"{room}/players",
                handle=self._players,
                summary="Who took part in a game, in the order in which they came",
                asks=PageQuery,
                answers=Page[Participation],
                refuses=(none, no_cursor),
                needs_store=True,
            ),
            Endpoint(
                method="GET",
                path=f"{room}/chat",
                handle=self._chat,
                summary="What was said in a game, newest first",
                asks=PageQuery,
                answers=Page[Line],
                refuses=(none, no_cursor),
                needs_store=True,
            ),
            Endpoint(
                method="GET",
                path=f"{room}/events",
                handle=self._events,
                summary="What the rules of a game emitted, oldest first",
                asks=PageQuery,
                answers=Page[Event],
                refuses=(none, no_cursor),
                needs_store=True,
            ),
            Endpoint(
                method="GET",
                path="/replays",
                handle=self._replays,
                summary="Recordings of games, newest first",
                asks=ReplaysQuery,
                answers=Page[Replay],
                refuses=(no_cursor,),
                needs_store=True,
            ),
            Endpoint(
                method="GET",
                path="/replays/{replay}",
                handle=self._replay,
                summary="One recording",
                answers=Replay,
                refuses=(Refusal(code="REST-003"),),
                needs_store=True,
            ),
        )

    async def seen_by(self, call: Call) -> KnownGame:
        """The game of a path, if whoever asks may see it. Raises `Refusal`, always the same."""
        known = await self._seen(call.path["room"], call)
        if known is None:
            raise Refusal(code="GAME-001")
        return known

    async def _seen(self, room: str, call: Call) -> KnownGame | None:
        if self._reach is None:
            return None
        store = self._reach()
        player = "" if call.identity is None else call.identity.id
        known, took_part = await asyncio.gather(store.game(room), store.took_part(room, player))
        if known is None or not known.private:
            return known
        hosted = self._host.rooms.get(room)
        sits = hosted is not None and player in hosted.room.members
        return known if took_part or sits else None

    async def _players(self, call: Call, asked: PageQuery) -> Reply:
        after = position(asked.cursor, tuple[Time, PlayerId])
        known = await self.seen_by(call)
        found = await self._kept.participants(known.room, limit=asked.limit + 1, after=after)
        return Reply(page(found, asked.limit, _player, lambda one: (one.joined, one.player)))

    async def _chat(self, call: Call, asked: PageQuery) -> Reply:
        before = position(asked.cursor, tuple[Whole, Whole])
        known = await self.seen_by(call)
        found = await self._kept.chat(known.room, limit=asked.limit + 1, before=before)
        return Reply(page(found, asked.limit, _line, lambda line: (line.epoch, line.sequence)))

    async def _events(self, call: Call, asked: PageQuery) -> Reply:
        after = position(asked.cursor, tuple[Whole, Whole])
        known = await self.seen_by(call)
        found = await self._kept.events(known.room, limit=asked.limit + 1, after=after)
        return Reply(page(found, asked.limit, _event, lambda event: (event.epoch, event.sequence)))

    async def _replays(self, call: Call, asked: ReplaysQuery) -> Reply:
        after = position(asked.cursor, tuple[Time, ReplayId])
        found = await self._kept.replays(game=asked.game, room=asked.room, limit=asked.limit + 1, after=after)
        listed = page(found, asked.limit, _replay, lambda replay: (replay.started, replay.id))
        rooms = {replay.game_id for replay in listed.items}
        seen = dict(
            zip(rooms, await asyncio.gather(*(self._seen(room, call) for room in rooms)), strict=True)
        )
        # Those of private rooms are left out of their page, which is shorter then.
        listed.items = [replay for replay in listed.items if seen[replay.game_id] is not None]
        return Reply(listed)

    async def _replay(self, call: Call, asked: None) -> Reply:
        found = await self._kept.replay(call.path["replay"])
        known = await self._seen("" if found is None else found.room, call)
        if found is None or known is None:
            raise Refusal(code="REST-003")
        return Reply(_replay(found))


def _player(one: Participant) -> Participation:
    return Participation(player_id=one.player, name=one.name or None, joined=one.joined, left=one.left)


def _line(line: ChatLine) -> Line:
    return Line(time=line.time, player_id=line.player, name=line.name or None, text=line.text)


def _event(event: KnownEvent) -> Event:
    return Event(time=event.time, event=event.event, data=msgspec.Raw(event.data))


def _replay(replay: KnownReplay) -> Replay:
    return Replay(
        replay_id=replay.id,
        game_id=replay.room,
        game=replay.game,
        started=replay.started,
        ended=replay.ended,
        ticks=replay.ticks,
        size=replay.size,
        complete=replay.complete,
    )
