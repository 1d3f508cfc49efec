"""python-socketio on uvicorn: the state of a room as JSON to everybody in it, or one binary message (PEER_BYTES)."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import numpy as np
import socketio
import uvicorn
from common import FRAME, PERIOD, PORT, ROOM

server = socketio.AsyncServer(async_mode="asgi", transports=["websocket"])
motion = np.fromfile(os.environ["PEER_MOTION"], np.float32).reshape(-1, 50, 4) if not FRAME else None
rooms: list[list[dict[str, Any]]] = []


async def play(number: int, players: list[dict[str, Any]]) -> None:
    """The ticks of one room. An emit is awaited, as it must be, so a tick is late when the one before was."""
    loop, tick = asyncio.get_running_loop(), number * 37
    due = loop.time()
    while True:
        due = max(due + PERIOD, loop.time() - PERIOD)
        await asyncio.sleep(due - loop.time())
        if motion is None:
            await server.emit("message", FRAME, room=str(number))
            continue
        tick += 1
        span = len(motion) - 1
        at = tick % (2 * span)
        for player, values in zip(players, motion[min(at, 2 * span - at)].tolist(), strict=False):
            player["x"], player["y"], player["heading"], player["speed"] = values
        await server.emit("state", players, room=str(number))


@server.event
async def connect(sid: str, environ: dict[str, Any]) -> None:
    number = next((n for n, players in enumerate(rooms) if len(players) < ROOM), len(rooms))
    if number == len(rooms):
        rooms.append([])
        server.start_background_task(play, number, rooms[number])
    rooms[number].append({"id": sid, "x": 0, "y": 0, "heading": 0, "speed": 0})
    await server.enter_room(sid, str(number))


uvicorn.run(
    socketio.ASGIApp(server), host="127.0.0.1", port=PORT, loop="uvloop", log_level="warning", backlog=4096
)
