"""websockets: one prebuilt frame to everybody in a room by `broadcast`, on uvloop."""

from __future__ import annotations

import asyncio

import uvloop
from common import FRAME, PORT, ROOM, every_tick
from websockets.asyncio.server import ServerConnection, broadcast, serve

rooms: list[set[ServerConnection]] = []


async def play(connection: ServerConnection) -> None:
    room = next((room for room in rooms if len(room) < ROOM), None)
    if room is None:
        opened: set[ServerConnection] = set()
        rooms.append(opened)
        every_tick(lambda: broadcast(opened, FRAME))
        room = opened
    room.add(connection)
    try:
        async for _ in connection:
            pass
    finally:
        room.discard(connection)


async def main() -> None:
    async with serve(play, "127.0.0.1", PORT, compression=None, backlog=4096):
        await asyncio.get_running_loop().create_future()


uvloop.run(main())
