"""Jungle's page while the network is not what it was: gone for a while, or one that lets no WebSocket through."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.chaos.proxy import Proxy
from tests.conftest import Serve

from monkeytown.games.jungle import Jungle

PATIENCE = 15.0  # seconds
AWAY = 20.0
# A page without a WebSocket looks for one that often.
CLIMB = 15.0

IS_PLAYING = "monkeytown.room?.client.state === 'open' && monkeytown.monkeys.some(monkey => monkey.own)"
WHO = "[monkeytown.room.client.id, monkeytown.room.entity.id, monkeytown.room.id]"
LISTEN = """() => {
    window.how = [];
    monkeytown.room.on("reconnected", event => window.how.push(event));
}"""


async def until(page: Any, expression: str, seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not await page.evaluate(expression):  # noqa: ASYNC110 - the page has no events for this
            await asyncio.sleep(0.03)


async def moves(page: Any) -> None:
    """The player steers, and states come in. (Alone at the edge of the arena, nothing moves and there are none.)"""
    tick, before = await page.evaluate("[monkeytown.room.tick, monkeytown.room.entity.heading]")
    await page.keyboard.down("ArrowRight")
    await until(page, f"Math.abs(monkeytown.room.entity.heading - {before}) > 0.1")
    await until(page, f"monkeytown.room.tick > {tick} + 30")
    await page.keyboard.up("ArrowRight")


async def test_play_goes_on_after_the_network_was_gone(server: Serve, browser_context: Any) -> None:
    page = await browser_context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    async with Proxy("127.0.0.1", (await server(Jungle)).port) as proxy:
        await page.goto(f"{proxy.url}/jungle?name=Ada")
        await until(page, IS_PLAYING)
        await moves(page)
        who = await page.evaluate(WHO)
        await page.evaluate(LISTEN)
        proxy.accepting = False
        await proxy.cut()
        await until(page, "!document.querySelector('.banner').hidden")
        await asyncio.sleep(AWAY)
        proxy.accepting = True
        await until(page, "window.how?.length === 1")
        assert await page.evaluate("window.how") == [
            {"sameRoom": True, "sameSchema": True, "resumed": "delta", "recovered": True, "lost": 0}
        ]
        await until(page, "document.querySelector('.banner').hidden")
        assert await page.evaluate(WHO) == who
        await moves(page)
        assert problems == []


async def test_a_page_plays_by_polls_until_websockets_are_let_through(
    server: Serve, browser_context: Any
) -> None:
    page = await browser_context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    blocked = True

    async def route(socket: Any) -> None:
        if blocked:
            await socket.close()
        else:
            socket.connect_to_server()

    await page.route_web_socket("**/ws", route)
    running = await server(Jungle)
    await page.goto(f"{running.url}/jungle?name=Ada")
    await until(page, IS_PLAYING)
    assert await page.evaluate("monkeytown.room.client.transport") == "polling"
    await moves(page)
    who = await page.evaluate(WHO)
    await page.evaluate(LISTEN)
    assert len(running.polls) == 1

    blocked = False
    await until(page, "monkeytown.room.client.transport === 'websocket'", CLIMB + PATIENCE)
    await moves(page)
    assert await page.evaluate(WHO) == who
    assert await page.evaluate("window.how.every(({resumed, recovered}) => resumed === 'delta' && recovered)")
    assert len(running.front.connections) == 1
    assert running.metrics.resumed["delta"] >= 1
    assert not running.metrics.resumed["snapshot"]
    assert sum(game.joins for game in running.metrics.games.values()) == 1
    assert problems == []
