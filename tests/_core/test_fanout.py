"""One send per player and tick: cursors, windows and seats, over real sockets."""

from __future__ import annotations

import os
from typing import Any

import pytest

from monkeytown._core.batch import Seat, Seats
from monkeytown._core.fanout import Group
from monkeytown._core.frames import frame
from monkeytown._core.inputs import Queue
from monkeytown.position import Position
from tests._core.link import tick
from tests._core.test_connection import LAYOUT, ack, steer


def test_all_at_one_position_share_a_frame(make: Any) -> None:
    group, players = make.group(), [make() for _ in range(3)]
    for player in players:
        group.add(player)
    assert group.due(7, 1.0) == [(None, 0)]
    assert group.send(0, frame(b"snapshot"), 1, 7) == 3
    assert group.due(8, 1.0) == [(Position(1, 7), 0)]
    assert group.send(0, frame(b"delta"), 1, 8) == 3
    assert [player.read() for player in players] == [[b"snapshot", b"delta"]] * 3
    assert group.shared == 6
    assert group.staged == 0
    assert group.bytes_sent == 3 * (len(frame(b"snapshot")) + len(frame(b"delta")))


def test_newcomers_other_channels_and_laggards_are_cohorts_of_their_own(make: Any) -> None:
    group, old, other, new = make.group(), make(), make(text=True), make()
    group.add(old)
    group.add(other, channel=1)
    tick(group, 1)
    group.add(new)
    assert sorted(group.due(2, 1.0), key=str) == sorted(
        [(Position(1, 1), 0), (Position(1, 1), 1), (None, 0)], key=str
    )


def test_a_cohort_that_gets_nothing_stays_where_it_is(make: Any) -> None:
    group = make.group()
    group.add(make())
    tick(group, 1)
    group.due(2, 1.0)
    assert group.due(3, 1.0) == [(Position(1, 1), 0)]


def test_messages_follow_the_state_of_their_tick_in_one_send(make: Any) -> None:
    group, player, other = make.group(), make(), make()
    group.add(player)
    group.add(other)
    player.append(b"event 1")
    player.append(b"event 2")
    assert tick(group, 1) == 2
    assert player.read() == [b"state 1", b"event 1", b"event 2"]
    assert other.read() == [b"state 1"]
    assert (group.shared, group.staged) == (1, 1)


def test_messages_go_out_in_a_tick_without_state(make: Any) -> None:
    group, player = make.group(), make()
    group.add(player)
    player.append(b"event")
    group.due(1, 1.0)
    assert group.flush() == 1
    assert group.flush() == 0
    assert player.read() == [b"event"]


def test_inputs_are_acknowledged_once_the_rules_have_seen_them(make: Any) -> None:
    group, player, queue = make.group(), make(), Queue(LAYOUT)
    group.add(player)
    player.set_inputs(queue, 0, 0, 0)
    player.receive(steer(1), steer(300))
    tick(group, 1)
    tick(group, 2)
    assert player.read() == [b"state 1", b"\x44\x01\xac\x02", b"state 2"]


def test_inputs_are_acknowledged_in_a_room_at_rest(make: Any) -> None:
    group, player, queue = make.group(), make(), Queue(LAYOUT)
    group.add(player)
    player.set_inputs(queue, 0, 0, 0)
    player.receive(steer(9))
    group.due(1, 1.0)
    group.flush()
    assert player.read() == [b"\x44\x01\x09"]


def test_private_parts_follow_the_state_and_carry_the_input(make: Any) -> None:
    group, player, queue = make.group(), make(), Queue(LAYOUT)
    handle = group.add(player)
    player.set_inputs(queue, 0, 0, 0)
    player.receive(steer(5))
    player.append(b"event")
    group.due(1, 1.0)
    group.set_private(handle, 0x02, b"\x00\x07")
    group.send(0, frame(b"state"), 1, 1)
    tick(group, 2)
    assert player.read() == [b"state", b"\x44\x03\x05\x00\x07", b"event", b"state 2"]


def test_private_parts_of_text_connections_are_json(make: Any) -> None:
    group, player, queue = make.group(), make(text=True), Queue(LAYOUT)
    handle = group.add(player)
    player.set_inputs(queue, 0, 0, 0)
    for body, numbered in ((b'"entity":null', False), (b'"entity":null', True), (b"", True)):
        if numbered:
            player.receive(steer(12))
        group.due(1, 1.0)
        if body:
            group.set_private(handle, 0x02, body)
        group.flush()
        player.set_inputs(queue, 0, 0, 0)
    assert player.read() == [
        b'{"type":"private","payload":{"entity":null}}',
        b'{"type":"private","payload":{"input":12,"entity":null}}',
        b'{"type":"private","payload":{"input":12}}',
    ]


def test_long_private_parts_are_staged_whole(make: Any) -> None:
    group, player = make.group(), make()
    handle = group.add(player)
    body = os.urandom(60_000)
    group.due(1, 1.0)
    group.set_private(handle, 0x0C, body)
    group.send(0, frame(b"state"), 1, 1)
    assert player.read() == [b"state", b"\x44\x0c" + body]


class TestWindow:
    """Beyond the window of unacknowledged ticks no state is sent; the next one is then the newest."""

    def test_states_stop_at_the_window_and_go_on_from_the_cursor(self, make: Any) -> None:
        group, player = make.group(window=3), make()
        group.add(player)
        assert [tick(group, number) for number in range(10, 16)] == [1, 1, 1, 0, 0, 0]
        assert group.held == 3
        player.receive(ack(1, 12))
        assert group.due(16, 1.0) == [(Position(1, 12), 0)]

    def test_an_acknowledgement_of_a_part_opens_a_part(self, make: Any) -> None:
        group, player = make.group(window=3), make()
        group.add(player)
        for number in range(10, 13):
            tick(group, number)
        player.receive(ack(1, 10))
        assert [tick(group, 13), tick(group, 14)] == [1, 0]

    def test_acknowledgements_of_another_epoch_or_the_future_do_not_count(self, make: Any) -> None:
        group, player = make.group(window=2), make()
        group.add(player)
        tick(group, 1)
        tick(group, 2)
        player.receive(ack(2, 2), ack(1, 999))
        assert tick(group, 3) == 0
        player.receive(ack(1, 2))
        assert tick(group, 4) == 1

    def test_a_long_rest_is_not_mistaken_for_silence(self, make: Any) -> None:
        group, player = make.group(window=3), make()
        group.add(player)
        tick(group, 1)
        player.receive(ack(1, 1))
        assert [tick(group, number) for number in range(1000, 1004)] == [1, 1, 1, 0]

    def test_inputs_acknowledge_once_the_epoch_has_been(self, make: Any) -> None:
        group, player, queue = make.group(window=2), make(), Queue(LAYOUT)
        group.add(player)
        player.set_inputs(queue, 0, 0, 0)
        tick(group, 1)
        tick(group, 2)
        player.receive(steer(1, 2))
        assert tick(group, 3) == 0
        player.receive(ack(1, 1), steer(2, 2))
        assert tick(group, 3) == 1

    def test_a_new_epoch_begins_a_new_window(self, make: Any) -> None:
        group, player = make.group(window=2), make()
        group.add(player)
        tick(group, 500)
        assert [tick(group, number, epoch=2) for number in (1, 2, 3)] == [1, 1, 0]

    def test_messages_pass_a_closed_window(self, make: Any) -> None:
        group, player = make.group(window=1), make()
        group.add(player)
        tick(group, 1)
        player.append(b"event")
        tick(group, 2)
        assert player.read() == [b"state 1", b"event"]

    def test_a_line_that_is_slow_to_catch_up_gets_less_at_a_time(self, make: Any) -> None:
        group, player = make.group(window=8), make()
        group.add(player)
        assert [tick(group, number) for number in range(1, 11)] == [1] * 8 + [0] * 2
        player.receive(ack(1, 8, 0))
        assert [tick(group, number, now=3.0) for number in range(11, 15)] == [1, 1, 0, 0]
        player.receive(ack(1, 12, 0))  # at once: the line is only long
        assert [tick(group, number, now=3.1) for number in range(15, 21)] == [1] * 4 + [0] * 2
        player.receive(ack(1, 18, 0))
        assert [tick(group, number, now=3.2) for number in range(21, 31)] == [1] * 8 + [0] * 2

    def test_a_line_that_stays_slow_gets_one_at_a_time(self, make: Any) -> None:
        group, player, number, now, sent = make.group(window=20), make(), 0, 0.0, 0
        group.add(player)
        for _ in range(6):
            sent = 0
            for _ in range(40):
                number, now = number + 1, now + 0.05
                sent += tick(group, number, now=now)
            player.receive(ack(1, number, 0))
            player.receive(ack(1, max(int(state.split()[1]) for state in player.read()), 0))
        assert sent == 1

    def test_who_acknowledges_something_new_is_not_stalled(self, make: Any) -> None:
        group, player = make.group(window=4), make()
        group.add(player)
        for number in range(1, 10):
            tick(group, number, now=1.0)
        assert group.held_longer(9.0, 11.0) == [player]
        player.receive(ack(1, 1, 0))  # which also moves the time that it is compared with, to the real one
        assert group.held_longer(9.0, player.last_received + 8.0) == []
        assert group.held_longer(9.0, player.last_received + 10.0) == [player]

    def test_events_are_no_progress_of_who_acknowledges_nothing(self, make: Any) -> None:
        group, player = make.group(window=4), make()
        group.add(player)
        for number in range(1, 10):
            tick(group, number, now=float(number))
        assert group.held_longer(3.0, 9.0) == [player]
        player.append(b"somebody has left", number=1)
        player.flush()
        tick(group, 10, now=10.0)
        player.append(b"somebody has left", number=2)
        tick(group, 11, now=11.0)
        assert b"somebody has left" in b"".join(player.read())
        assert group.held_longer(3.0, 11.0) == [player]

    def test_who_is_held_for_long_is_known(self, make: Any) -> None:
        group, player, fine = make.group(window=1), make(), make()
        group.add(player)
        group.add(fine)
        for number in range(1, 5):
            tick(group, number, now=float(number))
            fine.receive(ack(1, number))
        assert group.held_longer(1.5, 4.0) == [player]
        assert group.held_longer(2.5, 4.0) == []
        player.receive(ack(1, 1))
        tick(group, 5, now=5.0)
        assert group.held_longer(0.0, 5.0) == []


class TestSeats:
    """Handles name a seat and who had it; numbers that are used again reach nobody."""

    def test_a_player_gone_within_the_tick_is_not_written_to(self, make: Any) -> None:
        group, leaves, stays = make.group(), make(), make()
        group.add(leaves)
        group.add(stays)
        group.due(1, 1.0)
        leaves.detach()
        assert group.send(0, frame(b"state"), 1, 1) == 1
        assert leaves.arrived() == b""

    def test_who_takes_a_seat_within_the_tick_gets_no_frame_of_the_one_before(self, make: Any) -> None:
        group, leaves, comes = make.group(), make(), make()
        group.add(leaves)
        group.due(1, 1.0)
        leaves.detach()
        group.add(comes)
        assert group.send(0, frame(b"state"), 1, 1) == 0
        assert group.due(2, 1.0) == [(None, 0)]

    def test_an_old_handle_is_worth_nothing(self, make: Any) -> None:
        group, one, two = make.group(), make(), make()
        old = group.add(one)
        assert group.remove(old)
        new = group.add(two)
        assert new != old
        assert not group.remove(old)
        group.due(1, 1.0)
        group.set_private(old, 0x02, b"secret")
        group.flush()
        assert two.arrived() == b""
        assert len(group) == 1

    @pytest.mark.parametrize("handle", [-1, 0, 5, 1 << 40])
    def test_handles_nobody_gave_out_are_harmless(self, handle: int) -> None:
        assert not Group().remove(handle)

    def test_a_socket_number_used_again_is_not_written_to(self, make: Any) -> None:
        group, gone = make.group(), make()
        group.add(gone)
        number = gone.transport.sock.fileno()
        gone.close()
        newcomer = make()
        assert newcomer.transport.sock.fileno() == number
        assert tick(group, 1) == 0
        assert newcomer.arrived() == b""

    def test_one_connection_has_one_seat(self, make: Any) -> None:
        group, player = make.group(), make()
        group.add(player)
        with pytest.raises(ValueError, match="already"):
            make.group().add(player)

    def test_a_connection_may_change_rooms(self, make: Any) -> None:
        first, second, player = make.group(), make.group(), make()
        handle = first.add(player)
        tick(first, 100, epoch=4)
        first.remove(handle)
        second.add(player)
        assert second.due(1, 1.0) == [(None, 0)]

    def test_many_come_and_go(self, make: Any) -> None:
        group = make.group()
        players = [make() for _ in range(40)]
        for player in players:
            group.add(player)
        for player in players[::2]:
            player.detach()
        assert len(group) == 20
        assert tick(group, 1) == 20
        for _ in range(20):
            group.add(make())
        assert len(group) == len(group.connections()) == 40
        assert len(group.due(2, 1.0)) == 2


def test_sending_nothing_is_an_error() -> None:
    group = Group()
    with pytest.raises(ValueError, match="nothing to send"):
        group.send(0, b"", 1, 1)
    with pytest.raises(ValueError, match="no such cohort"):
        group.send(-1, frame(b"x"), 1, 1)


class TestPositions:
    """Who comes with a position goes on from there."""

    def test_a_position_is_a_cohort_of_its_own(self, make: Any) -> None:
        group, old, back = make.group(), make(), make()
        group.add(old)
        for number in range(1, 6):
            tick(group, number)
        group.add(back, position=Position(1, 3))
        assert group.due(6, 1.0) == [(Position(1, 5), 0), (Position(1, 3), 0)]
        group.send(1, frame(b"3 to 6"), 1, 6)
        group.flush()
        assert back.read() == [b"3 to 6"]
        assert old.read()[-1] == b"state 5"
        assert tick(group, 7) == 2

    def test_what_it_had_is_acknowledged(self, make: Any) -> None:
        group, back = make.group(window=2), make()
        group.add(back, position=Position(1, 3))
        back.receive(ack(1, 3, 0))
        assert back.messages == []
        back.receive(ack(1, 4, 0))
        assert back.messages == [ack(1, 4, 0)]
        assert [tick(group, number) for number in range(100, 103)] == [1, 1, 0]

    def test_a_word_on_the_room_before_comes_late_and_is_no_lie(self, make: Any) -> None:
        first, second, player = make.group(), make.group(), make()
        handle = first.add(player)
        tick(first, 50)
        first.remove(handle)
        second.add(player)
        tick(second, 1)
        player.receive(ack(1, 50, 0))
        assert player.messages == []
        player.receive(ack(1, 51, 0))
        assert player.messages == [ack(1, 51, 0)]

    def test_inputs_go_on_from_the_number_that_was_seen(self, make: Any) -> None:
        group, player, queue = make.group(), make(), Queue(LAYOUT)
        group.add(player, position=Position(1, 1))
        player.set_inputs(queue, 0, 0, 0, seen=7)
        group.due(2, 1.0)
        group.flush()
        assert player.read() == [b"\x44\x01\x07"]


@pytest.mark.parametrize("text", [False, True])
def test_inputs_for_rules_that_run_elsewhere_are_acknowledged_once_those_have_seen_them(
    make: Any, text: bool
) -> None:
    group, player, queue, seat = make.group(), make(text=text), Queue(LAYOUT), Seat(7)
    group.add(player)
    player.set_inputs(queue, 7, 0, 0)
    player.relay(seat)
    if not text:
        player.receive(steer(1), steer(2))
    player.seen(2)
    group.due(1, 1.0)
    assert group.flush() == 0
    seats = Seats()
    seats.add(seat)
    for newest in (1, 2):
        seats.learn(bytes((8, newest)))
        group.due(1, 1.0)
        assert group.flush() == 1
        assert group.flush() == 0
    said = b'{"type":"private","payload":{"input":%d}}' if text else b"\x44\x01%c"
    assert player.read() == [said % 1, said % 2]
    player.set_inputs(queue, 7, 0, 0)
    seats.learn(bytes((8, 9)))
    group.due(2, 1.0)
    assert group.flush() == 0
