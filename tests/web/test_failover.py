"""Jungle's page while an instance dies or stops: real processes, one Redis, a real Chromium."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page
from tests.instances import Instance, Instances

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE = 15.0
WITHIN = 5.0  # seconds, in which play goes on
CHECKPOINTED = 1.5  # seconds, after which what has happened is in a checkpoint
SMALL: Any = {"viewport": {"width": 640, "height": 480}}

IS_PLAYING = "monkeytown.room?.client.state === 'open' && monkeytown.monkeys.some(monkey => monkey.own)"
WHO = """(({client, entity, id, players}) => ({
    room: id, player: client.id, name: client.name, monkey: entity.id, called: entity.name,
    players: [...players.keys()].sort(),
}))(monkeytown.room)"""
GATHER = """wanted => new Promise(done => {
    const {room} = monkeytown;
    const timer = setInterval(() => {
        const own = room.entity;
        if (own.bananas >= wanted) return clearInterval(timer), done(own.bananas);
        const far = ({x, y}) => Math.hypot(x - own.x, y - own.y);
        const near = [...room.tables.bananas].reduce((one, other) => (far(other) < far(one) ? other : one));
        const way = Math.atan2(near.y - own.y, near.x - own.x) - own.heading;
        const turn = 2 * Math.atan2(Math.sin(way), Math.cos(way));
        room.input({turn: Math.max(-1, Math.min(1, turn)), run: Math.abs(turn) < 0.5});
    }, 50);
})"""
LISTEN = """() => {
    window.shown = [];
    window.events = [];
    const look = () => document.querySelectorAll('.banner:not([hidden]), .toast').forEach(box => shown.push(box.textContent));
    new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
    for (const name of ["error", "reconnecting", "reconnected", "close", "entity", "playerLeft", "playerJoined"])
        monkeytown.room.on(name, event => events.push(name));
}"""


class Player:
    """A page, and what became of it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sockets: list[Any] = []
        self.complaints: list[str] = []
        page.on("websocket", lambda socket: self.sockets.append(socket))  # noqa: PLW0108 - it wants to mark what it calls
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def join(self, url: str, name: str) -> None:
        await self.page.goto(f"{url}/jungle?name={name}")
        await self.until(IS_PLAYING)

    async def ask(self, expression: str) -> Any:
        return await self.page.evaluate(expression)

    async def until(self, expression: str, seconds: float = PATIENCE) -> None:
        async with asyncio.timeout(seconds):
            while not await self.page.evaluate(expression):  # noqa: ASYNC110 - the page has no events for this
                await asyncio.sleep(0.02)

    async def steers(self, seconds: float = PATIENCE, *, epoch: int = -1) -> None:
        """A key that is pressed now turns this player's monkey in the rules' words, in another epoch than that."""
        before, seen = await self.ask("[monkeytown.room.entity.heading, monkeytown.room.inputSeen]")
        await self.page.keyboard.down("ArrowRight")
        room = "monkeytown.room.entity && monkeytown.room"
        turned = f"Math.abs({room}.entity.heading - {before}) > 0.3 && monkeytown.room.inputSeen > {seen}"
        await self.until(f"{room}.epoch !== {epoch} && {turned}", seconds)
        await self.page.keyboard.up("ArrowRight")


class Address:
    """One address for several instances: a new connection goes to the first of them that answers."""

    def __init__(self, instances: Sequence[Instance]) -> None:
        self._ports = [instance.port for instance in instances]
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()
        for writer in self._open:
            writer.close()
        while self._open:  # noqa: ASYNC110 - each carrier takes itself out
            await asyncio.sleep(0.01)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            for port in self._ports:
                with suppress(OSError):
                    source, sink = await asyncio.open_connection("127.0.0.1", port)
                    await asyncio.gather(pump(reader, sink), pump(source, writer))
                    return
        finally:
            writer.close()
            self._open.discard(writer)


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass  # one end is gone, which the other end is told
    finally:
        sink.close()


async def in_thread(call: Any, *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, call, *arguments)


@pytest.fixture
def two(redis_url: str, tmp_path: Path) -> Any:
    with Instances(2, ["jungle"], redis_url, tmp_path, redis_prefix=f"{uuid4().hex}:") as instances:
        yield instances


@pytest_asyncio.fixture(loop_scope="module")
async def new_player(browser: Browser) -> AsyncIterator[Any]:
    """Players as different people, who do not share cookies."""
    contexts: list[BrowserContext] = []

    async def new_player() -> Player:
        contexts.append(await browser.new_context(**SMALL))
        return Player(await contexts[-1].new_page())

    yield new_player
    for context in contexts:
        await context.close()


async def test_play_goes_on_when_the_owner_is_killed(two: Instances, new_player: Any) -> None:
    owner, other = two
    ada, ben = await new_player(), await new_player()
    async with Address(two) as address:
        await ada.join(address.url, "Ada")
        await ben.join(f"http://127.0.0.1:{other.port}", "Ben")
        assert await in_thread(owner.metric, "leases") == 1
        assert await in_thread(other.metric, "leases") == 0
        await ben.steers()
        await ada.until("monkeytown.room.players.size === 2")
        await asyncio.gather(ada.page.evaluate(LISTEN), ben.page.evaluate(LISTEN))
        bananas = await ada.page.evaluate(GATHER, 2)
        await asyncio.sleep(CHECKPOINTED)
        adas, bens = await ada.ask(WHO), await ben.ask(WHO)
        assert adas["players"] == bens["players"] == sorted([adas["player"], bens["player"]])
        epoch = await ben.ask("monkeytown.room.epoch")
        sent = await ben.ask("monkeytown.room.inputSeen")
        await in_thread(owner.kill)
        killed = time.monotonic()

        await ben.steers(WITHIN, epoch=epoch)
        took = time.monotonic() - killed
        assert took < WITHIN
        print(f"\nfrom the kill to a key that turns the monkey: {took:.2f} s")
        await ada.until(IS_PLAYING, WITHIN)
        await ada.steers(WITHIN, epoch=epoch)
        assert await in_thread(other.metric, "leases") == 1

        # As if nothing had happened: neither the page nor who plays has noticed more than a moment.
        assert await ben.ask(WHO) == bens
        assert await ben.ask("monkeytown.room.inputSeen") > sent
        assert len(ben.sockets) == 1
        assert not ben.sockets[0].is_closed()
        assert await ben.ask("[window.shown, window.events]") == [[], []]
        assert ben.complaints == []
        # Its connection was lost; its monkey was not.
        assert await ada.ask(WHO) == adas
        assert await ada.ask("monkeytown.room.entity.bananas") >= bananas
        assert await ada.ask("window.events.filter(event => event !== 'entity')") == [
            "reconnecting",
            "reconnected",
        ]
        assert await ada.ask("document.querySelector('.banner').hidden")
        assert len(ada.sockets) == 2
        assert ada.complaints == []
        await ada.until("monkeytown.monkeys.some(monkey => monkey.name === 'Ben')")
        await ben.until("monkeytown.monkeys.some(monkey => monkey.name === 'Ada')")


async def test_a_page_moves_on_when_its_instance_stops(two: Instances, new_player: Any) -> None:
    owner, other = two
    ada, ben = await new_player(), await new_player()
    async with Address(two) as address:
        await ada.join(address.url, "Ada")
        await ben.join(f"http://127.0.0.1:{other.port}", "Ben")
        await ada.until("monkeytown.room.players.size === 2")
        await asyncio.gather(ada.page.evaluate(LISTEN), ben.page.evaluate(LISTEN))
        bananas = await ada.page.evaluate(GATHER, 2)
        adas, bens = await ada.ask(WHO), await ben.ask(WHO)
        owner.terminate()
        await ada.until("window.events.includes('reconnected')", WITHIN)
        await ada.steers(WITHIN)
        await ben.steers(WITHIN)
        assert await in_thread(owner.ended) == 0
        assert await ada.ask(WHO) == adas
        assert await ada.ask("monkeytown.room.entity.bananas") >= bananas
        assert await ada.ask("window.events.filter(event => event !== 'entity')") == [
            "reconnecting",
            "reconnected",
        ]
        assert len(ada.sockets) == 2
        assert ada.complaints == []
        assert await ben.ask(WHO) == bens
        assert len(ben.sockets) == 1
        assert not ben.sockets[0].is_closed()
        assert await ben.ask("[window.shown, window.events]") == [[], []]
        assert await in_thread(other.metric, "leases") == 1
