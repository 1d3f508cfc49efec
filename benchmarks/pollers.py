"""Players who poll, many in one process: raw HTTP/1.1 over kept connections, and of the wire what it takes to go on.

States are counted and must continue one another; one player in fifty decodes them as well.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from monkeytown._core.inputs import Layout
from monkeytown._core.wire import Reader
from monkeytown.client import messages
from monkeytown.client.mirror import Mirror, input_layout
from monkeytown.position import Position
from monkeytown.readers.polling import blobs

__all__ = ["Http", "Poller", "play"]

HEAD = b"POST /poll HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"
DECODES = 50
PATIENCE = 60.0


class Http:
    """A kept connection to `/poll`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Http:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, said: list[bytes]) -> list[bytes] | None:
        """The messages of an answer; None if the server knows nothing of this polling connection."""
        body = blobs(said)
        self._writer.write(HEAD % len(body) + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        assert status in (200, 204, 410), head
        if status == 204:
            return []
        at = head.lower().index(b"content-length:") + 15
        content = await self._reader.readexactly(int(head[at : head.index(b"\r", at)]))
        if status == 410:
            return None
        reader, messages = Reader(content), []
        while reader.remaining:
            messages.append(reader.raw(reader.varint()))
        return messages

    def close(self) -> None:
        self._writer.close()


class Poller:
    """One player. `action` is what it sends with each poll."""

    def __init__(self, port: int, game: str, action: dict[str, object], *, decodes: bool) -> None:
        self.port = port
        self.game = game
        self.action = action
        self.states = 0
        self.round_trips: list[float] = []
        self.mirror: Mirror | None = None
        self.position: Position | None = None
        self._decodes = decodes
        self._token = ""
        self._layout: Layout | None = None
        self._polls = self._heard = self._inputs = self._seen = 0
        self._sent_at: dict[int, float] = {}

    async def run(self) -> None:
        """Plays until cancelled."""
        http = await Http.open(self.port)
        try:
            join = b"\x02" + msgspec.msgpack.encode({"gameId": self.game})
            self._take(await http.ask([b"\x01\x80", b"\x08\x01" + join]))
            while True:
                self._polls += 1
                about = {"session": self._token, "number": self._polls, "heard": self._heard, "wait": 1}
                said = [b"\x09" + msgspec.msgpack.encode(about)]
                if self._layout is not None:
                    self._inputs += 1
                    self._sent_at[self._inputs] = time.monotonic()
                    record = self._layout.input_class(**self.action)
                    said.append(self._layout.pack(record, self._inputs))
                self._take(await http.ask(said))
                self._heard = self._polls
        finally:
            http.close()

    def _take(self, answer: list[bytes] | None) -> None:
        assert answer is not None, "the polling connection is gone"
        for data in answer:
            if data[0] == messages.GAME_STATE:
                self._state(data)
            elif data[0] == messages.PRIVATE:
                self._private(data)
            else:
                payload: Any = messages.decode(data)
                if payload.type == "welcome":
                    self._token = payload.payload.session
                elif payload.type == "schema":
                    schema = msgspec.to_builtins(payload.payload)
                    self.mirror, self._layout = Mirror(schema), input_layout(schema)

    def _state(self, data: bytes) -> None:
        self.states += 1
        if self._decodes:
            assert self.mirror is not None
            self.position = self.mirror.apply(data, self.position).position
            return
        reader = Reader(data[1:])
        flags = reader.u8()
        epoch, tick = reader.varint(), reader.varint64()
        assert flags & 1 or self.position == (epoch, tick - reader.varint()), "a state that does not continue"
        self.position = Position(epoch, tick)

    def _private(self, data: bytes) -> None:
        if not data[1] & 1:
            return
        seen, now = Reader(data[2:]).varint(), time.monotonic()
        for number in range(self._seen + 1, seen + 1):
            self.round_trips.append(now - self._sent_at.pop(number))
        self._seen = seen


async def play(
    port: int, game: str, players: int, seconds: float, action: dict[str, object]
) -> tuple[list[Poller], list[int]]:
    """So many players, for so long once all have had their first state; and the states that each got in that time."""
    pollers = [Poller(port, game, action, decodes=number % DECODES == 0) for number in range(players)]
    tasks = [asyncio.create_task(one.run()) for one in pollers]
    try:
        async with asyncio.timeout(PATIENCE):
            while not all(one.states for one in pollers):  # noqa: ASYNC110 (nothing tells us)
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        before = [one.states for one in pollers]
        for one in pollers:
            one.round_trips.clear()
        began = time.monotonic()
        await asyncio.sleep(seconds)
        took = time.monotonic() - began
        states = [
            round((one.states - then) * seconds / took) for one, then in zip(pollers, before, strict=True)
        ]
        failed = [task.exception() for task in tasks if task.done()]
        assert not failed, failed[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return pollers, states
