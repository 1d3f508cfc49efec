"""Envelopes: what comes out is what went in, and nothing else comes out."""

from __future__ import annotations

import random
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown.cluster import envelope
from monkeytown.cluster.envelope import OVERHEAD, Envelopes, Refused

SECRET = "bananas are not a secret"
CHANNEL = "i:b"


def pair() -> tuple[Envelopes, Envelopes]:
    return Envelopes(SECRET, "a"), Envelopes(SECRET, "b")


def refuses(envelopes: Envelopes, data: bytes, channel: str = CHANNEL) -> str:
    before = envelopes.refused.total()
    with pytest.raises(Refused) as refusal:
        envelopes.open(channel, data)
    assert envelopes.refused.total() == before + 1
    assert envelopes.refused[refusal.value.reason]
    assert str(refusal.value)
    return refusal.value.reason


@given(st.text(), st.binary(), st.text(max_size=60))
def test_what_went_in_comes_out(channel: str, payload: bytes, sender: str) -> None:
    sealed = Envelopes(SECRET, sender + "a").seal(channel, payload)
    assert len(sealed) == OVERHEAD + len((sender + "a").encode()) + len(payload)
    assert Envelopes(SECRET, "b").open(channel, sealed) == (sender + "a", payload)


def test_another_secret_is_forged() -> None:
    sealed = Envelopes("another", "a").seal(CHANNEL, b"x")
    assert refuses(Envelopes(SECRET, "b"), sealed) == "forged"


def test_another_channel_is_forged() -> None:
    a, b = pair()
    sealed = a.seal(CHANNEL, b"x")
    assert refuses(b, sealed, "i:bb") == "forged"
    assert b.open(CHANNEL, sealed) == ("a", b"x")  # it was not taken note of


def test_channel_and_header_cannot_be_shifted_into_each_other() -> None:
    a, b = pair()
    sealed = a.seal("ab", b"x")
    assert refuses(b, b"b" + sealed, "a") == "malformed"


def test_our_own_is_known_as_such_unless_it_is_forged() -> None:
    a, _ = pair()
    sealed = a.seal(CHANNEL, b"x")
    assert refuses(a, sealed) == "own"
    assert refuses(a, sealed[:-1] + bytes([sealed[-1] ^ 1])) == "forged"


def test_what_is_not_newer_is_replayed() -> None:
    a, b = pair()
    first, second, third = (a.seal(CHANNEL, data) for data in (b"1", b"2", b"3"))
    assert b.open(CHANNEL, first) == ("a", b"1")
    assert refuses(b, first) == "replayed"
    assert b.open(CHANNEL, third) == ("a", b"3")  # what is lost is lost
    assert refuses(b, second) == "replayed"
    assert b.refused == {"replayed": 2}


def test_channels_and_senders_count_for_themselves() -> None:
    a, b = pair()
    c = Envelopes(SECRET, "c")
    early, late = a.seal("x", b"1"), a.seal("y", b"2")
    assert b.open("y", late) == ("a", b"2")
    assert b.open("x", early) == ("a", b"1")
    assert b.open("y", c.seal("y", b"3")) == ("c", b"3")


def test_memory_is_bounded_and_forgets_who_was_silent_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "SENDERS_KEPT", 3)
    a, b = pair()
    sealed = {name: a.seal(name, b"") for name in "wxyz"}
    for name in "wxy":
        b.open(name, sealed[name])
    b.open("w", a.seal("w", b""))
    b.open("z", sealed["z"])  # for which x is forgotten
    assert len(b._newest) == 3
    for name in "wyz":
        assert refuses(b, sealed[name], name) == "replayed"
    assert b.open("x", sealed["x"])


@pytest.mark.parametrize("length", range(OVERHEAD + 3))
def test_what_is_cut_short_is_malformed(length: int) -> None:
    a, b = pair()
    sealed = a.seal(CHANNEL, b"xy")
    assert refuses(b, sealed[:length]) == "malformed"


def test_what_is_of_another_form_is_malformed() -> None:
    a, b = pair()
    sealed = a.seal(CHANNEL, b"x")
    assert refuses(b, sealed[:2] + b"\x02" + sealed[3:]) == "malformed"
    assert refuses(b, b"mt" + sealed[2:]) == "malformed"
    assert refuses(b, sealed + b"x") == "malformed"


def test_the_key_is_for_this_purpose_alone() -> None:
    a, _ = pair()
    sealed = a.seal(CHANNEL, b"x")
    signed = len(CHANNEL).to_bytes(4, "big") + CHANNEL.encode() + sealed[:-16]
    plain = blake2b(signed, key=SECRET.encode(), digest_size=16).digest()
    key = blake2b(SECRET.encode(), digest_size=32, person=b"monkeytown bus").digest()
    assert sealed[-16:] != plain
    assert sealed[-16:] == blake2b(signed, key=key, digest_size=16).digest()


def test_a_sender_has_a_name_of_bounded_length() -> None:
    with pytest.raises(ValueError, match="255"):
        Envelopes(SECRET, "x" * 256)


def test_nothing_that_was_tampered_with_is_opened() -> None:
    """A hundred thousand of them: bits turned, cut off, added, put together from others, of other secrets, and said again."""
    draw = random.Random(7)
    a, b = pair()
    stranger = Envelopes("guessed", "a")
    opened = 0
    for number in range(25_000):
        sealed = a.seal(CHANNEL, draw.randbytes(draw.randrange(60)))
        position = draw.randrange(len(sealed))
        flipped = bytearray(sealed)
        flipped[position] ^= 1 << draw.randrange(8)
        cut = sealed[:position]
        for bad in (bytes(flipped), cut, cut + draw.randbytes(len(sealed) - position + 1)):
            assert refuses_quickly(b, bad)
        if number % 5 == 0:
            assert b.open(CHANNEL, sealed)[0] == "a"
            opened += 1
            assert refuses_quickly(b, sealed)
        else:
            assert refuses_quickly(b, stranger.seal(CHANNEL, sealed))
    assert opened == 5000
    assert b.refused.total() == 100_000
    assert set(b.refused) == {"forged", "malformed", "replayed"}


def refuses_quickly(envelopes: Envelopes, data: bytes) -> bool:
    try:
        envelopes.open(CHANNEL, data)
    except Refused:
        return True
    return False


@given(st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    _, b = pair()
    assert refuses(b, data) in ("malformed", "forged")


@given(st.binary(max_size=80), st.integers(0, 255), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_a_header_that_looks_right_is_refused(rest: bytes, length: int, number: int, size: int) -> None:
    _, b = pair()
    head = b"MT\x01" + bytes([length]) + number.to_bytes(8, "big") + size.to_bytes(4, "big")
    assert refuses(b, head + rest) in ("malformed", "forged")
