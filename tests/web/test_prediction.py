"""Jungle's page over a bad connection, in a real Chromium: the player's own monkey does at once what the player does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from statistics import median
from typing import Any

from tests.conftest import Serve

from monkeytown.games.jungle import Jungle

OUT = Path(__file__).parent.parent / "out"
PATIENCE = 15.0  # seconds
LATENCY = 200  # milliseconds
PRESSES = 5

TURN = """code => new Promise(done => {
    const heading = () => monkeytown.monkeys.find(monkey => monkey.own).heading;
    const press = kind => document.body.dispatchEvent(new KeyboardEvent(kind, {code, bubbles: true}));
    const before = heading(), pressed = performance.now();
    let frames = 0;
    const look = () => {
        frames++;
        if (Math.abs(heading() - before) < 0.05) return requestAnimationFrame(look);
        press("keyup");
        done({frames, milliseconds: performance.now() - pressed});
    };
    press("keydown");
    requestAnimationFrame(look);
})"""

# Once the monkey has been drawn as the server has it for longer than a round trip: nothing is on its way that turns it.
IS_STEADY = """() => new Promise(done => {
    let since = performance.now();
    const look = () => {
        const {room, monkeys} = monkeytown;
        if (monkeys.find(monkey => monkey.own).heading !== room.entity.heading) since = performance.now();
        performance.now() - since > 500 ? done() : requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
})"""


# What of the panel a phone would not show.
BESIDE_THE_PAGE = """[...document.querySelectorAll("#network, #network *")].filter(part => {
    const {left, right, top, bottom} = part.getBoundingClientRect();
    return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight;
}).map(part => part.outerHTML)"""


async def until(page: Any, expression: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await page.evaluate(expression):  # noqa: ASYNC110 - the page has no events for this
            await asyncio.sleep(0.03)


async def turns(page: Any) -> list[dict[str, Any]]:
    """What it took until a turn was drawn, a few times."""
    found = []
    for press in range(PRESSES):
        await page.evaluate(IS_STEADY)
        found.append(await page.evaluate(TURN, ("ArrowRight", "ArrowLeft")[press % 2]))
    return found


async def test_ones_own_monkey_turns_at_once_over_a_slow_connection(
    server: Serve, browser_context: Any
) -> None:
    page = await browser_context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.set_viewport_size({"width": 800, "height": 540})
    await page.goto(f"{(await server(Jungle)).url}/jungle?name=Ada")
    await until(
        page, "monkeytown.prediction?.stats.ahead > 0 && monkeytown.monkeys.some(monkey => monkey.own)"
    )
    await page.click("#network-toggle")
    for _ in range(LATENCY // 10):
        await page.keyboard.press("ArrowRight")
    assert await page.locator("output[for=latency]").text_content() == f"{LATENCY} ms"
    # Ticks of a sixtieth of a second; most of the way, as what is drawn comes to it slowly.
    await until(page, f"monkeytown.prediction.stats.ahead > {LATENCY * 0.06 * 0.9}")
    at_once = await turns(page)
    await page.keyboard.press("Tab")
    await page.locator("#predict").press("Space")
    late = await turns(page)
    await page.screenshot(path=OUT / "jungle-network.png")
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await page.evaluate(BESIDE_THE_PAGE) == []
    await page.keyboard.press("Escape")
    assert await page.locator("#network").is_hidden()

    # The rules look at who wants what every three ticks: on a slow machine that is a frame or two.
    assert (
        median(turn["frames"] for turn in at_once) <= 4
        or median(turn["milliseconds"] for turn in at_once) <= 100
    )
    assert min(turn["milliseconds"] for turn in late) > LATENCY * 0.75
    assert complaints == []
