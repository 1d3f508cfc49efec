"""Listening, not listening any more, and waiting."""

import asyncio

import pytest

from monkeytown.client.events import ConnectionLost, Emitter


def test_listeners_hear_in_order_until_they_stop():
    heard: list[tuple[str, int]] = []
    emitter = Emitter()
    stop = emitter.on("tick", lambda number: heard.append(("first", number)))
    emitter.on("tick", lambda number: heard.append(("second", number)))
    emitter.emit("tick", 1)
    stop()
    stop()
    emitter.emit("tick", 2)
    emitter.emit("tock", 3)
    assert heard == [("first", 1), ("second", 1), ("second", 2)]


def test_a_listener_may_stop_itself_while_it_is_told():
    emitter, heard = Emitter(), []

    def once(number: int) -> None:
        heard.append(number)
        emitter.off("tick", once)

    emitter.on("tick", once)
    emitter.on("tick", heard.append)
    emitter.emit("tick", 1)
    emitter.emit("tick", 2)
    assert heard == [1, 1, 2]


async def test_waiting_gives_the_next_for_which_the_condition_holds():
    emitter = Emitter()
    waiting = asyncio.create_task(emitter.wait("tick", lambda number: number > 2))
    await asyncio.sleep(0)
    for number in range(5):
        emitter.emit("tick", number)
    assert await waiting == 3
    emitter.emit("tick", 9)


async def test_waiting_ends_with_the_connection():
    emitter = Emitter()
    waiting = asyncio.create_task(emitter.wait("tick"))
    closing = asyncio.create_task(emitter.wait("close"))
    await asyncio.sleep(0)
    emitter.emit("close", "4506 over")
    with pytest.raises(ConnectionLost, match="4506 over"):
        await waiting
    assert await closing == "4506 over"
