"""Who is let in, and who is not any more."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest

from monkeytown import Entity, Game, Identity, Refusal, StartError, singleton, uint
from monkeytown.errors import StoreDown
from monkeytown.protocol.close import CloseCode
from monkeytown.server.auth import Auth, own_check
from monkeytown.server.tokens import Tokens

NOW = 1_800_000_000.0


class Row(NamedTuple):
    name: str = ""
    data: bytes = b"{}"
    banned_until: float | None = None
    tokens_after: float | None = None


class Shelf:
    """What is kept, in a dict; it can be out of reach, or answer too late."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.down = self.slow = False

    async def player(self, id: str) -> Row | None:
        if self.down:
            raise StoreDown("no")
        if self.slow:
            await asyncio.sleep(60)
        return self.rows.get(id)

    async def _put(self, id: str, **changes: Any) -> None:
        if self.down:
            raise StoreDown("no")
        self.rows[id] = self.rows.get(id, Row())._replace(**changes)

    async def ban(self, id: str, until: float, reason: str) -> None:
        await self._put(id, banned_until=until)

    async def unban(self, id: str) -> None:
        await self._put(id, banned_until=None)

    async def log_out(self, id: str, at: float) -> None:
        await self._put(id, tokens_after=at)


class Town:
    """An Auth with a clock, and whom it sent away."""

    def __init__(self, **options: Any) -> None:
        self.now = NOW
        self.kept = Shelf()
        self.sent_away: list[tuple[str, CloseCode]] = []
        about: dict[str, Any] = {"guests": True, "kept": self.kept, "seconds": 0.05, "now": lambda: self.now}
        self.auth = Auth(
            Tokens(["secret"], now=lambda: self.now),
            send_away=lambda id, code: self.sent_away.append((id, code)),
            **about | options,
        )

    def token(self, id: str = "ann", **about: Any) -> str:
        return self.auth.issue(id, about.get("name"), guest=about.get("guest", False))[0]

    async def refused(self, token: str) -> str:
        with pytest.raises(Refusal) as refused:
            await self.auth.identify(token)
        return refused.value.code


async def test_what_is_kept_comes_along() -> None:
    town = Town()
    town.kept.rows["ann"] = Row("Annie", b'{"coins":3}')
    identity = await town.auth.identify(town.token(name="Ann"))
    assert (identity.id, identity.name, identity.data, identity.has_data) == (
        "ann",
        "Ann",
        b'{"coins":3}',
        True,
    )
    # A guest has no other name than the one that is kept.
    assert (await town.auth.identify(town.token(name="Ann", guest=True))).name == "Annie"
    assert (await town.auth.identify(town.token("bob"))).data == b"{}"


async def test_what_is_not_stored_yet_comes_before_what_is() -> None:
    town = Town(newest=lambda id: b'{"coins":4}' if id == "ann" else None)
    town.kept.rows["ann"] = Row("", b'{"coins":3}')
    assert (await town.auth.identify(town.token())).data == b'{"coins":4}'
    assert (await town.auth.identify(town.token("bob"))).data == b"{}"


@pytest.mark.parametrize("how", ["down", "slow"])
async def test_play_goes_on_while_what_is_kept_is_out_of_reach(how: str) -> None:
    town = Town()
    setattr(town.kept, how, True)
    identity = await town.auth.identify(town.token())
    assert (identity.id, identity.has_data) == ("ann", False)


async def test_who_is_banned_stays_out_until_it_is_over() -> None:
    town = Town()
    token = town.token()
    await town.auth.ban("ann", NOW + 60, "spam")
    assert town.sent_away == [("ann", CloseCode.BANNED)]
    assert await town.refused(token) == "AUTH-005"
    assert (await town.auth.identify(town.token("bob"))).id == "bob"
    town.now += 60
    assert (await town.auth.identify(token)).id == "ann"
    await town.auth.ban("ann", None, "spam")
    town.now += 86_000
    assert await town.refused(town.token()) == "AUTH-005"
    await town.auth.unban("ann")
    assert (await town.auth.identify(town.token())).id == "ann"


async def test_bans_of_elsewhere_count() -> None:
    town = Town()
    town.kept.rows["ann"] = Row(banned_until=NOW + 60)
    assert await town.refused(town.token()) == "AUTH-005"


async def test_a_logout_makes_older_tokens_useless() -> None:
    town = Town()
    before = town.token()
    town.now += 10.5
    await town.auth.log_out("ann")
    assert town.sent_away == [("ann", CloseCode.LOGGED_OUT)]
    assert await town.refused(before) == "AUTH-001"
    town.now += 1
    assert (await town.auth.identify(town.token())).id == "ann"
    assert Town().kept.rows == {}


async def test_bans_and_logouts_count_here_even_if_they_cannot_be_kept() -> None:
    town = Town()
    tokens = town.token(), town.token("bob")
    town.kept.down = True
    with pytest.raises(StoreDown):
        await town.auth.ban("ann", None, "spam")
    with pytest.raises(StoreDown):
        await town.auth.log_out("bob")
    assert len(town.sent_away) == 2
    assert [await town.refused(token) for token in tokens] == ["AUTH-005", "AUTH-001"]


class Board(Entity):
    x = uint(8)


class Plain(Game):
    board = singleton(Board)


def game(on_auth: Any) -> type[Game]:
    return type("Own", (Plain,), {"on_auth": classmethod(on_auth)})


class TestAGamesOwnCheck:
    async def test_may_wait_or_not(self) -> None:
        async def slowly(cls: type[Game], token: str) -> Identity | None:
            await asyncio.sleep(0)
            return Identity("ann", "Ann") if token == "sesame" else None

        def at_once(cls: type[Game], token: str) -> Identity | None:
            return Identity("ann", "Ann") if token == "sesame" else None

        for check in (slowly, at_once):
            town = Town(check=own_check([Plain, game(check)]))
            assert (await town.auth.identify("sesame")).name == "Ann"
            assert await town.refused("open") == "AUTH-001"
            # The server's own tokens are good beside it.
            assert (await town.auth.identify(town.token("bob"))).id == "bob"

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (Identity("ann lee"), "SYS-001"),
            ("ann", "SYS-001"),
            (RuntimeError("oops"), "SYS-001"),
            (Refusal("Not on Mondays.", "GAME-101"), "GAME-101"),
            (Identity("ann", expires=NOW), "AUTH-004"),
        ],
    )
    async def test_that_goes_wrong_lets_nobody_in(self, answer: Any, code: str) -> None:
        def check(cls: type[Game], token: str) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        town = Town(check=own_check([game(check)]))
        assert await town.refused("sesame") == code

    async def test_that_takes_too_long_lets_nobody_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def check(cls: type[Game], token: str) -> Identity | None:
            await asyncio.sleep(60)
            return None

        monkeypatch.setattr("monkeytown.server.auth.OWN_CHECK_SECONDS", 0.01)
        assert await Town(check=own_check([game(check)])).refused("sesame") == "SYS-001"

    def test_is_one_for_a_server(self) -> None:
        def check(cls: type[Game], token: str) -> Identity | None:
            return None

        def another(cls: type[Game], token: str) -> Identity | None:
            return None

        assert own_check([Plain]) is None
        both = game(check)
        assert own_check([both, Plain, type("Child", (both,), {})]) is not None
        with pytest.raises(StartError, match="a server has one"):
            own_check([both, game(another)])
