"""Players who show a token: who they are then, what waits meanwhile, and what becomes of the token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from monkeytown import Identity, Player, Refusal
from monkeytown.protocol.close import CloseCode
from monkeytown.room.ledger import Kind
from monkeytown.runtime.greeting import MOST_WAITING
from monkeytown.runtime.host import Host
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.sessions import Sessions
from tests.runtime.stage import Client, Clock, Turns, make_host

EXPIRY = 1000.0  # on the wall clock, which begins at 0 with the clock's five seconds


class Gatekeeper:
    """Knows tokens such as "ann" or "ann@1000", which expires then. Answers when it is told to."""

    def __init__(self) -> None:
        self.guests = True
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def identify(self, token: str) -> Identity:
        await self.is_open.wait()
        if token == "bug":
            raise RuntimeError("oops")
        if token.startswith("GONE"):
            raise Refusal(code="AUTH-004")
        if token.startswith("BAD"):
            raise Refusal(code="AUTH-005" if token == "BADLY" else "AUTH-001")
        id, _, expires = token.partition("@")
        return Identity(
            id, id.title(), expires=float(expires) if expires else None, data=b'{"of":"%s"}' % id.encode()
        )


class Parlour(Turns):
    def on_create(self) -> None:
        super().on_create()
        self.diary: list[str] = []

    def on_join(self, player: Player) -> None:
        self.diary.append(f"join {player.name} {player.guest} {player.data.get('of')}")
        player.data["joins"] = player.data.get("joins", 0) + 1

    def on_drop(self, player: Player) -> None:
        self.diary.append("drop")

    def on_resume(self, player: Player) -> None:
        self.diary.append("resume")

    def on_leave(self, player: Player) -> None:
        self.diary.append("leave")


Make = Callable[..., Client]


@pytest.fixture
def gate() -> Gatekeeper:
    return Gatekeeper()


@pytest.fixture
def kept() -> list[tuple[Kind, str, bytes]]:
    return []


@pytest.fixture
def host(clock: Clock, kept: list[tuple[Kind, str, bytes]]) -> Host:
    def keep(room: Any, entries: list[Any]) -> None:
        kept.extend((entry.kind, entry.player, entry.content) for entry in entries)

    return make_host(clock, Parlour, Turns, keep=keep)


@pytest.fixture
def sessions(host: Host, clock: Clock, gate: Gatekeeper) -> Sessions:
    return Sessions(host, Limits(), gate=gate, now=clock.seconds, wall_clock=clock.seconds)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def hello(client: Make, token: str, **about: Any) -> Client:
    made = client()
    made.say("hello", token=token, **about)
    await settled()
    return made


async def test_a_token_says_who_somebody_is(client: Make) -> None:
    ann = await hello(client, "ann", name="Mallory")
    assert ann.welcome["playerId"] == "ann"
    assert ann.welcome["name"] == "Ann"
    assert not ann.welcome["session"].startswith("ann")
    hosted = ann.join("parlour")
    assert hosted.room.game.diary == ["join Ann False ann"]
    guest = client()
    guest.say("hello", name="Bob")
    guest.join("parlour")
    assert hosted.room.game.diary[1:] == ["join Bob True None"]


async def test_what_comes_meanwhile_waits_in_order(client: Make, gate: Gatekeeper) -> None:
    gate.is_open.clear()
    ann = await hello(client, "ann")
    ann.say("join_game", gameId="parlour")
    ann.say("chat_message", text="hi")
    assert ann.sent == []
    gate.is_open.set()
    await settled()
    assert ann.session.hosted is not None
    assert [payload["event"] for payload in ann.got("game_event")] == ["chat"]
    assert ann.errors == []


async def test_not_any_number_of_things_waits(client: Make, gate: Gatekeeper) -> None:
    gate.is_open.clear()
    ann = await hello(client, "ann")
    for _ in range(MOST_WAITING):
        ann.say("heartbeat", timestamp=1)
    assert ann.closed is None
    ann.say("heartbeat", timestamp=1)
    assert ann.closed is not None
    assert ann.closed[0] == CloseCode.FLOODING
    gate.is_open.set()
    await settled()
    assert ann.got("welcome") == []


async def test_a_connection_that_is_lost_meanwhile_is_no_session(
    client: Make, gate: Gatekeeper, sessions: Sessions
) -> None:
    gate.is_open.clear()
    ann = await hello(client, "ann")
    ann.lose()
    gate.is_open.set()
    await settled()
    assert len(sessions) == 0


@pytest.mark.parametrize(
    ("token", "error", "code"),
    [
        ("BAD", "AUTH-001", CloseCode.NOT_ALLOWED),
        ("GONE", "AUTH-004", CloseCode.EXPIRED),
        ("BADLY", "AUTH-005", CloseCode.BANNED),
        ("bug", "SYS-001", CloseCode.GOING_AWAY),
    ],
)
async def test_who_is_refused_is_told_and_sent_away(
    client: Make, token: str, error: str, code: CloseCode
) -> None:
    ann = await hello(client, token)
    assert ann.errors == [error]
    assert ann.closed is not None
    assert ann.closed[0] == code
    assert ann.got("welcome") == []


@pytest.mark.parametrize("how", ["hello", "join_game"])
async def test_where_no_guests_are_let_in_a_token_is_needed(client: Make, gate: Gatekeeper, how: str) -> None:
    gate.guests = False
    nobody = client()
    nobody.say(how, **({"gameId": "parlour"} if how == "join_game" else {"name": "Bob"}))
    assert nobody.errors == ["AUTH-006"]
    assert nobody.closed is not None
    assert nobody.closed[0] == CloseCode.NOT_ALLOWED
    ann = await hello(client, "ann")
    ann.join("parlour")


async def test_nobody_becomes_somebody_else(client: Make) -> None:
    ann = await hello(client, "ann")
    ann.say("hello", token="bob")
    await settled()
    assert ann.errors == ["AUTH-003"]
    assert ann.session.id == "ann"
    guest = client()
    guest.say("hello", name="Bob")
    guest.say("hello", token="bob")
    await settled()
    assert guest.errors == ["AUTH-003"]
    assert guest.closed is None


class TestTheSamePlayer:
    async def test_from_elsewhere_takes_the_seat(self, client: Make) -> None:
        ann = await hello(client, "ann")
        hosted = ann.join("parlour")
        again = await hello(client, "ann")
        assert again.welcome["session"].partition(".")[0] != ann.welcome["session"].partition(".")[0]
        again.join("parlour")
        assert ann.closed is not None
        assert ann.closed[0] == CloseCode.REPLACED
        assert ann.entered is None
        assert again.entered is hosted
        assert len(hosted.sessions) == len(hosted.room.members) == 1
        assert hosted.room.game.diary == ["join Ann False ann"]
        assert [payload["name"] for payload in again.got("player_joined")] == ["Ann"]
        again.lose()
        assert hosted.room.game.diary[1:] == ["drop"]

    async def test_who_reloads_the_page_goes_on(self, client: Make, sessions: Sessions) -> None:
        ann = await hello(client, "ann")
        hosted = ann.join("parlour")
        ann.say("chat_message", text="brb")
        ann.lose()
        again = await hello(client, "ann")
        again.join("parlour")
        assert again.entered is hosted
        assert hosted.room.game.diary == ["join Ann False ann", "drop", "resume"]
        history = [about["data"] for about in again.got("game_event") if about["event"] == "chat_history"]
        assert [line["text"] for line in history[-1]] == ["brb"]
        assert (len(sessions), sessions.away) == (1, 0)

    async def test_may_sit_in_two_rooms(self, client: Make) -> None:
        ann = await hello(client, "ann")
        ann.join("parlour")
        again = await hello(client, "ann")
        again.join("turns")
        assert ann.closed is None

    async def test_has_one_document(
        self, client: Make, kept: list[tuple[Kind, str, bytes]], sessions: Sessions
    ) -> None:
        ann = await hello(client, "ann")
        ann.join("parlour")
        ann.say("leave_game")
        assert (Kind.DATA, "ann", b'{"data":{"of":"ann","joins":1}}') in kept
        sessions.documented("ann", b'{"of":"ann","joins":1}')
        hosted = ann.join("parlour")
        assert hosted.room.game.players["ann"].data == {"of": "ann", "joins": 2}


class TestComingBack:
    async def test_needs_no_token_as_long_as_the_one_is_good(self, client: Make, clock: Clock) -> None:
        ann = await hello(client, f"ann@{EXPIRY}")
        ann.join("parlour")
        ann.lose()
        back = client()
        back.say("hello", resume={"session": ann.welcome["session"], "number": 1})
        assert back.welcome["playerId"] == "ann"
        assert back.welcome["recovered"] is True

    async def test_is_nobody_elses(self, client: Make) -> None:
        ann = await hello(client, "ann")
        ann.join("parlour")
        thief = await hello(client, "bob", resume={"session": ann.welcome["session"], "number": 1})
        assert thief.errors == ["AUTH-003"]
        assert thief.welcome["playerId"] == "bob"
        assert thief.welcome["recovered"] is False
        assert ann.closed is None

    async def test_on_a_token_that_has_expired_needs_another(self, client: Make, clock: Clock) -> None:
        ann = await hello(client, f"ann@{EXPIRY}")
        ann.join("parlour")
        clock.run(EXPIRY - clock.seconds() - 1)
        ann.lose()
        clock.run(1 + Limits().expiry_seconds)
        about = {"session": ann.welcome["session"], "number": 1}
        stale = client()
        stale.say("hello", resume=about)
        assert stale.errors == ["AUTH-003"]
        back = await hello(client, f"ann@{EXPIRY + 1000}", resume=about)
        assert back.errors == []
        assert back.welcome["recovered"] is True


class TestAnExpiringToken:
    async def test_is_asked_for_and_then_missed(self, client: Make, clock: Clock, sessions: Sessions) -> None:
        ann = await hello(client, f"ann@{EXPIRY}")
        hosted = ann.join("parlour")
        clock.run(EXPIRY - clock.seconds() - 0.001)
        sessions.sweep(clock.seconds())
        assert ann.errors == []
        clock.run(0.001)
        sessions.sweep(clock.seconds())
        sessions.sweep(clock.seconds())
        assert ann.errors == ["AUTH-004"]
        clock.run(Limits().expiry_seconds - 0.001)
        sessions.sweep(clock.seconds())
        assert ann.closed is None
        clock.run(0.001)
        sessions.sweep(clock.seconds())
        assert ann.closed is not None
        assert ann.closed[0] == CloseCode.EXPIRED
        # With another one it goes on where it was.
        assert "ann" in hosted.room.members
        back = await hello(
            client, f"ann@{EXPIRY + 1000}", resume={"session": ann.welcome["session"], "number": 2}
        )
        assert back.entered is hosted

    async def test_is_renewed_in_the_connection(self, client: Make, clock: Clock, sessions: Sessions) -> None:
        ann = await hello(client, f"ann@{EXPIRY}")
        ann.join("parlour")
        clock.run(EXPIRY - clock.seconds())
        sessions.sweep(clock.seconds())
        ann.say("hello", token=f"ann@{EXPIRY + 100}")
        await settled()
        clock.run(99)
        sessions.sweep(clock.seconds())
        assert ann.errors == ["AUTH-004"]
        assert ann.closed is None
        clock.run(1)
        sessions.sweep(clock.seconds())
        assert ann.errors == ["AUTH-004"] * 2

    async def test_of_who_is_gone_is_nobodys_concern(
        self, client: Make, clock: Clock, sessions: Sessions
    ) -> None:
        ann = await hello(client, f"ann@{EXPIRY}")
        bob = await hello(client, f"bob@{EXPIRY}")
        bob.join("parlour")
        ann.lose()
        bob.lose()
        clock.run(EXPIRY + 100)
        sessions.sweep(clock.seconds())
        assert (ann.closed, bob.closed) == (None, None)


async def test_all_sessions_of_a_player_end(client: Make, sessions: Sessions) -> None:
    ann, again, bob = [await hello(client, token) for token in ("ann", "ann", "bob")]
    hosted = ann.join("parlour")
    again.join("turns")
    bob.join("parlour")
    away = await hello(client, "ann")
    away.join("turns")  # and takes the other's seat
    away.lose()
    assert sessions.send_away("ann", CloseCode.BANNED) == 2
    assert ann.closed is not None
    assert ann.closed[0] == CloseCode.BANNED
    assert list(hosted.room.members) == ["bob"]
    assert sessions.send_away("ann", CloseCode.BANNED) == 0
    assert bob.closed is None
    assert len(sessions) == 1


async def test_nobody_is_let_in_once_it_is_over(client: Make, sessions: Sessions, gate: Gatekeeper) -> None:
    gate.is_open.clear()
    ann = await hello(client, "ann")
    sessions.close()
    gate.is_open.set()
    await settled()
    assert ann.sent == []
