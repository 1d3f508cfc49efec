"""Recordings in a real Chromium: a Jungle that bots played is watched back, and others by the client that draws any game."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from tests.readers.clients import eventually, json_client
from tests.runtime.stage import Turns
from tests.web.test_pages import DESKTOP, OUT, PHONE, says, until

from monkeytown.client.bots import Bots
from monkeytown.client.replay import Replay
from monkeytown.games.jungle import Jungle
from monkeytown.server.app import RunningServer, running
from monkeytown.server.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOTS = 8
ROUND = 3.0  # seconds


class Arena(Jungle):
    """A Jungle of one short round, whose room closes when it is over."""

    name = "jungle"
    title = "Jungle"
    record = True
    winners: list[dict[str, Any]] = []
    gathered: dict[str, int] = {}

    def on_create(self) -> None:
        super().on_create()
        self.after(ROUND, self.award)

    def meet(self) -> None:
        # Nothing is gathered at the very end: a busy server may not record the last state before the award.
        if self.time < ROUND - 0.3:
            super().meet()

    def award(self) -> None:
        for monkey in self.monkeys:
            self.gathered[monkey.name] = monkey.bananas
        self.end_round()
        self.after(1.0, self.close)

    def emit(self, event: str, data: Any = None) -> None:
        if event == "round":
            self.winners.extend(data["best"])
        super().emit(event, data)


class Chess(Turns):
    record = True
    title = "A game of turns"


def game_of(path: Path) -> str:
    with Replay.open(path) as replay:
        return replay.header.game


class Filmed:
    """A server with two recordings, and what really happened in the first."""

    def __init__(self, server: RunningServer, folder: Path) -> None:
        self.server = server
        self.jungle, self.chess = (
            next(path.stem for path in folder.iterdir() if game_of(path) == game)
            for game in ("jungle", "chess")
        )
        self.file = folder / f"{self.jungle}.mtr"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filmed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Filmed]:
    data = tmp_path_factory.mktemp("data")
    settings = Settings(port=0, data_folder=str(data), database_url="none", empty_room_seconds=0.0)
    async with running([Arena, Chess], settings) as server:
        playing = asyncio.create_task(Bots(server.url, "jungle", BOTS, rate=20, seed=3).run())
        await eventually(lambda: server.recordings.folder.finished == 1)
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        async with json_client(server) as client:
            await client.join("chess")
            await client.say("chat_message", text="your move")
            for _ in range(3):
                await client.say("player_input", action={})
                await client.next("game_state")
            await client.say("player_input", action={"do": "close"})
            await client.next("error")
        await eventually(lambda: server.recordings.folder.finished == 2)
        yield Filmed(server, data / "replays")


Open = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(filmed: Filmed, browser: Browser) -> AsyncIterator[Open]:
    complaints: list[str] = []
    contexts = []

    async def open_page(path: str, **options: Any) -> Page:
        contexts.append(await browser.new_context(**(DESKTOP | options)))
        page = await contexts[-1].new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(filmed.server.url + path)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert complaints == []


async def watch(open_page: Open, id: str, **options: Any) -> Page:
    page = await open_page(f"/replay?id={id}", **options)
    await until(page, "monkeytown.timeline")
    return page


async def seek(page: Page, seconds: float) -> None:
    await page.evaluate(f"monkeytown.timeline.seek({seconds})")


async def test_a_jungle_is_watched_back_with_the_same_winner(open_page: Open, filmed: Filmed) -> None:
    assert len(Arena.winners) == 3
    page = await watch(open_page, filmed.jungle)
    await page.evaluate("monkeytown.replay.pause()")
    await seek(page, ROUND - 0.2)
    await until(page, f"monkeytown.monkeys.length === {BOTS}")
    assert await page.locator("#round").is_hidden()
    await page.keyboard.press("Space")
    await until(page, "!document.querySelector('#round').hidden")
    await page.keyboard.press("Space")
    shown = await page.locator("#winners li").all_text_contents()
    assert shown == [f"{best['name']} {best['bananas']}" for best in Arena.winners]
    await page.screenshot(path=OUT / "replay-jungle.png")
    # Right before that, everybody had in the recording what they really had.
    with Replay.open(filmed.file) as replay:
        replay.seek(ROUND - 0.1)
        assert {monkey.name: monkey.bananas for monkey in replay.tables["monkeys"]} == Arena.gathered
        bananas = await page.evaluate(
            f"monkeytown.timeline.seek({ROUND - 0.15}).then(() => Object.fromEntries("
            "[...monkeytown.room.tables.monkeys].map(monkey => [monkey.name, monkey.bananas])))"
        )
        tick = await page.evaluate("monkeytown.room.tick")
        replay.seek((tick - replay.recording.index.blocks[0].at) / 60)
        assert (
            bananas == {monkey.name: monkey.bananas for monkey in replay.tables["monkeys"]} == Arena.gathered
        )
    assert Arena.winners[0]["bananas"] == max(Arena.gathered.values())


async def test_what_the_browser_shows_has_the_hashes_that_the_room_had(
    open_page: Open, filmed: Filmed
) -> None:
    page = await watch(open_page, filmed.jungle)
    await page.evaluate("monkeytown.replay.pause()")
    with Replay.open(filmed.file) as replay:
        for seconds in (0, 1.1, 2.3, 3.9, 0.4):
            await seek(page, seconds)
            shown, tick = await page.evaluate("[monkeytown.replay.stateHash(), monkeytown.replay.tick]")
            replay.seek((tick - replay.recording.index.blocks[0].at) / 60)
            assert (replay.tick, replay.state_hash()) == (tick, shown)


async def test_it_is_played_paused_and_sought_by_keys_and_by_the_bar(open_page: Open, filmed: Filmed) -> None:
    page = await watch(open_page, filmed.jungle)
    await until(page, "monkeytown.replay.seconds > 0.3")
    await page.keyboard.press("Space")
    assert await page.evaluate("monkeytown.replay.playing") is False
    stood = await page.evaluate("monkeytown.replay.seconds")
    await page.keyboard.press("ArrowRight")
    length = await page.evaluate("monkeytown.replay.length")
    await until(page, f"monkeytown.replay.seconds === {min(length, stood + 5)}")
    await page.keyboard.press("ArrowLeft")
    await until(page, f"monkeytown.replay.seconds <= {max(0, length - 5) + 0.001}")
    await page.keyboard.press("End")
    await until(page, "monkeytown.replay.seconds === monkeytown.replay.length")
    box = await page.locator("#seek").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] / 2)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=6)
    await page.mouse.up()
    middle = length / 2
    await until(page, f"Math.abs(monkeytown.replay.seconds - {middle}) < {length * 0.05}")
    await until(
        page, "document.querySelector('#time').textContent === `0:0${Math.floor(monkeytown.replay.seconds)}`"
    )
    await page.locator("#speed").select_option("8")
    await page.locator("#play").click()
    await until(page, "monkeytown.replay.seconds === monkeytown.replay.length && !monkeytown.replay.playing")


async def test_who_came_and_what_was_said_is_shown_as_it_happened(open_page: Open, filmed: Filmed) -> None:
    page = await watch(open_page, filmed.jungle)
    await page.evaluate("monkeytown.replay.pause()")
    await seek(page, 0)
    assert "round" not in (await page.locator("#log").text_content() or "")
    await seek(page, 3.8)
    await says(page, "#log", "has come")
    await says(page, "#log", "round")
    await until(page, f"document.querySelector('#player-count').textContent === '{BOTS}'")
    await seek(page, 0)
    await until(page, "!document.querySelector('#log').textContent.includes('round')")
    await until(page, "document.querySelector('#player-count').textContent === '0'")


async def test_a_monkey_that_is_pressed_is_followed(open_page: Open, filmed: Filmed) -> None:
    page = await watch(open_page, filmed.jungle)
    await page.evaluate("monkeytown.replay.pause()")
    await seek(page, 2)
    await until(page, "monkeytown.monkeys.length > 0")
    box = await page.locator("#arena").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await until(page, "document.querySelector('#places .own')")
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await until(page, "!document.querySelector('#places .own')")


async def test_a_game_of_turns_is_watched_in_the_client_for_any_game(open_page: Open, filmed: Filmed) -> None:
    page = await watch(open_page, filmed.chess)
    await says(page, "#title", "A game of turns")
    await page.evaluate("monkeytown.replay.pause()")
    await seek(page, 0)
    assert await page.evaluate("monkeytown.room.tables.dots.at(0).x") == 0
    await seek(page, 1000)
    assert await page.evaluate("monkeytown.room.tables.dots.at(0).x") == 3
    await says(page, "#log", "your move")
    await says(page, "#log", "that was all")
    await page.screenshot(path=OUT / "replay-turns.png")


async def test_it_works_on_a_phone(open_page: Open, filmed: Filmed) -> None:
    page = await watch(open_page, filmed.jungle, color_scheme="dark", **PHONE)
    await until(page, "monkeytown.replay.seconds > 0.5")
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, "nothing stands out at the side"
    await page.locator("#play").tap()
    assert await page.evaluate("monkeytown.replay.playing") is False
    box = await page.locator("#seek").bounding_box()
    assert box is not None
    await page.touchscreen.tap(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    length = await page.evaluate("monkeytown.replay.length")
    await until(page, f"Math.abs(monkeytown.replay.seconds - {0.75 * length}) < {0.1 * length}")
    await page.screenshot(path=OUT / "replay-phone.png")


async def test_recordings_are_found_in_a_list(open_page: Open, filmed: Filmed) -> None:
    page = await open_page("/replay")
    await says(page, "#replays", "A game of turns")
    assert await page.locator("#replays li").count() == 2
    await page.locator("#replays a", has_text="Jungle").click()
    await until(page, "window.monkeytown?.replay?.game === 'jungle'")
    moment = await open_page(f"/replay?id={filmed.jungle}&t=3")
    await until(moment, "monkeytown.replay?.seconds >= 3")


@pytest.mark.parametrize("id", ["nothing", "..%2Fsecret", "", "x" * 80])
async def test_a_recording_that_is_not_there_is_said_so(filmed: Filmed, browser: Browser, id: str) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{filmed.server.url}/replay?id={id}")
    await says(page, "#problem", "no such recording")
    await context.close()
