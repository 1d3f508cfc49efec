"""Players who decode what a server sends and hold it to what it should be. Not timed.

Frames of bytes are compared; Monkeytown's states are read by its own client and held to the motion, tick by tick; what needs
a client in JavaScript is read by verify.mjs.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from math import tau
from pathlib import Path

import numpy as np
from websockets.frames import Frame, Opcode

from benchmarks.peers import motion_file
from benchmarks.peers.environment import NODE
from monkeytown.client import Room, connect

__all__ = ["PLAYERS", "verify_arena", "verify_bytes", "verify_fanout", "verify_with_node"]

PLAYERS = 5
STATES = 240
HERE = Path(__file__).parent
# With the one key that the bare server has an answer to.
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def verify_bytes(port: int, size: int) -> None:
    """Every frame is whole, and its payload the `size` bytes that count up."""

    async def read() -> None:
        payload = bytes(index & 255 for index in range(size))
        frame = Frame(Opcode.BINARY, payload).serialize(mask=False)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE)
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        for _ in range(STATES):
            assert await reader.readexactly(len(frame)) == frame, "other bytes than were sent"
        writer.close()

    asyncio.run(asyncio.wait_for(read(), 15))


def verify_arena(port: int, motion: Path) -> None:
    """Monkeytown's rooms: each state is the next tick of the motion."""
    places = motion_file.read(motion)[:, :PLAYERS]
    ahead: list[int] = []  # by how much the motion is ahead of the room, once it is known

    def check(room: Room, tick: int) -> bool:
        movers = sorted(room.tables["movers"], key=lambda mover: mover.slot)
        if len(movers) < PLAYERS:
            return False
        seen = np.array([(m.x, m.y, round(m.heading * 256 / tau) % 256, m.speed) for m in movers])
        if not ahead:
            at = np.flatnonzero((places == seen).all(axis=(1, 2)))
            assert len(at) == 1, "a state that is nowhere in the motion"
            ahead.append(int(at[0]) - tick)
        np.testing.assert_array_equal(seen, places[tick + ahead[0]])
        return True

    asyncio.run(asyncio.wait_for(_watch(port, "arena", PLAYERS, check), 20))


def verify_fanout(port: int) -> None:
    """Monkeytown's one message: new in every tick."""

    def check(room: Room, tick: int) -> bool:
        payload = next(iter(room.tables["message"])).payload
        assert payload[8:] == bytes(range(8, len(payload)))
        assert int.from_bytes(payload[:8], "little") == tick, "the message of another tick"
        return True

    asyncio.run(asyncio.wait_for(_watch(port, "fanout", 1, check), 20))


async def _watch(port: int, game: str, players: int, check: Callable[[Room, int], bool]) -> None:
    """Joins, and holds STATES states of the first player to `check`, which says whether it could tell anything."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    checked = 0

    def state(room: Room, tick: int) -> None:
        nonlocal checked
        try:
            checked += check(room, tick)
        except AssertionError as error:
            if not done.done():
                done.set_exception(error)
        if checked >= STATES and not done.done():
            done.set_result(None)

    clients = [await connect(f"ws://127.0.0.1:{port}/ws") for _ in range(players)]
    rooms = [await client.join(game) for client in clients]
    rooms[0].on("state", lambda new: state(rooms[0], new.tick))
    await done
    for client in clients:
        await client.close()


def verify_with_node(kind: str, port: int, motion: Path, environment: dict[str, str]) -> None:
    command = [NODE, HERE / "verify.mjs", kind, port, motion, PLAYERS, STATES]
    done = subprocess.run(
        [*map(str, command)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stdout + done.stderr
