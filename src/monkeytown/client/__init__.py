"""The Python client: connect, join, play; for bots, tests and tools.

    async with await connect("ws://127.0.0.1:8000/ws", name="Ada") as client:
        room = await client.join("jungle")
        room.on("chat", lambda said: print(said["name"], said["text"]))
        room.input(turn=-1, run=True)
        for monkey in room.tables["monkeys"]:
            print(monkey.name, monkey.x, monkey.y)

The same shape as the JavaScript client's; `src/monkeytown/web/monkeytown.d.ts` says what each part promises.
"""

from monkeytown.client.connection import Client, connect
from monkeytown.client.events import ConnectionLost, Reconnected, Reconnecting
from monkeytown.client.link import Closed
from monkeytown.client.room import Player, Room, State

__all__ = [
    "Client",
    "Closed",
    "ConnectionLost",
    "Player",
    "Reconnected",
    "Reconnecting",
    "Room",
    "State",
    "connect",
]
