"""Every game that the README and the tutorial show is played by two people, each in a window of their own."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from monkeytown.cli.loading import load
from tests.conftest import Serve
from tests.docs.pages import ROOT, Block, blocks

TIMEOUT = 15
GAMES = [
    block
    for page in (ROOT / "README.md", ROOT / "docs/tutorial/first-game.md")
    for block in blocks(page)
    if block.options.get("file") == "dots.py"
]


async def until(page: Any, expression: str) -> None:
    """Wait in the page. (Playwright's own waiting needs `eval`, which the pages forbid.)"""
    async with asyncio.timeout(TIMEOUT):
        while not await page.evaluate(expression):  # noqa: ASYNC110 - the page has no events for this
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("game", GAMES, ids=lambda block: f"line {block.line}")
async def test_two_windows_see_each_other_move(
    game: Block, tmp_path: Path, server: Serve, browser_context: Any
):
    path = tmp_path / f"shown_at_line_{game.line}.py"
    path.write_text(game.text)
    url = (await server(load(str(path)))).url
    ada, bo = await browser_context.new_page(), await browser_context.new_page()
    complaints: list[str] = []
    for page, name in ((ada, "Ada"), (bo, "Bo")):
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"{url}/?name={name}")
        await until(page, "monkeytown.room?.entity")
    await until(ada, "monkeytown.room.tables.dots.size === 2")
    await ada.bring_to_front()
    await ada.keyboard.down("ArrowRight")
    await until(bo, "Math.max(...[...monkeytown.room.tables.dots].map(dot => dot.x)) > 345")
    await ada.keyboard.up("ArrowRight")
    assert await bo.evaluate("monkeytown.room.entity.x") == 320
    assert await ada.evaluate("monkeytown.room.entity.x") > 345
    assert complaints == []


def test_there_are_games_to_play():
    assert len(GAMES) == 4
