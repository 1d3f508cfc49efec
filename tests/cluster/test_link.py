from __future__ import annotations

import pytest
from msgspec import Raw

from monkeytown.cluster.link import (
    ACK_WITHIN,
    FORGOTTEN_AFTER,
    KEEPALIVE,
    LOST_AFTER,
    MAX_BYTES,
    MAX_ITEMS,
    PACE,
    PATIENCE,
    TURN,
    Link,
    generation,
    identity,
)
from monkeytown.cluster.parcel import PARCEL_BYTES, Packing, Parcel
from tests.cluster.network import Item, Message

PACKING = Packing(Message)


@pytest.fixture
def link() -> Link:
    return Link("i:b", identity(1, 7), 0.0)


def item(number: int, size: int = 0) -> Raw:
    return PACKING.message(Item(number, bytes(size)))


def sent(link: Link, now: float = 0.0, *, again: bool = False) -> list[Parcel]:
    return [PACKING.open(data) for data, _ in link.pack(PACKING, now, again=again)]


def came(number: int, first: int, *items: int, ack: int = -1) -> Parcel:
    return Parcel(identity(1, 7), number, first, ack, [Item(item) for item in items], ["state"])


def take(link: Link, parcel: Parcel) -> list[int]:
    items, _ = link.due(parcel, 0.0)
    for _ in items:
        link.taken()
    return [item.number for item in items]


def test_an_identity_tells_its_generation():
    assert generation(identity(3, 2**32 - 1)) == 3
    assert generation(0) == 0
    assert identity(2, 0) > identity(1, 2**32 - 1)


def test_items_are_numbered_from_one_and_states_ride_along_once(link: Link):
    link.item(item(1))
    link.item(item(2))
    link.state(item(9))
    (parcel,) = sent(link)
    assert (parcel.first, parcel.number, parcel.ack) == (1, 1, -1)
    assert (parcel.items, parcel.states) == ([Item(1), Item(2)], [Item(9)])
    link.item(item(3))
    (parcel,) = sent(link)
    assert (parcel.first, parcel.number, parcel.items, parcel.states) == (3, 2, [Item(3)], [])


def test_what_is_not_acknowledged_is_sent_again_with_what_is_new(link: Link):
    for number in (1, 2):
        link.item(item(number))
    sent(link)
    assert link.acknowledge(1, 0.0)
    link.item(item(3))
    (parcel,) = sent(link, again=True)
    assert (parcel.first, parcel.items) == (2, [Item(2), Item(3)])
    assert link.acknowledge(3, 0.0)
    assert (link.under_way, link.weight) == (0, 0)
    (parcel,) = sent(link, again=True)
    assert (parcel.first, parcel.items) == (4, [])


def test_what_was_never_sent_cannot_be_acknowledged(link: Link):
    link.item(item(1))
    assert not link.acknowledge(1, 0.0)
    sent(link)
    assert not link.acknowledge(2, 0.0)
    assert link.acknowledge(-1, 0.0)
    assert link.acknowledge(0, 0.0)
    assert link.under_way == 1


def test_what_came_is_taken_once_and_in_order(link: Link):
    assert take(link, came(1, 1, 1, 2)) == [1, 2]
    assert take(link, came(1, 1, 1, 2)) == []
    assert take(link, came(3, 5, 5)) == []
    assert take(link, came(2, 2, 2, 3, 4)) == [3, 4]
    assert take(link, came(4, 5, 5)) == [5]
    assert sent(link)[0].ack == -1, "it takes no part in this link before it is met"
    link.met = True
    assert sent(link)[0].ack == 5


def test_states_of_an_older_parcel_are_late(link: Link):
    assert link.due(came(2, 1), 0.0)[1] == ["state"]
    assert link.due(came(1, 1), 0.0)[1] == []
    assert link.due(came(2, 1), 0.0)[1] == []
    assert link.due(came(3, 1), 0.0)[1] == ["state"]


def test_large_items_and_states_are_split_with_their_numbers(link: Link):
    for number in (1, 2, 3):
        link.item(item(number, PARCEL_BYTES // 2))
    link.state(item(4, PARCEL_BYTES // 2))
    parcels = sent(link)
    assert [(parcel.first, len(parcel.items), len(parcel.states)) for parcel in parcels] == [
        (1, 1, 0),
        (2, 1, 0),
        (3, 1, 0),
        (4, 0, 1),
    ]
    assert [parcel.number for parcel in parcels] == [1, 2, 3, 4]


def test_a_full_link_keeps_nothing_until_it_begins_again(link: Link):
    for number in range(MAX_ITEMS):
        link.item(item(number))
    assert not link.full
    link.state(item(0))
    link.item(item(0))
    assert link.full
    link.item(item(0))
    link.state(item(0))
    assert (link.waiting, link.under_way, link.weight) == (0, 0, 0)
    (parcel,) = sent(link)
    assert (parcel.items, parcel.states) == ([], [])
    link.reset(identity(2, 0), 0.0)
    link.item(item(1))
    assert sent(link)[0].items == [Item(1)]


def test_a_checkpoint_weighs_as_much_as_a_parcel(link: Link):
    for _ in range(MAX_BYTES // PARCEL_BYTES):
        link.item(Raw(bytes(20 * PARCEL_BYTES)))
    assert not link.full
    assert link.weight == MAX_BYTES
    link.item(item(1))
    assert link.full


def test_who_rejoins_sends_all_of_it_again_from_one(link: Link):
    link.item(item(1))
    sent(link)
    link.item(item(2))
    link.rejoin(identity(1, 9), 0.0)
    (parcel,) = sent(link)
    assert (parcel.link, parcel.first, parcel.items) == (identity(1, 9), 1, [Item(1), Item(2)])


def test_patience_doubles_up_to_a_second_and_progress_restores_it(link: Link):
    assert not link.overdue(100.0)
    link.item(item(1))
    link.item(item(2))
    now = 100.0
    sent(link, now)
    for patience in (PATIENCE, 0.5, 1.0, 1.0):
        assert not link.overdue(now + patience - 0.01)
        now += patience + 0.01
        assert link.overdue(now)
        sent(link, now, again=True)
    assert link.acknowledge(1, now)
    assert link.overdue(now + PATIENCE + 0.01)


def test_a_checkpoint_has_the_time_that_it_takes(link: Link):
    link.item(Raw(bytes(PACE)))
    list(link.pack(PACKING, 0.0))
    assert not link.overdue(PATIENCE + 0.9)
    assert link.overdue(PATIENCE + 1.1)


def test_an_ack_is_owed_soon_and_a_sign_of_life_sometimes(link: Link):
    sent(link, 10.0)
    assert not link.owing(10.0 + KEEPALIVE - TURN - 0.01)
    assert link.owing(10.0 + KEEPALIVE - TURN + 0.01)
    link.due(came(1, 1, 1), 10.1)
    assert not link.owing(10.1 + ACK_WITHIN - TURN - 0.01)
    assert link.owing(10.1 + ACK_WITHIN - TURN + 0.01)
    sent(link, 10.2)
    assert not link.owing(10.3)


def test_an_empty_parcel_wants_no_answer(link: Link):
    link.due(came(1, 1), 0.0)
    assert not link.owing(ACK_WITHIN)


def test_silence_is_borne_longer_by_who_waits_for_nothing(link: Link):
    assert link.lost(LOST_AFTER)
    link.heard, link.touched = 5.0, True
    assert not link.lost(5.0 + LOST_AFTER)
    assert link.lost(5.0 + FORGOTTEN_AFTER)
    link.item(item(1))
    assert not link.lost(5.0 + LOST_AFTER - 0.1)
    assert link.lost(5.0 + LOST_AFTER)
    sent(link, 6.0)
    assert link.lost(5.0 + LOST_AFTER)
