"""Newcomers in their turn, under a clock that the test moves; then over sockets, while the turn is held back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.frames import Opcode
from websockets.typing import Subprotocol

from monkeytown._core.frames import frame
from monkeytown.protocol.close import CloseCode
from monkeytown.readers.admission import LEAST, STRETCH, Admission
from monkeytown.server.app import RunningServer
from tests.readers.clients import (
    JsonClient,
    bare,
    binary_client,
    empty,
    eventually,
    json_client,
    request,
    socket_url,
    upgraded,
)
from tests.readers.conftest import Serve


class Turns:
    """An admission whose event loop and clock are the test's: each call takes `cost` seconds."""

    def __init__(self, cost: float) -> None:
        self.cost = cost
        self.time = 0.0
        self.tick_due = False
        self.done: list[int] = []
        self.soon: list[Callable[[], None]] = []
        self.spent: list[float] = []
        self.admission = Admission(
            lambda: self.tick_due,
            now=lambda: self.time,
            call_soon=self.soon.append,
            spent=self.spent.append,
        )

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.admission.put(lambda number=number: self.take(number))  # type: ignore[misc]

    def take(self, number: int) -> None:
        self.time += self.cost
        if number < 0:
            raise RuntimeError("this one fails")
        self.done.append(number)

    def turn(self) -> int:
        """One turn of the loop; how many were let in."""
        before = len(self.done)
        (call,) = self.soon
        self.soon.clear()
        call()
        return len(self.done) - before


class TestTurns:
    def test_nothing_happens_before_put_returns(self) -> None:
        turns = Turns(0.0)
        turns.put(1, 2)
        assert not turns.done
        assert len(turns.soon) == 1
        assert len(turns.admission) == 2

    def test_all_at_once_if_there_is_time(self) -> None:
        turns = Turns(STRETCH / 100)
        turns.put(*range(50))
        assert turns.turn() == 50
        assert turns.done == list(range(50))
        assert not turns.soon

    def test_a_stretch_ends_and_the_loop_has_its_turn(self) -> None:
        turns = Turns(STRETCH / 4)
        turns.put(*range(10))
        assert [turns.turn(), turns.turn(), turns.turn()] == [4, 4, 2]
        assert turns.done == list(range(10))
        assert not turns.soon

    def test_a_tick_that_is_due_ends_it_sooner(self) -> None:
        turns = Turns(LEAST / 2)
        turns.tick_due = True
        turns.put(*range(5))
        assert turns.turn() == 2
        turns.tick_due = False
        assert turns.turn() == 3

    def test_one_is_let_in_however_late_it_is(self) -> None:
        turns = Turns(10 * STRETCH)
        turns.tick_due = True
        turns.put(1, 2)
        assert [turns.turn(), turns.turn()] == [1, 1]

    def test_one_that_fails_does_not_keep_the_others_out(self) -> None:
        turns = Turns(0.0)
        turns.put(1, -1, 2)
        with pytest.raises(RuntimeError):
            turns.turn()
        assert turns.turn() == 1
        assert turns.done == [1, 2]

    def test_who_comes_meanwhile_comes_last(self) -> None:
        turns = Turns(STRETCH)
        turns.put(1, 2)
        turns.turn()
        turns.put(3)
        assert len(turns.soon) == 1
        turns.turn()
        turns.turn()
        assert turns.done == [1, 2, 3]

    def test_it_says_what_newcomers_took_and_nothing_of_others(self) -> None:
        turns = Turns(STRETCH / 4)
        turns.put(1, 2)
        turns.turn()
        assert turns.spent == [pytest.approx(STRETCH / 2)]
        turns.admission.spend(lambda: turns.take(3) or False)
        assert len(turns.spent) == 1
        turns.admission.turn(lambda: turns.take(4) or False)
        assert turns.spent[1:] == [pytest.approx(STRETCH / 4)]
        turns.put(-1)
        with pytest.raises(RuntimeError):
            turns.turn()
        assert len(turns.spent) == 3

    @pytest.mark.parametrize(("cost", "finished"), [(STRETCH / 10, True), (STRETCH, False)])
    def test_it_says_whether_there_was_time_for_all(self, cost: float, finished: bool) -> None:
        turns = Turns(cost)
        left = 3

        def one() -> bool:
            nonlocal left
            turns.take(left)
            left -= 1
            return left > 0

        assert turns.admission.spend(one) is finished


class Held:
    """The turns of a server's newcomers, until the test lets them have them."""

    def __init__(self, server: RunningServer) -> None:
        self.calls: list[Callable[[], None]] = []
        self._admission = server.front.admission
        self._admission._call_soon = self.calls.append

    async def waiting(self, count: int) -> None:
        await eventually(lambda: len(self._admission) == count)

    def release(self) -> None:
        self._admission._call_soon = None
        for call in self.calls:
            call()
        self.calls.clear()


@pytest.fixture
async def held(server: RunningServer) -> AsyncIterator[Held]:
    held = Held(server)
    yield held
    held.release()


HELLO = frame(b"\x01" + msgspec.msgpack.encode({"name": "Ada"}), mask=b"1234")
JOIN = frame(b"\x02" + msgspec.msgpack.encode({"gameId": "turns"}), mask=b"1234")
CHAT = frame(b"\x05" + msgspec.msgpack.encode({"text": "hello"}), mask=b"1234")
HEARTBEAT = frame(b"\x06\x81\xa9timestamp\x05", mask=b"1234")


async def kinds(player: object, until: int) -> list[int]:
    """The kinds of the messages that come, up to one of this kind."""
    seen: list[int] = []
    async with asyncio.timeout(10):
        while not seen or seen[-1] != until:
            _, payload = await player.read_frame()  # type: ignore[attr-defined]
            seen.append(payload[0])
    return seen


class TestWaiting:
    async def test_who_waits_gets_in(self, server: RunningServer, held: Held) -> None:
        async with bare(server) as one, bare(server) as two:
            one.send(request(server))
            two.send(request(server))
            await held.waiting(2)
            assert server.metrics.connections == 0
            held.release()
            for player in (one, two):
                assert (await player.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        await empty(server)

    async def test_who_leaves_while_waiting_costs_nothing(self, server: RunningServer, held: Held) -> None:
        async with bare(server) as impatient, bare(server) as patient:
            impatient.send(request(server))
            await held.waiting(1)
            impatient.writer.transport.abort()
            patient.send(request(server))
            await held.waiting(2)
            (upgrade, _) = (call.__self__ for call in server.front.admission._waiting)  # type: ignore[attr-defined]
            await eventually(upgrade._transport.is_closing)
            held.release()
            assert (await patient.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            assert server.metrics.connections == 1
            assert not server.metrics.refused
        await empty(server)

    async def test_who_waits_when_the_server_stops_is_told(self, server: RunningServer, held: Held) -> None:
        waiting = asyncio.create_task(
            connect(socket_url(server), subprotocols=[Subprotocol("monkeytown.1")]).__aenter__()
        )
        await held.waiting(1)
        server.front.close()
        with pytest.raises(InvalidStatus) as refused:
            await asyncio.wait_for(waiting, 10)
        assert refused.value.response.status_code == 503
        assert b"SYS-002" in (refused.value.response.body or b"")

    async def test_what_comes_with_the_request_is_read(self, server: RunningServer) -> None:
        async with bare(server) as hasty:
            hasty.send(request(server) + HELLO + JOIN)
            await hasty.reader.readuntil(b"\r\n\r\n")
            assert await kinds(hasty, 0x43) == [0x41, 0x42, 0x45, 0x43]
        await empty(server)

    async def test_what_comes_while_waiting_is_read_in_order(self, server: RunningServer, held: Held) -> None:
        async with bare(server) as hasty:
            hasty.send(request(server) + HELLO[:3])
            await held.waiting(1)
            (upgrade,) = (call.__self__ for call in server.front.admission._waiting)  # type: ignore[attr-defined]
            hasty.send(HELLO[3:] + JOIN[:-1])
            await eventually(lambda: len(upgrade._early) == len(HELLO + JOIN) - 1)
            hasty.send(JOIN[-1:] + CHAT)
            held.release()
            hasty.send(HEARTBEAT)
            await hasty.reader.readuntil(b"\r\n\r\n")
            seen = await kinds(hasty, 0x49)
            assert [kind for kind in seen if kind not in (0x43, 0x44)] == [0x41, 0x42, 0x45, 0x47, 0x49]

    async def test_who_talks_a_lot_before_the_answer_is_not_read_on(
        self, server: RunningServer, held: Held
    ) -> None:
        async with bare(server) as talker:
            talker.send(request(server))
            await held.waiting(1)
            (upgrade,) = (call.__self__ for call in server.front.admission._waiting)  # type: ignore[attr-defined]
            talker.send(HEARTBEAT * 300_000)
            await eventually(lambda: len(upgrade._early) > server.front.limits.message_bytes)
            assert len(upgrade._early) <= server.front.limits.message_bytes + (1 << 18)
            held.release()
            await talker.reader.readuntil(b"\r\n\r\n")
            assert (await talker.ending()).code == CloseCode.FLOODING
        await empty(server)

    async def test_a_refusal_waits_as_well(self, server: RunningServer, held: Held) -> None:
        async with bare(server) as evil:
            evil.send(request(server, Origin="https://evil.example"))
            await held.waiting(1)
            assert not server.metrics.refused
            held.release()
            assert (await asyncio.wait_for(evil.reader.read(), 10)).startswith(b"HTTP/1.1 403 ")

    async def test_an_upgrade_that_fails_ends_alone(
        self, server: RunningServer, held: Held, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with bare(server) as unlucky:
            unlucky.send(request(server))
            await held.waiting(1)
            with monkeypatch.context() as patch:
                patch.setattr("monkeytown.readers.websocket.examine", None)
                held.release()
            assert await unlucky.closed()
        async with json_client(server) as player:
            await player.join("turns")


class TestTheEntrance:
    """Where those are read who have not joined: what they say waits there while there is no time for it."""

    async def test_nobody_is_sent_away_for_what_was_not_read(self, serve: Serve) -> None:
        async with serve(first_message_seconds=0.2) as server, upgraded(server) as player:
            front = server.front
            now = next(iter(front.connections)).opened
            front._behind_since = now + 0.1
            front.sweep(now + 60 * 0.9)
            assert not server.metrics.closed
            front._behind_since = None
            player.frame(Opcode.BINARY, b"\x06\x81\xa9timestamp\x05")
            _, payload = await player.read_frame()
            assert payload[0] == 0x49

    async def test_being_behind_begins_and_ends(self, server: RunningServer) -> None:
        front = server.front
        if front._entrance is None:
            pytest.skip("transports read by themselves")
        front.admission.spend = lambda one: False  # type: ignore[method-assign]
        front._read_entrance()
        since = front._behind_since
        assert since is not None
        front._read_entrance()
        assert front._behind_since == since
        del front.admission.spend
        front._read_entrance()
        assert front._behind_since is None

    async def test_who_joins_is_read_with_the_players(self, server: RunningServer) -> None:
        front = server.front
        if front._entrance is None or front._intake is None:
            pytest.skip("transports read by themselves")
        async with json_client(server) as player, binary_client(server) as other:
            await eventually(lambda: len(front._entrance or ()) == 2)
            await player.join("turns")
            assert (len(front._entrance), len(front._intake)) == (1, 1)
            await self.answers(player)
            await other.say(0x02, gameId="turns")
            await other.next(0x43)
            assert (len(front._entrance), len(front._intake)) == (0, 2)
        await eventually(lambda: front._intake is not None and not len(front._intake))
        await empty(server)

    @staticmethod
    async def answers(player: JsonClient) -> None:
        await player.say("heartbeat", timestamp=1)
        await player.next("heartbeat")
