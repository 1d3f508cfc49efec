"""Many sockets read through one epoll set: what arrives, what ends, what fails, and numbers that are used again."""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Iterator

import pytest
from websockets.frames import Frame, Opcode

from monkeytown._core.frames import FrameReader, ReadBuffer
from monkeytown._core.intake import AVAILABLE, Intake

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="this system has no epoll; transports read instead")

SHARED = ReadBuffer(4096)


class Recorder(FrameReader):
    """Keeps what it is told; raises on the message `boom`."""

    def __init__(self) -> None:
        super().__init__(SHARED)
        self.got: list[object] = []

    def binary_received(self, payload: bytes) -> None:
        if payload == b"boom":
            raise ValueError("boom")
        self.got.append(payload)

    def reading_ended(self) -> None:
        self.got.append("ended")

    def reading_failed(self, error: Exception) -> None:
        self.got.append(type(error))


class Peer:
    """One connection: the far end sends, the near end is in the set."""

    def __init__(self, intake: Intake) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.far = socket.create_connection(listener.getsockname())
        self.near, _ = listener.accept()
        listener.close()
        self.near.setblocking(False)
        self.reader = Recorder()
        self.slot = intake.add(self.reader, self.near.fileno())

    def say(self, payload: bytes) -> None:
        self.far.sendall(bytes(Frame(Opcode.BINARY, payload).serialize(mask=True)))

    def close(self) -> None:
        self.far.close()
        self.near.close()


@pytest.fixture
def intake() -> Intake:
    return Intake(SHARED)


@pytest.fixture
def peers(intake: Intake) -> Iterator[list[Peer]]:
    made = [Peer(intake) for _ in range(3)]
    yield made
    for peer in made:
        peer.close()


def turn(intake: Intake) -> None:
    """What an event loop does: waits for the set, then has it read."""
    assert select.select([intake], [], [], 5)[0], "nothing became readable"
    intake.run()


def test_each_reader_gets_what_its_socket_got(intake: Intake, peers: list[Peer]) -> None:
    for number, peer in enumerate(peers):
        peer.say(b"%d" % number)
    while not all(peer.reader.got for peer in peers):
        turn(intake)
    assert [peer.reader.got for peer in peers] == [[b"0"], [b"1"], [b"2"]]
    assert len(intake) == 3


def test_as_many_are_read_as_there_is_time_for_and_the_others_come_first(
    intake: Intake, peers: list[Peer]
) -> None:
    for peer in peers:
        peer.say(b"hello")
    read: list[Recorder] = []
    for _ in peers:
        assert intake.run(1) == 1
        (new,) = (peer.reader for peer in peers if peer.reader.got and peer.reader not in read)
        read.append(new)
    assert intake.run(1) == 0


@pytest.mark.parametrize("most", [-1, 0, 1 << 30])
def test_any_number_may_be_asked_for(intake: Intake, peers: list[Peer], most: int) -> None:
    peers[0].say(b"hello")
    assert intake.run(most) == 1
    assert peers[0].reader.got == [b"hello"]


def test_the_end_is_told_once(intake: Intake, peers: list[Peer]) -> None:
    peers[0].say(b"last")
    peers[0].far.close()
    while "ended" not in peers[0].reader.got:
        turn(intake)
    intake.run()
    assert peers[0].reader.got == [b"last", "ended"]
    assert len(intake) == 2


def test_when_many_end_the_others_wait(intake: Intake) -> None:
    peers = [Peer(intake) for _ in range(40)]
    try:
        for peer in peers:
            peer.far.close()
        assert select.select([intake.fileno()], [], [], 5)[0]
        ended = []
        while intake.run() > 0:
            ended.append(sum(peer.reader.got == ["ended"] for peer in peers))
        assert ended == [16, 32, 40]
    finally:
        for peer in peers:
            peer.close()


def test_a_reset_is_told_as_a_failure(intake: Intake, peers: list[Peer]) -> None:
    peers[1].far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peers[1].far.close()
    turn(intake)
    assert peers[1].reader.got == [ConnectionResetError]


def test_what_a_reader_raises_ends_it_alone(intake: Intake, peers: list[Peer]) -> None:
    peers[0].say(b"boom")
    peers[2].say(b"fine")
    while not (peers[0].reader.got and peers[2].reader.got):
        turn(intake)
    peers[0].say(b"nobody listens")
    assert select.select([intake], [], [], 0)[0] == []
    assert (peers[0].reader.got, peers[2].reader.got) == ([ValueError], [b"fine"])


def test_who_is_removed_is_not_read(intake: Intake, peers: list[Peer]) -> None:
    intake.remove(peers[0].slot)
    intake.remove(peers[0].slot)
    intake.remove(-1)
    intake.remove(99)
    peers[0].say(b"unheard")
    assert select.select([intake], [], [], 0.05)[0] == []
    assert peers[0].reader.got == []


def test_a_number_that_is_used_again_belongs_to_the_new_connection(intake: Intake, peers: list[Peer]) -> None:
    old, new = peers[0], Recorder()
    far, near = socket.socketpair()
    number = old.near.detach()
    os.dup2(near.fileno(), number)  # closes the old connection, and its number is the new one's
    near.close()
    with far, socket.socket(fileno=number):
        intake.add(new, number)
        intake.remove(old.slot)
        far.sendall(bytes(Frame(Opcode.BINARY, b"mine").serialize(mask=True)))
        turn(intake)
    assert (old.reader.got, new.got) == ([], [b"mine"])


def test_a_socket_is_taken_once(intake: Intake, peers: list[Peer]) -> None:
    with pytest.raises(FileExistsError):
        intake.add(Recorder(), peers[0].near.fileno())
    assert len(intake) == 3
