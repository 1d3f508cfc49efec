"""picows: one prebuilt frame to everybody in a room, on uvloop."""

from __future__ import annotations

import uvloop
from common import FRAME, PORT, ROOM, every_tick
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

rooms: list[set[WSTransport]] = []


def send(room: set[WSTransport]) -> None:
    for transport in room:
        transport.send(WSMsgType.BINARY, FRAME)


class Player(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        room = next((room for room in rooms if len(room) < ROOM), None)
        if room is None:
            opened: set[WSTransport] = set()
            rooms.append(opened)
            every_tick(lambda: send(opened))
            room = opened
        room.add(transport)
        self.room = room

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.room.discard(transport)


def accept(request: WSUpgradeRequest) -> WSListener:
    return Player()


async def main() -> None:
    server = await ws_create_server(accept, "127.0.0.1", PORT, backlog=4096)
    await server.serve_forever()


uvloop.run(main())
