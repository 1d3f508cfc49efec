"""How a player is known again: the hello of who comes back, and what each kind of welcome means."""

import pytest

from monkeytown.client.messages import encode, encode_numbered
from monkeytown.client.session import Place, Session, Welcomed
from monkeytown.position import Position
from monkeytown.protocol.codec import BINARY
from monkeytown.protocol.messages import Hello, Resume, Welcome
from tests import naive_client

PLACE = Place("arena-1", Position(3, 70))


def welcomed(**more: object) -> Session:
    session = Session(Hello("Ada"))
    session.take(Welcome("p1", "Ada", "fake", session="s1", **more))  # type: ignore[arg-type]
    return session


def test_the_first_hello_has_nothing_to_resume():
    session = Session(Hello("Ada"))
    assert session.hello(None, "t") == session.hello(PLACE, "t") == Hello("Ada", "t")


def test_who_comes_back_shows_the_newest_secret_and_where_it_stands():
    session = welcomed()
    assert session.hello(None, "t") == Hello("Ada", "t", Resume("s1"))
    session.number = 12
    assert session.hello(PLACE, "t") == Hello("Ada", "t", Resume("s1", 12, "arena-1", 3, 70))
    session.take(Welcome("p1", "Ada", "fake", session="s2", recovered=True, number=12))
    assert session.hello(None, "t") == Hello("Ada", "t", Resume("s2", 12))


@pytest.mark.parametrize("place", [None, PLACE])
def test_what_is_not_given_is_left_out(place: Place | None):
    session = Session(Hello("Ada"))
    session.take(Welcome("p1", "Ada", "fake", session="s1"))
    data = encode(session.hello(place, None))
    assert BINARY.decode(data) == session.hello(place, None)
    _, body = naive_client.unpack(data)
    resume = {"session": "s1", "number": 0}
    if place:
        resume |= {"gameId": "arena-1", "epoch": 3, "tick": 70}
    assert body == {"name": "Ada", "resume": resume}


def test_the_first_welcome_is_of_a_new_player():
    session = Session(Hello())
    assert session.take(Welcome("p1", "Ada", "fake", session="s1")) == (False, False, False, None, 0)
    assert session.player_id == "p1"


def test_a_session_that_is_known_goes_on():
    session = welcomed()
    for text in (b"a", b"b", b"c"):
        session.outbox.add(text)
    told = session.take(
        Welcome(
            "p1", "Ada", "fake", "s2", recovered=True, resumed="delta", received=2, number=7, game_id="a-1"
        )
    )
    assert told == Welcomed(known=True, seated=True, recovered=True, resumed="delta", lost=0)
    assert not told.awaits_state
    assert session.number == 7
    assert list(session.outbox) == [encode_numbered(3, b"c")]


def test_only_a_seat_with_a_snapshot_has_a_state_to_wait_for():
    snapshot = Welcome("p1", "Ada", "fake", "s2", recovered=False, resumed="snapshot", game_id="a-1")
    told = welcomed().take(snapshot)
    assert (told.recovered, told.awaits_state) == (False, True)
    nowhere = welcomed().take(Welcome("p1", "Ada", "fake", "s2", recovered=True))
    assert nowhere == Welcomed(known=True, seated=False, recovered=True, resumed=None, lost=0)
    assert not nowhere.awaits_state


def test_another_session_gives_up_what_waits_and_counts_anew():
    session = welcomed()
    session.number = 9
    session.outbox.add(b"a")
    session.outbox.add(b"b")
    assert session.take(Welcome("p2", "Ada", "fake", "s9", recovered=False)) == (False, False, False, None, 2)
    assert session.number == 0
    assert session.hello(None, "t") == Hello("Ada", "t", Resume("s9"))
    assert session.outbox.add(b"c") == encode_numbered(1, b"c")
