"""Sockets with no room, or that are broken, cost their player states; never order, a cut frame, or anything of others."""

from __future__ import annotations

import os
from typing import Any

from monkeytown._core.frames import frame
from monkeytown.position import Position
from tests._core.link import tick


def test_a_partial_send_is_completed_before_anything_else(make: Any) -> None:
    group, player = make.group(), make(small=True)
    group.add(player)
    payload = os.urandom(50_000)
    assert tick(group, 1, payload) == 1
    assert group.partial == 1
    assert player.blocked
    player.append(b"event")
    assert tick(group, 2, b"not for you") == 0
    stream = b""
    for _ in range(50):
        stream += player.arrived()
        player.transport.turn()
    assert group.due(3, 1.0) == [(Position(1, 1), 0)]
    group.send(0, frame(b"newest"), 1, 3)
    stream += player.arrived()
    assert stream == frame(payload) + frame(b"event") + frame(b"newest")


def test_no_room_at_all_leaves_everything_as_it_was(make: Any) -> None:
    group, player = make.group(), make(small=True)
    group.add(player)
    tick(group, 1)
    player.arrived()
    player.fill()
    player.append(b"event")
    assert tick(group, 2, now=2.0) == 0
    assert group.full >= 1
    assert group.held_longer(3.0, 6.0) == [player]
    player.arrived()
    assert group.due(3, 6.0) == [(Position(1, 1), 0)]
    group.send(0, frame(b"state 3"), 1, 3)
    assert player.read() == [b"state 3", b"event"]
    assert group.held_longer(0.0, 6.0) == []


def test_others_are_not_touched(make: Any) -> None:
    group, stuck, fine = make.group(), make(small=True), make()
    group.add(stuck)
    group.add(fine)
    stuck.fill()
    for number in range(1, 4):
        assert tick(group, number) == 1
    assert fine.read() == [b"state 1", b"state 2", b"state 3"]


def test_through_the_transport_where_no_raw_send_is_possible(make: Any) -> None:
    group, player, raw = make.group(), make(raw=False), make()
    group.add(player)
    group.add(raw)
    player.append(b"event")
    assert tick(group, 1) == 2
    assert player.read() == [b"state 1", b"event"]
    assert raw.read() == [b"state 1"]


def test_a_broken_socket_is_left_to_the_event_loop(make: Any) -> None:
    group, player = make.group(), make()
    group.add(player)
    player.theirs.close()
    assert tick(group, 1) == 0
    assert group.due(2, 1.0) == []


def test_what_is_private_waits_for_a_state_that_found_no_room(make: Any) -> None:
    group, player = make.group(), make(small=True)
    handle = group.add(player)
    tick(group, 1)
    player.arrived()
    player.fill()
    group.due(2, 2.0)
    group.set_private(handle, 0x02, b"of tick 2")
    assert group.send(0, frame(b"state 2"), 1, 2) == 0
    player.arrived()
    assert group.flush() == 0
    assert player.private_waits
    assert tick(group, 3) == 1
    assert player.read() == [b"state 3"]


def test_all_sorts_of_sockets_in_one_room(make: Any) -> None:
    """Every third breaks, every third has no room, every third gets what it should; and who goes in between is gone."""
    group, players = make.group(), [make(small=True, raw=at % 5 != 4) for at in range(60)]
    for player in players:
        group.add(player)
    assert tick(group, 1) == 60
    for player in players:
        player.arrived()
    broken, full, fine = players[::3], players[1::3], players[2::3]
    for player in broken:
        player.theirs.close()
    for player in full:
        player.fill()
    assert len(group.due(2, 2.0)) == 1
    gone = fine[::4]
    numbers = {player.transport.sock.fileno() for player in gone}
    for player in gone:
        player.detach()
        player.transport.sock.close()
    newcomers = [make() for _ in gone]
    assert numbers & {player.transport.sock.fileno() for player in newcomers}
    group.send(0, frame(b"state 2"), 1, 2)
    group.flush()
    assert [player.read() for player in fine if player not in gone] == [[b"state 2"]] * (
        len(fine) - len(gone)
    )
    assert [player.arrived() for player in gone + newcomers] == [b""] * (2 * len(gone))
    for player in full:
        player.arrived()
        player.transport.turn()
        player.arrived()
    assert sorted(group.due(3, 3.0), key=str) == [(Position(1, 1), 0), (Position(1, 2), 0)]
