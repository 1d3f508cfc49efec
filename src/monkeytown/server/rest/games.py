"""`/games` and `/matches`: rooms that are open, new ones, seats in them, and a room for whoever wants to play now.

Knows the host's rooms, and what is kept of those that have ended. A room that is unknown, full, over, or private and not
meant for who asks, is answered alike wherever seats are concerned: ids cannot be found out by trying.
"""

from __future__ import annotations

import asyncio
from heapq import nsmallest
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from monkeytown.errors import Refusal
from monkeytown.room.setup import Setup
from monkeytown.runtime.bookings import Booking, Bookings, Wish
from monkeytown.runtime.host import Host
from monkeytown.runtime.hosted import HostedRoom
from monkeytown.server.rest.answers import Page, Reply, Shape, TooMany, page, position
from monkeytown.server.rest.endpoints import Access, Call, Cursor, Endpoint, GameName, Limit, Mode, PlayerId
from monkeytown.server.rest.history import History
from monkeytown.server.rest.quotas import Quotas

__all__ = ["Games"]

# Rooms are looked at in pieces of so many, with the clock's turn in between.
AT_ONCE = 250
MOST_WITH = 31
MAX_PLAYERS = 100_000

Sort = Literal["newest", "fullest", "emptiest"]
Whole = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Key = tuple[Sort, Whole, Whole]
Candidate = tuple[Key, HostedRoom]

OptionName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,32}$(?!\n)")]
OptionValue = (
    bool | Annotated[int, Meta(ge=-(2**53), le=2**53)] | float | Annotated[str, Meta(max_length=64)] | None
)
Options = Annotated[
    dict[OptionName, OptionValue],
    Meta(max_length=8, description="What else is wanted of a room; its rules read it as self.options."),
]
# In JSON 2.0 is a whole number as well, and there are languages that write it like that.
Count = Annotated[float, Meta(ge=1, le=MAX_PLAYERS, multiple_of=1)]
Rank = Annotated[
    float,
    Meta(
        ge=-1e9, le=1e9, description="How good the players are, on any scale, so that they meet their like."
    ),
]
Party = Annotated[
    list[PlayerId], Meta(max_length=MOST_WITH, description="Who comes along; who asks need not be named.")
]


class RoomsQuery(Shape):
    game: GameName | None = None
    mode: Mode | None = None
    has_seats: Annotated[bool, Meta(description="Only rooms with, or without, a free seat.")] | None = (
        msgspec.field(default=None, name="has_seats")
    )
    sort: Sort = "newest"
    limit: Limit = 25
    cursor: Cursor | None = None


class Room(Shape):
    """A room that is open."""

    game_id: str
    game: str
    mode: str
    players: int
    seats: int | None
    """null: any number."""
    free: int | None
    """Seats that are neither taken nor reserved; null: any number."""
    options: dict[str, bool | int | float | str | None]
    since: float
    """Seconds since 1970."""


class RoomOrGame(Shape):
    """A room that is open, or what is kept of one that has ended."""

    game_id: str
    game: str
    mode: str
    private: bool
    state: Literal["open", "closed"]
    since: float
    """Seconds since 1970."""
    players: int | None = None
    seats: int | None = None
    free: int | None = None
    options: dict[str, bool | int | float | str | None] | None = None
    closed: float | None = None
    reason: str | None = None
    failed: bool | None = None
    """Whether it ended because its rules failed."""
    result: msgspec.Raw | None = None
    """What the rules said came out of it: any JSON."""


class NewRoom(Shape):
    """A room is wanted."""

    game: GameName
    mode: Mode = ""
    private: bool = False
    """Not listed and not matched: joined by who knows its id."""
    options: Options = {}
    max_players: Count | None = None
    """null: as the game says."""


class SeatsWanted(Shape):
    """Seats for whoever asks, and for these."""

    players: Party = []


class MatchWanted(Shape):
    """Any room that suits."""

    game: GameName
    mode: Mode = ""
    rank: Rank | None = None
    party: Party = []
    options: Options | UnsetType = UNSET
    """Exactly these; left out: whichever."""


class Seats(Shape):
    """Seats are reserved: the players join that game in time, each with a token of their own."""

    game_id: str
    until: float
    """Seconds since 1970."""
    opened: bool
    """Whether the room is a new one."""


class Games:
    def __init__(self, host: Host, bookings: Bookings, history: History, quotas: Quotas) -> None:
        self._host = host
        self._bookings = bookings
        self._history = history
        self._quotas = quotas
        none, many = Refusal(code="GAME-001"), TooMany(1, "GAME-007")
        opening = (none, Refusal(), Refusal(code="GAME-005"), many, Refusal(code="GAME-008"))
        self.endpoints = (
            Endpoint(
                method="GET",
                path="/games",
                handle=self._list,
                summary="Rooms that are open now, but for private ones",
                asks=RoomsQuery,
                answers=Page[Room],
                refuses=(Refusal(code="REST-007"),),
                max_age=1,
            ),
            Endpoint(
                method="POST",
                path="/games",
                handle=self._open,
                summary="A new room, with a seat for who asks",
                access=Access.PLAYER,
                asks=NewRoom,
                answers=Seats,
                status=201,
                refuses=(*opening, Refusal(code="REST-007")),
            ),
            Endpoint(
                method="GET",
                path="/games/{room}",
                handle=self._show,
                summary="A room that is open, or has ended",
                answers=RoomOrGame,
                refuses=(none, Refusal(code="SYS-003")),
            ),
            Endpoint(
                method="POST",
                path="/games/{room}/seats",
                handle=self._reserve,
                summary="Seats in a room, all that are asked for or none",
                access=Access.PLAYER,
                asks=SeatsWanted,
                answers=Seats,
                status=201,
                refuses=(none,),
            ),
            Endpoint(
                method="POST",
                path="/matches",
                handle=self._match,
                summary="Quick match: seats in a room that suits, or in a new one",
                access=Access.PLAYER,
                asks=MatchWanted,
                answers=Seats,
                status=201,
                refuses=(*opening, Refusal(code="GAME-002")),
            ),
        )

    async def _list(self, call: Call, asked: RoomsQuery) -> Reply:
        after = position(asked.cursor, Key)
        if after is not None and after[0] != asked.sort:
            raise Refusal("The cursor is of another order.", "REST-007")
        found = await self._found(asked, after)
        return Reply(
            page(found, asked.limit, shape=lambda entry: self._room(entry[1]), key=lambda entry: entry[0])
        )

    async def _found(self, asked: RoomsQuery, after: Key | None) -> list[Candidate]:
        """One room more than a page holds. Other things have their turn meanwhile."""
        found: list[Candidate] = []
        for number, hosted in enumerate(tuple(self._host.rooms.values()), 1):
            if self._is_wanted(hosted, asked):
                key = _key(asked.sort, hosted)
                if after is None or key > after:
                    found.append((key, hosted))
            if number % AT_ONCE == 0:
                found = nsmallest(asked.limit + 1, found, key=lambda entry: entry[0])
                await asyncio.sleep(0)
        found = [entry for entry in found if entry[1].room.closed is None]
        return nsmallest(asked.limit + 1, found, key=lambda entry: entry[0])

    def _is_wanted(self, hosted: HostedRoom, asked: RoomsQuery) -> bool:
        setup = hosted.listing.setup
        if setup.private or hosted.room.closed is not None:
            return False
        if asked.game not in (None, hosted.game_name) or asked.mode not in (None, setup.mode):
            return False
        return asked.has_seats is None or asked.has_seats is (self._free(hosted) != 0)

    async def _open(self, call: Call, asked: NewRoom) -> Reply:
        self._known(asked.game)
        most = self._host.most_players(asked.game)
        wanted = None if asked.max_players is None else int(asked.max_players)
        if wanted is not None and 0 < most < wanted:
            raise Refusal(f"A room of this game has at most {most} seats.", "REST-007")
        self._quotas.opens_room(call.player.id)
        setup = Setup(wanted, asked.mode, asked.private, asked.options)
        return _booked(self._bookings.open(call.player.id, asked.game, setup))

    async def _show(self, call: Call, asked: None) -> Reply:
        hosted = self._host.rooms.get(call.path["room"])
        if hosted is None:
            known = await self._history.seen_by(call)
            return Reply(
                RoomOrGame(
                    game_id=known.room,
                    game=known.game,
                    mode=known.mode,
                    private=known.private,
                    state="open" if known.closed is None else "closed",
                    since=known.opened,
                    closed=known.closed,
                    reason=known.reason,
                    failed=known.failed,
                    result=None if known.result is None else msgspec.Raw(known.result),
                )
            )
        about = msgspec.structs.asdict(self._room(hosted))
        return Reply(RoomOrGame(**about, private=hosted.listing.setup.private, state="open"))

    async def _reserve(self, call: Call, asked: SeatsWanted) -> Reply:
        players = {call.player.id, *asked.players}
        return _booked(self._bookings.reserve(call.player.id, call.path["room"], players))

    async def _match(self, call: Call, asked: MatchWanted) -> Reply:
        self._known(asked.game)
        player = call.player.id
        options = None if asked.options is UNSET else asked.options
        wish = Wish(asked.game, {player, *asked.party}, asked.mode, asked.rank, options)
        return _booked(self._bookings.match(player, wish, lambda: self._quotas.opens_match(player)))

    def _known(self, game: str) -> None:
        if game not in self._host.games:
            raise Refusal(code="GAME-001")

    def _room(self, hosted: HostedRoom) -> Room:
        setup = hosted.listing.setup
        return Room(
            game_id=hosted.room.id,
            game=hosted.game_name,
            mode=setup.mode,
            players=len(hosted.room.members),
            seats=hosted.room.game.max_players or None,
            free=self._free(hosted),
            options=dict(setup.options),
            since=hosted.listing.opened,
        )

    def _free(self, hosted: HostedRoom) -> int | None:
        seats = hosted.room.game.max_players
        return max(0, seats - hosted.seats.taken(self._host.now())) if seats > 0 else None


def _key(sort: Sort, hosted: HostedRoom) -> Key:
    """Where a room stands in a list. Newer ones come first among those alike."""
    number, players = hosted.listing.number, len(hosted.room.members)
    return sort, {"newest": 0, "fullest": -players, "emptiest": players}[sort], -number


def _booked(booking: Booking) -> Reply:
    room = booking.hosted.room.id
    return Reply(Seats(game_id=room, until=booking.until, opened=booking.opened), location=f"/games/{room}")
