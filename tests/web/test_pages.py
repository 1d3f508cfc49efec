"""The pages in a real Chromium, against the real server: both games are played, the client that draws any game is looked at.

Pages are asked through `window.monkeytown`, the small handle they offer to the curious. Every page must stay free of
console errors, and so of breaches of its Content-Security-Policy. Pictures are left in tests/out/.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from tests.web.steppe import INHABITANTS, Steppe

from monkeytown.games.jungle import Jungle
from monkeytown.games.tictactoe import TicTacToe
from monkeytown.server.app import running
from monkeytown.server.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

OUT = Path(__file__).parent.parent / "out"
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
SMALL = {"viewport": {"width": 800, "height": 540}}  # less to draw, where several pages share a slow machine
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
PATIENCE = 10.0  # seconds until a page must have got somewhere
JUNGLE = "/jungle"
TICTACTOE = "/tictactoe"

Open = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="module")
async def url() -> AsyncIterator[str]:
    async with running([Jungle, TicTacToe, Steppe], Settings(port=0)) as server:
        yield server.url


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(url: str, browser: Browser) -> AsyncIterator[Open]:
    """Opens pages, each in a context of its own, as if by different people; at the end none may have complained."""
    complaints: list[str] = []
    contexts = []

    async def open_page(
        path: str, *, prepare: Callable[[Page], Awaitable[None]] | None = None, **options: Any
    ) -> Page:
        context = await browser.new_context(**(SMALL | options))
        contexts.append(context)
        page = await context.new_page()
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if prepare:
            await prepare(page)
        await page.goto(url + path)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert complaints == []


async def until(page: Page, expression: str) -> Any:
    """What the expression gives once it is true. (Playwright's own waiting needs `eval`, which these pages forbid.)"""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not (found := await page.evaluate(expression)):
        assert asyncio.get_running_loop().time() < deadline, f"never came true: {expression}"
        await asyncio.sleep(0.03)
    return found


async def seen(page: Page, name: str) -> dict[str, Any]:
    """A monkey as this page draws it."""
    found: dict[str, Any] = await until(page, f"monkeytown.monkeys.find(monkey => monkey.name === '{name}')")
    return found


async def jungle(open_page: Open, name: str, **options: Any) -> Page:
    page = await open_page(f"{JUNGLE}?name={name}", **options)
    await until(page, "monkeytown.monkeys.some(monkey => monkey.own)")
    return page


async def tictactoe(open_page: Open, room: str, *names: str) -> list[Page]:
    """Pages of one room, joined in this order."""
    pages: list[Page] = []
    for name in names:
        pages.append(await open_page(f"{TICTACTOE}?name={name}{room}"))
        await until(pages[-1], "monkeytown.room?.entity")
        room = "#" + await pages[-1].evaluate("monkeytown.room.id")
    return pages


async def says(page: Page, selector: str, words: str) -> None:
    await until(page, f"document.querySelector('{selector}')?.textContent.includes('{words}')")


async def press(page: Page, cell: int) -> None:
    await page.locator("#board button").nth(cell).click()


def turned(before: float, after: float) -> float:
    """By how much a heading changed, the short way round."""
    return (after - before + math.pi) % math.tau - math.pi


# Jungle


RECORD_STATES = """() => new Promise(done => {
    const {room} = monkeytown, places = {};
    const stop = room.on("state", ({tick}) => {
        const monkey = [...room.tables.monkeys].find(monkey => monkey.name === "Ada");
        places[tick] = [monkey.x, monkey.y, monkey.heading];
        if (Object.keys(places).length === 40) { stop(); done(places); }
    });
})"""

RECORD_FRAMES = """() => new Promise(done => {
    const places = [];
    const look = () => {
        const {x, y} = monkeytown.monkeys.find(monkey => monkey.name === "Ada");
        places.push([monkeytown.tick, x, y]);
        places.length < 60 ? requestAnimationFrame(look) : done(places);
    };
    requestAnimationFrame(look);
})"""


async def test_two_pages_hold_the_same_jungle_tick_by_tick(open_page: Open) -> None:
    ada, grace = await asyncio.gather(jungle(open_page, "Ada"), jungle(open_page, "Grace", **DESKTOP))
    await asyncio.gather(seen(ada, "Grace"), seen(grace, "Ada"))
    await ada.keyboard.down("ArrowRight")
    ours, theirs = await asyncio.gather(ada.evaluate(RECORD_STATES), grace.evaluate(RECORD_STATES))
    await ada.keyboard.up("ArrowRight")
    common = ours.keys() & theirs.keys()
    assert len(common) > 10
    assert all(ours[tick] == theirs[tick] for tick in common)
    await grace.screenshot(path=OUT / "jungle.png")


async def test_another_players_monkey_glides(open_page: Open) -> None:
    ada, grace = await asyncio.gather(jungle(open_page, "Ada"), jungle(open_page, "Grace"))
    await seen(grace, "Ada")
    await ada.keyboard.down("ArrowLeft")  # in a circle, so that no wall is in the way
    await asyncio.sleep(0.3)
    frames = await grace.evaluate(RECORD_FRAMES)
    steps = [
        (later[0] - earlier[0], math.dist(earlier[1:], later[1:])) for earlier, later in pairwise(frames)
    ]
    assert all(ticks >= 0 for ticks, _ in steps), "it goes back in time"
    assert sum(distance > 0 for _, distance in steps) > 30, "it stands still"
    # A monkey walks 2.5 units a tick; the wire's sixteenths and directions add a little. Near a wall it is slower.
    assert all(distance < 1.1 * 2.5 * ticks + 0.2 for ticks, distance in steps), "it jumps"
    here, there = await asyncio.gather(seen(ada, "Ada"), seen(grace, "Ada"))
    assert math.dist((here["x"], here["y"]), (there["x"], there["y"])) < 120


async def test_the_keyboard_turns_and_runs(open_page: Open) -> None:
    page = await jungle(open_page, "Ada")
    before = (await seen(page, "Ada"))["heading"]
    await page.keyboard.down("ArrowRight")
    await asyncio.sleep(0.3)
    await page.keyboard.up("ArrowRight")
    await until(page, f"Math.abs(monkeytown.monkeys.find(monkey => monkey.own).heading - {before}) > 0.3")
    await page.keyboard.down("Space")
    await until(page, "monkeytown.room.entity.running")
    await page.keyboard.up("Space")
    await until(page, "!monkeytown.room.entity.running")


async def test_a_thumb_steers_on_a_phone(open_page: Open) -> None:
    page = await jungle(open_page, "Ada", **PHONE)
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide == PHONE["viewport"]["width"], "the page scrolls sideways"
    touch = await page.context.new_cdp_session(page)
    before = (await seen(page, "Ada"))["heading"]
    aim = before + math.pi / 2
    start = {"x": 150.0, "y": 600.0}
    pulled = {"x": start["x"] + 50 * math.cos(aim), "y": start["y"] + 50 * math.sin(aim)}
    await touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [start]})
    await touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [pulled]})
    await until(page, "document.querySelector('#stick.held')")
    facing = f"Math.cos(monkeytown.room.entity.heading - {aim}) > 0.97"
    await until(page, facing)
    await page.screenshot(path=OUT / "jungle-phone.png")
    await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    await until(page, "!document.querySelector('#stick.held')")


async def test_what_players_write_stays_text(open_page: Open) -> None:
    ada, grace = await asyncio.gather(jungle(open_page, "<b>Ada</b>"), jungle(open_page, "Grace"))
    await ada.locator("#chat input").fill("<img src=x onerror=alert(1)>")
    await ada.locator("#chat input").press("Enter")
    await says(grace, "#chat li", "<b>Ada</b> <img src=x onerror=alert(1)>")
    assert await grace.locator("#chat img").count() == 0


async def test_a_lost_connection_is_told_and_repaired(open_page: Open) -> None:
    connections: list[Any] = []

    async def stand_between(page: Page) -> None:
        def connect(route: Any) -> None:
            connections.append(route)
            route.connect_to_server()

        await page.route_web_socket("**/ws", connect)

    page = await jungle(open_page, "Ada", prepare=stand_between)
    await connections[-1].close(code=4000, reason="test")
    await until(page, "!document.querySelector('.banner').hidden")
    await until(page, "document.querySelector('.banner').hidden")
    await until(page, "monkeytown.monkeys.some(monkey => monkey.own)")
    assert len(connections) == 2


async def test_without_websockets_a_page_is_played_by_polls(open_page: Open) -> None:
    async def let_none_through(page: Page) -> None:
        await page.route_web_socket("**/ws", lambda route: route.close())

    page = await jungle(open_page, "Ada", prepare=let_none_through)
    await until(page, "monkeytown.room.client.transport === 'polling'")
    await until(page, "monkeytown.monkeys.some(monkey => monkey.own)")
    await page.reload()
    await until(page, "monkeytown.room?.players.size === 1")


# Tic-tac-toe


async def test_tictactoe_is_played_to_a_win_and_again(open_page: Open) -> None:
    ada, grace, linus = await tictactoe(open_page, "", "Ada", "Grace", "Linus")
    await says(ada, "#status", "Your turn.")
    await says(grace, "#status", "Ada’s turn.")
    await says(linus, "#spectators", "Watching: Linus")
    for player, cell in ((ada, 0), (grace, 1), (ada, 4), (grace, 2), (ada, 8)):
        await says(player, "#status", "Your turn.")
        await press(player, cell)
    await says(ada, "#status", "You win!")
    await says(grace, "#status", "Ada wins.")
    await says(linus, "#status", "Ada wins.")
    assert await linus.locator("#board .won").count() == 3
    await ada.wait_for_timeout(700)  # until the line is drawn, for the picture
    await ada.screenshot(path=OUT / "tictactoe.png")
    await ada.click("#rematch")
    await says(grace, "#rematch", "Ada wants a rematch")
    await grace.click("#rematch")
    await says(grace, "#status", "Your turn.")
    assert await linus.locator("#board .mark").count() == 0


async def test_a_move_against_the_rules_is_explained(open_page: Open) -> None:
    ada, grace = await tictactoe(open_page, "", "Ada", "Grace")
    await says(ada, "#status", "Your turn.")
    await press(grace, 4)
    await says(grace, ".toast.error", "It is not your turn.")
    await press(ada, 4)
    await says(grace, "#status", "Your turn.")
    await press(grace, 4)
    await until(
        grace, "[...document.querySelectorAll('.toast')].some(toast => toast.textContent.includes('taken'))"
    )


async def test_tictactoe_needs_no_mouse(open_page: Open) -> None:
    ada, _ = await tictactoe(open_page, "", "Ada", "Grace")
    await says(ada, "#status", "Your turn.")
    await ada.locator("#board button[tabindex='0']").focus()
    for key in ("ArrowLeft", "ArrowUp", "Enter"):
        await ada.keyboard.press(key)
    await until(
        ada, "document.querySelector('#board button').getAttribute('aria-label') === 'Row 1, column 1: X'"
    )


async def test_tictactoe_fits_a_phone_in_the_dark(open_page: Open) -> None:
    page = await open_page(f"{TICTACTOE}?name=Ada", color_scheme="dark", **PHONE)
    await says(page, "#status", "Waiting for somebody")
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["viewport"]["width"]
    bottom = await page.evaluate("document.querySelector('#board').getBoundingClientRect().bottom")
    assert bottom < PHONE["viewport"]["height"]
    await page.screenshot(path=OUT / "tictactoe-phone.png")


# The client that draws any game


COLOURS_OF_FIELD = """() => {
    const canvas = document.querySelector(".field canvas");
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
}"""


async def test_the_client_for_any_game_draws_jungle(open_page: Open) -> None:
    page = await open_page("/client?game=jungle&name=Ada", **DESKTOP)
    await until(page, "monkeytown.room?.entity")
    assert await page.locator(".field").count() == 1, "monkeys and bananas share one field"
    await says(page, ".legend", "bananas 160")
    assert await page.evaluate(COLOURS_OF_FIELD) > 20
    await page.locator("summary", has_text="monkeys").click()
    await says(page, ".rows .own", "Ada")
    before = await page.evaluate("monkeytown.room.entity.heading")
    await page.keyboard.down("ArrowRight")
    await until(page, f"Math.abs(monkeytown.room.entity.heading - {before}) > 0.2")
    await page.keyboard.up("ArrowRight")
    await says(page, "#states", "6")  # about sixty a second
    await page.screenshot(path=OUT / "client-jungle.png")


async def test_the_client_for_any_game_draws_tictactoe(open_page: Open) -> None:
    page = await open_page("/client?game=tictactoe&name=Ada", color_scheme="dark", **DESKTOP)
    await until(page, "monkeytown.room?.entity")
    await says(page, ".rows .own", "Ada")
    await page.locator("#controls textarea").fill('{"place": 4}')
    await page.locator("#controls button").click()
    await says(page, ".toast.error", "Wait for a second player.")
    await page.screenshot(path=OUT / "client-tictactoe.png", full_page=True)


RING_IN_THE_MIDDLE = """() => {
    const canvas = document.querySelector(".field canvas");
    const context = canvas.getContext("2d");
    const half = 24; // CSS pixels, where the ring is that only one's own entity has
    const {data} = context.getImageData(canvas.width / 2 - half, canvas.height / 2 - half, 2 * half, 2 * half);
    let ring = 0;
    for (let at = 0; at < data.length; at += 4)
        ring += data[at] === 0xd2 && data[at + 1] === 0x4b && data[at + 2] === 0x1f;
    return ring;
}"""

OUT_OF_SIGHT = """() => {
    const {room} = monkeytown, {x, y, size} = room.area, {near, far} = room.view;
    const cells = new Set([...near, ...far]);
    const outside = [...room.tables.walkers].filter(walker => {
        const column = Math.floor((walker.x - x) / size), row = Math.floor((walker.y - y) / size);
        // a row may be a little beyond the border of its cell
        return ![-1, 0, 1].some(c => [-1, 0, 1].some(r => cells.has((row + r) * room.area.columns + column + c)));
    });
    return outside.length;
}"""


async def test_the_client_for_any_game_follows_ones_own_entity_through_a_large_world(open_page: Open) -> None:
    page = await open_page("/client?game=steppe&name=Ada", **DESKTOP)
    await until(page, "monkeytown.room?.entity")
    assert 1 < await page.evaluate("monkeytown.room.tables.walkers.size") < INHABITANTS / 5
    assert await page.evaluate(OUT_OF_SIGHT) == 0
    await says(page, ".legend", "in sight")
    before = await page.evaluate("monkeytown.room.entity.x")
    cells = await page.evaluate("monkeytown.room.view.near.join()")
    await until(page, f"monkeytown.room.view.near.join() !== '{cells}'")
    assert await page.evaluate("monkeytown.room.entity.x") > before
    assert await page.evaluate(OUT_OF_SIGHT) == 0
    assert await page.evaluate("monkeytown.room.tables.walkers.size") < INHABITANTS / 5
    assert await page.evaluate(RING_IN_THE_MIDDLE) > 20, "the camera follows it"
    await page.screenshot(path=OUT / "client-steppe.png")


async def test_the_client_for_any_game_shows_all_to_one_who_watches_from_now_on(open_page: Open) -> None:
    page = await open_page("/client?game=steppe&name=Ada", **DESKTOP)
    await until(page, "monkeytown.room?.entity")
    await page.locator("#controls button").click()
    await until(page, f"monkeytown.room.tables.walkers.size > {INHABITANTS}")
    assert await page.evaluate("[monkeytown.room.area, monkeytown.room.view]") == [None, None]
    await says(page, ".legend", f"walkers {INHABITANTS + 1}")
    assert await page.locator(".field").count() == 1
    await page.locator("#controls button").click()
    await says(page, ".legend", "in sight")
    assert await page.evaluate("monkeytown.room.tables.walkers.size") < INHABITANTS / 5
