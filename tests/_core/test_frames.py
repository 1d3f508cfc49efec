"""Frames out of the read buffer, held against `websockets`' own framing, whole and in any pieces."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from monkeytown._core.frames import FrameReader, ReadBuffer, frame

LIMIT = 4096


class Recorder(FrameReader):
    """Keeps what it is handed, in order."""

    def __init__(self, shared: ReadBuffer | None = None) -> None:
        super().__init__(shared or ReadBuffer(LIMIT))
        self.got: list[tuple[str, bytes]] = []

    def binary_received(self, payload: bytes) -> None:
        self.got.append(("binary", payload))

    def frame_received(self, head: int, raw: bytes) -> None:
        assert head == raw[0]
        self.got.append(("other", raw))


def from_client(opcode: Opcode, payload: bytes, *, fin: bool = True) -> bytes:
    return bytes(Frame(opcode, payload, fin).serialize(mask=True))


@pytest.mark.parametrize("length", [0, 1, 3, 7, 8, 9, 125, 126, 127, 4095, 4096])
def test_whole_binary_message_is_unmasked(length: int) -> None:
    payload = bytes(i * 7 & 255 for i in range(length))
    reader = Recorder()
    reader.feed(from_client(Opcode.BINARY, payload))
    assert reader.got == [("binary", payload)]
    assert reader.held == 0


def test_many_messages_in_one_read_arrive_in_order() -> None:
    reader = Recorder()
    messages = [bytes([i]) * i for i in range(200)]
    reader.feed(b"".join(from_client(Opcode.BINARY, message) for message in messages))
    assert reader.got == [("binary", message) for message in messages]


MESSAGES = st.lists(
    st.tuples(st.sampled_from([Opcode.BINARY, Opcode.TEXT, Opcode.PING]), st.binary(max_size=125))
)


@given(messages=MESSAGES, sizes=st.lists(st.integers(1, 40), min_size=1))
def test_pieces_of_any_size_make_the_same_messages(
    messages: list[tuple[Opcode, bytes]], sizes: list[int]
) -> None:
    wire = [from_client(opcode, payload) for opcode, payload in messages]
    stream, reader, turn = b"".join(wire), Recorder(), 0
    while stream:
        size = sizes[turn % len(sizes)]
        reader.feed(stream[:size])
        stream, turn = stream[size:], turn + 1
        assert reader.held <= LIMIT + 14
    expected = [
        ("binary", payload) if opcode is Opcode.BINARY else ("other", raw)
        for (opcode, payload), raw in zip(messages, wire, strict=True)
    ]
    assert reader.got == expected
    assert reader.held == 0


def test_two_connections_share_the_buffer_without_mixing() -> None:
    shared = ReadBuffer(LIMIT)
    one, two = Recorder(shared), Recorder(shared)
    a, b = from_client(Opcode.BINARY, b"a" * 100), from_client(Opcode.BINARY, b"b" * 100)
    one.feed(a[:50])
    two.feed(b[:70])
    one.feed(a[50:])
    two.feed(b[70:])
    assert one.got == [("binary", b"a" * 100)]
    assert two.got == [("binary", b"b" * 100)]


@pytest.mark.parametrize(
    "raw",
    [
        from_client(Opcode.TEXT, b"hello"),
        from_client(Opcode.PING, b""),
        from_client(Opcode.CLOSE, b"\x03\xe8"),
        from_client(Opcode.BINARY, b"part", fin=False),
        from_client(Opcode.CONT, b"part"),
        bytes(Frame(Opcode.BINARY, b"unmasked").serialize(mask=False)),
        b"\xc2" + from_client(Opcode.BINARY, b"reserved bit")[1:],
        b"\x83" + from_client(Opcode.BINARY, b"reserved opcode")[1:],
    ],
)
def test_any_other_frame_is_reported_raw(raw: bytes) -> None:
    reader = Recorder()
    reader.feed(raw)
    assert reader.got == [("other", raw)]


def test_binary_inside_a_fragmented_message_is_left_to_the_protocol() -> None:
    reader = Recorder()
    first, whole = from_client(Opcode.BINARY, b"1", fin=False), from_client(Opcode.BINARY, b"2")
    last, after = from_client(Opcode.CONT, b"3"), from_client(Opcode.BINARY, b"4")
    reader.feed(first + whole + last + after)
    assert reader.got == [("other", first), ("other", whole), ("other", last), ("binary", b"4")]


@pytest.mark.parametrize(
    "header",
    [
        b"\x82\xfe" + struct.pack("!H", LIMIT + 1),
        b"\x82\xff" + struct.pack("!Q", 1 << 20),
        b"\x82\xff" + struct.pack("!Q", (1 << 63) - 1),
        b"\x82\xff" + struct.pack("!Q", (1 << 64) - 1),
        b"\x81\xff" + struct.pack("!Q", 1 << 62),
    ],
)
def test_declared_length_beyond_the_limit_is_reported_at_its_header(header: bytes) -> None:
    reader = Recorder()
    for i in range(len(header)):
        assert reader.got == []
        reader.feed(header[i : i + 1])
    assert reader.got == [("other", header)]
    assert reader.stopped
    reader.feed(b"x" * 1000)
    assert reader.got == [("other", header)]
    assert reader.held == 0


def test_nothing_is_handed_over_once_stopped() -> None:
    class StopsAtOnce(Recorder):
        def binary_received(self, payload: bytes) -> None:
            super().binary_received(payload)
            self.stop()

    reader = StopsAtOnce()
    reader.feed(from_client(Opcode.BINARY, b"first") + from_client(Opcode.BINARY, b"second")[:5])
    assert reader.got == [("binary", b"first")]
    assert reader.held == 0


def test_an_error_in_a_handler_reaches_the_caller() -> None:
    class Fails(Recorder):
        def binary_received(self, payload: bytes) -> None:
            raise RuntimeError("from the handler")

    with pytest.raises(RuntimeError, match="from the handler"):
        Fails().feed(from_client(Opcode.BINARY, b"x"))


def test_more_than_the_buffer_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="more bytes"):
        Recorder().buffer_updated(1 << 20)


@pytest.mark.parametrize("limit", [0, 124, (1 << 24) + 1])
def test_limits_outside_reason_are_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        ReadBuffer(limit)


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536])
@pytest.mark.parametrize("text", [False, True])
def test_server_frames_are_those_of_websockets(length: int, text: bool) -> None:
    payload = b"z" * length
    opcode = Opcode.TEXT if text else Opcode.BINARY
    assert frame(payload, text=text) == bytes(Frame(opcode, payload).serialize(mask=False))


@given(payload=st.binary(max_size=300), mask=st.binary(min_size=4, max_size=4))
def test_masked_frames_are_read_back(payload: bytes, mask: bytes) -> None:
    reader = Recorder()
    reader.feed(frame(payload, mask=mask))
    assert reader.got == [("binary", payload)]


def test_a_mask_has_four_bytes() -> None:
    with pytest.raises(ValueError, match="four bytes"):
        frame(b"", mask=b"123")


@given(chunks=st.lists(st.binary(max_size=200), max_size=20))
def test_no_bytes_at_all_make_it_hold_more_than_a_message_or_lose_count(chunks: list[bytes]) -> None:
    reader = Recorder()
    for chunk in chunks:
        reader.feed(chunk)
        assert reader.held <= LIMIT + 14
    if not reader.stopped:
        raw = sum(
            len(frame(payload, mask=b"mask")) if kind == "binary" else len(payload)
            for kind, payload in reader.got
        )
        # Lengths may be written in more bytes than they need.
        assert raw + reader.held <= sum(map(len, chunks))
