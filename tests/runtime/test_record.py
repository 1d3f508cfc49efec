"""Sessions as they travel."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown.errors import WireError
from monkeytown.identity import Identity
from monkeytown.room.mail import News, packed
from monkeytown.runtime.record import SessionRecord, packed_record, unpacked_record
from monkeytown.runtime.session import Session
from monkeytown.runtime.sessions import Sessions
from tests.runtime.stage import Client, Clock, make_host

RECORDS = st.builds(
    SessionRecord,
    key=st.text(max_size=30),
    secrets=st.tuples(st.text(max_size=40), st.text(max_size=40)),
    id=st.text(max_size=30),
    name=st.none() | st.text(max_size=24),
    identity=st.none() | st.builds(Identity, id=st.text(max_size=9), name=st.none() | st.text(max_size=9)),
    room=st.text(max_size=30),
    received=st.integers(0, 2**53),
    number=st.integers(0, 2**53),
    news=st.lists(
        st.builds(
            lambda kind, data: News(kind, packed(data)),
            st.text(max_size=9),
            st.dictionaries(st.text(max_size=5), st.integers(-9, 9)),
        ),
        max_size=5,
    ),
    described=st.none() | st.tuples(st.booleans(), st.floats(0, 10)),
    instance=st.text(max_size=12),
)


@given(RECORDS)
def test_comes_back_as_it_was(record: SessionRecord) -> None:
    again = unpacked_record(packed_record(record))
    assert packed_record(again) == packed_record(record)
    assert (again.key, again.secrets, again.id, again.room, again.number) == (
        record.key,
        record.secrets,
        record.id,
        record.room,
        record.number,
    )
    assert [(one.type, bytes(one.payload)) for one in again.news] == [
        (one.type, bytes(one.payload)) for one in record.news
    ]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_refused(data: bytes) -> None:
    try:
        record = unpacked_record(data)
    except WireError:
        return
    assert isinstance(record, SessionRecord)


@given(RECORDS, st.data())
def test_a_record_that_was_damaged_is_another_record_or_refused(
    record: SessionRecord, data: st.DataObject
) -> None:
    whole = bytearray(packed_record(record))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    with suppress(WireError):
        assert isinstance(unpacked_record(bytes(whole)), SessionRecord)


@given(RECORDS, st.data())
def test_a_record_that_was_cut_off_is_refused(record: SessionRecord, data: st.DataObject) -> None:
    whole = packed_record(record)
    with pytest.raises(WireError):
        unpacked_record(whole[: data.draw(st.integers(0, len(whole) - 1))])


def test_what_is_no_record_is_refused() -> None:
    for other in (None, 7, [], {}, ["key"], [1] * 11):
        with pytest.raises(WireError):
            unpacked_record(msgspec.msgpack.encode(other))


class TestOfASession:
    def test_news_and_secrets_go_on_where_they_were(self) -> None:
        clock = Clock()
        host, there = make_host(clock), make_host(clock)
        client = Client(host, clock)
        client.say("hello", client="test")
        client.join("turns")
        before = client.session
        for number in range(3):
            before.tell(News("game_event", packed({"number": number})))
        client.acked_number = before.record().number - 2
        before.prune()
        record = unpacked_record(packed_record(before.record()))
        assert len(record.news) == 2

        sessions = Sessions(there, client.sessions.limits, now=clock.seconds)
        after = Session.recorded(sessions, record)
        sessions.take_in(after, 60.0)
        assert sessions.find(client.welcome["session"]) is after
        assert sessions.find(client.welcome["session"][:-1] + "!") is None
        # What it is told goes on with the next number, behind what its client may not have read.
        after.tell(News("game_event", packed({"number": 3})))
        again = after.record()
        assert again.number == record.number + 1
        assert [bytes(one.payload) for one in again.news[:2]] == [bytes(one.payload) for one in record.news]
        assert not after.is_open
        assert after.is_welcome
