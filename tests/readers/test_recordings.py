"""Recordings on a disk: files that come to be, that are cut off, that are too many, and disks that cannot take them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monkeytown import Entity, Game, array, table, uint
from monkeytown.client.replay import Replay
from monkeytown.protocol.replay import Block, Item
from monkeytown.readers import replayfolder
from monkeytown.readers.recorder import Recorder
from monkeytown.readers.recordings import Recordings
from monkeytown.readers.replayfolder import NEW, PART, SUFFIX, RecordedReplay, ReplayFolder
from monkeytown.room.room import Room
from tests.naive_replay import NaiveReplay
from tests.readers.test_recorder import Clock, hop
from tests.room.pond import Pond

ROOT = Path(__file__).parents[2]


class Place:
    """A folder, and recordings of ponds in it, under a clock that the test moves."""

    def __init__(
        self, path: Path, *, keep_bytes: int = 1 << 30, keep_days: float = 30, rate: float = 50
    ) -> None:
        self.path = path
        self.wall = 1.795e9
        self.finished: list[RecordedReplay] = []
        self.removed: list[str] = []
        self.private: set[str] = set()
        self.clock = Clock()
        self.folder = ReplayFolder(path, keep_bytes=keep_bytes, keep_days=keep_days, wall=lambda: self.wall)
        self.recordings = Recordings(
            self.folder,
            rate=rate,
            finished=self.finished.append,
            removed=self.removed.append,
            is_private=lambda room: room.id in self.private,
            now=self.clock,
        )

    def open(self, name: str = "room-1") -> tuple[Room, Recorder]:
        self.wall += 1
        room = Room(Pond, room_id=name)
        recorder = self.recordings.record(room)
        room.join("a", "Ada")
        return room, recorder

    def play(self, room: Room, recorder: Recorder, ticks: int) -> None:
        for _ in range(ticks):
            self.clock.time += 1 / room.tick_rate
            hop(room, "a", by=(room.tick * 37 % 65) / 8 - 4)
            room.step()
            recorder.prepare(room)

    def record(self, name: str = "room-1", ticks: int = 300) -> None:
        """A whole room, from its beginning to its end."""
        room, recorder = self.open(name)
        self.play(room, recorder, ticks)
        room.dispose()
        recorder.prepare(room)

    def settled(self) -> None:
        """Waits until the thread has done what it was given, and hears of it."""
        done = threading.Event()
        self.folder.hand_over(done.set, 0)
        assert done.wait(10)
        self.recordings.sweep(0.0)

    def names(self, suffix: str = SUFFIX) -> list[str]:
        return sorted(path.name for path in self.path.glob(f"*{suffix}"))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    places: list[Place] = []

    def start(**options: Any) -> Place:
        place = Place(tmp_path / "data" / "replays", **options)
        place.recordings.start()
        places.append(place)
        return place

    yield start
    for place in places:
        asyncio.run(place.recordings.close())


def test_a_room_becomes_a_file(make: Callable[..., Place]) -> None:
    place = make()
    room, recorder = place.open()
    place.play(room, recorder, 400)
    place.settled()
    assert place.names() == []
    (part,) = place.names(PART)
    assert NaiveReplay((place.path / part).read_bytes()).index is None
    room.dispose()
    recorder.prepare(room)
    place.settled()
    assert place.names(PART) == place.names(NEW) == []
    (name,) = place.names()
    (replay,) = place.finished
    assert replay == RecordedReplay(
        id=name.removesuffix(SUFFIX),
        room="room-1",
        game="pond",
        started=1.795e9 + 1,
        ended=1.795e9 + 1,
        ticks=401,
        size=(place.path / name).stat().st_size,
        file=name,
        complete=True,
        private=False,
    )
    assert name == "20261118T110641000-room-1.mtr"
    read = NaiveReplay((place.path / name).read_bytes())
    assert (read.index or {})["players"] == 1
    with Replay.open(place.path / name) as played:
        assert played.check() == []
        assert len(played.recording.index.blocks) == 2
    assert (place.folder.finished, place.folder.failed, place.folder.bytes_written) == (1, 0, replay.size)
    assert place.recordings.recorders == []


def test_several_rooms_are_recorded_at_once(make: Callable[..., Place]) -> None:
    place = make()
    place.private.add("b")
    pairs = [place.open(name) for name in "abc"]
    for _ in range(3):
        for room, recorder in pairs:
            place.play(room, recorder, 50)
    assert len(place.recordings.recorders) == 3
    asyncio.run(place.recordings.close())
    assert {replay.room: replay.private for replay in place.finished} == {"a": False, "b": True, "c": False}
    assert len(place.names()) == 3
    for name in place.names():
        with Replay.open(place.path / name) as replay:
            assert replay.check() == []


def test_a_room_whose_rules_fail_is_found_when_it_is_swept(make: Callable[..., Place]) -> None:
    place = make()
    room, recorder = place.open()
    place.play(room, recorder, 10)
    room.game.on_tick = lambda dt: 1 / 0
    room.step()
    assert room.closed is not None
    place.recordings.sweep(0.0)
    assert recorder.is_over
    place.settled()
    assert [replay.complete for replay in place.finished] == [True]


def test_a_room_that_fails_at_once_leaves_no_file(make: Callable[..., Place]) -> None:
    class Stillborn(Pond):
        def on_create(self) -> None:
            raise ZeroDivisionError("on purpose")

    place = make()
    place.recordings.record(Room(Stillborn, room_id="room-1"))
    place.recordings.sweep(0.0)
    place.settled()
    assert list(place.path.iterdir()) == []
    assert place.finished == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "ä" * 80, "", "a/b\\c.d"])
def test_a_rooms_id_cannot_lead_out_of_the_folder(make: Callable[..., Place], name: str) -> None:
    place = make()
    place.record(name, ticks=10)
    place.settled()
    (file,) = place.names()
    assert len(file.removesuffix(SUFFIX)) <= 64
    assert set(file.removesuffix(SUFFIX)) <= set("abcdefghijklmnopqrstuvwxyzT0123456789-_")
    assert {path.name for path in place.path.parent.parent.rglob("*") if path.is_file()} == {file}


KILLED = """
import os, sys
from pathlib import Path
from tests.readers.test_recordings import Place

place = Place(Path(sys.argv[1]))
place.recordings.start()
room, recorder = place.open("doomed")
place.play(room, recorder, 1000)
place.settled()
print("ready", flush=True)
sys.stdin.read()
"""


def recording_process(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(["src", "."])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_what_a_killed_process_leaves_is_readable_and_closed_by_the_next(
    make: Callable[..., Place], tmp_path: Path
) -> None:
    path = tmp_path / "data" / "replays"
    with recording_process(path) as process:
        process.send_signal(signal.SIGKILL)
    (part,) = path.glob(f"*{PART}")
    assert len(NaiveReplay(part.read_bytes()).blocks) == 3
    with part.open("ab") as file:
        file.write(b"\x02 a torn block")
    with Replay.open(part) as replay:
        (problem,) = replay.check()
        assert "left out" in problem
    place = make()
    place.settled()
    (recovered,) = place.finished
    assert (recovered.complete, recovered.room, recovered.ticks) == (False, "doomed", 753)
    assert place.names(PART) == []
    with Replay.open(place.path / recovered.file) as replay:
        assert replay.check() == []
        assert replay.recording.index.players == 1


def test_what_another_process_is_writing_is_left_alone(make: Callable[..., Place], tmp_path: Path) -> None:
    path = tmp_path / "data" / "replays"
    with recording_process(path) as process:
        place = make()
        place.settled()
        assert place.finished == []
        assert len(place.names(PART)) == 1
        process.kill()


def test_a_file_without_anything_in_it_is_removed(make: Callable[..., Place], tmp_path: Path) -> None:
    path = tmp_path / "data" / "replays"
    path.mkdir(parents=True)
    (path / f"empty{PART}").write_bytes(b"")
    (path / f"strange{PART}").write_bytes(b"this is no replay")
    place = make()
    place.settled()
    assert list(path.iterdir()) == []


def test_the_oldest_files_make_room(make: Callable[..., Place]) -> None:
    place = make(keep_bytes=20_000)
    for number in range(12):
        place.record(f"room-{number}")
    place.settled()
    sizes = [(place.path / name).stat().st_size for name in place.names()]
    assert sum(sizes) <= 20_000
    assert len(place.finished) == 12
    assert place.removed == [replay.id for replay in place.finished[: 12 - len(sizes)]]
    assert len(sizes) > 2


def test_a_recording_that_is_too_large_itself_ends(make: Callable[..., Place]) -> None:
    place = make(keep_bytes=6_000)
    room, recorder = place.open()
    for _ in range(40):
        place.play(room, recorder, 100)
        place.settled()
    assert recorder.is_over
    assert place.folder.failed == 1
    (replay,) = place.finished
    assert not replay.complete
    with Replay.open(place.path / replay.file) as played:
        assert played.check() == []
    place.record("after", ticks=100)
    place.settled()
    assert [one.room for one in place.finished] == ["room-1", "after"]
    assert place.removed == [replay.id]


def test_files_are_kept_for_some_days(make: Callable[..., Place]) -> None:
    place = make(keep_days=7)
    for name in ("old", "new"):
        place.record(name, ticks=10)
    place.settled()
    old, new = place.finished
    (place.path / f"left{NEW}").write_bytes(b"")
    for name, days in ((old.file, 8), (new.file, 6), (f"left{NEW}", 8)):
        os.utime(place.path / name, (place.wall - days * 86_400,) * 2)
    place.recordings.sweep(1e6)
    place.settled()
    assert (place.names(), place.names(NEW), place.removed) == ([new.file], [], [old.id])


def test_files_are_kept_for_ever_if_nothing_else_is_said(make: Callable[..., Place]) -> None:
    place = make(keep_days=0)
    place.record(ticks=10)
    place.settled()
    os.utime(place.path / place.names()[0], (0, 0))
    place.recordings.sweep(1e6)
    place.settled()
    assert len(place.names()) == 1


def test_a_folder_that_cannot_be_written_ends_recordings_and_no_rooms(
    make: Callable[..., Place], tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    place = make()
    room, recorder = place.open()
    place.settled()
    place.play(room, recorder, 5)
    assert recorder.is_over
    assert room.closed is None
    assert place.folder.failed == 1
    place.recordings.sweep(1e6)
    place.settled()
    assert place.recordings.recorders == []
    (tmp_path / "data").unlink()


FULL = """
import asyncio, resource, sys
from pathlib import Path
from tests.readers.test_recordings import Place

place = Place(Path(sys.argv[1]))
place.recordings.start()
room, recorder = place.open("large")
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
for _ in range(40):
    place.play(room, recorder, 100)
    place.settled()
assert room.closed is None and room.tick == 4001, room.closed
assert recorder.is_over and place.folder.failed == 1
place.record("small", ticks=30)
asyncio.run(place.recordings.close())
print([(replay.room, replay.complete) for replay in place.finished])
"""


def test_a_disk_that_is_full_ends_that_recording_alone(tmp_path: Path) -> None:
    """The kernel refuses what goes beyond a size: the recording is closed where it was whole, the room goes on."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), "9000"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(["src", "."])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "a recording has ended" in done.stdout
    told = done.stdout.splitlines()[-1]
    assert "('small', True)" in told
    for path in tmp_path.iterdir():
        with Replay.open(path) as replay:
            assert replay.recording.index.blocks
            assert replay.check() in ([], ["there is no index"])


def test_what_waits_for_a_slow_disk_is_bounded(
    make: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replayfolder, "WAITING_BYTES", 5_000)
    place = make()
    room, recorder = place.open()
    stuck, free = threading.Event(), threading.Event()

    def hold() -> None:
        stuck.set()
        assert free.wait(10)

    place.folder.hand_over(hold, 0)
    assert stuck.wait(10)
    place.play(room, recorder, 2000)
    assert recorder.is_over
    assert room.closed is None
    free.set()
    place.settled()
    (replay,) = place.finished
    assert not replay.complete
    with Replay.open(place.path / replay.file) as played:
        assert played.check() == []
        assert len(played.recording.index.blocks) >= 1


def test_a_block_that_could_not_be_read_again_is_not_written(make: Callable[..., Place]) -> None:
    place = make()
    room, recorder = place.open()
    place.play(room, recorder, 300)
    tape = recorder._tape
    assert tape is not None
    item = room.read(None).frame
    assert item is not None
    big = Block(room.tick, 0, None, (), (Item(room.tick, item), Item(room.tick, bytes(1 << 24))))
    tape.put(big, 0, 1)
    place.settled()
    assert place.folder.failed == 1
    (replay,) = place.finished
    with Replay.open(place.path / replay.file) as played:
        assert played.check() == []


def test_a_game_too_large_to_be_read_again_is_not_recorded(make: Callable[..., Place]) -> None:
    class Grain(Entity):
        heights = array(uint(8), 20)

    class Desert(Game):
        grains = table(Grain, capacity=1 << 20)

    class Beach(Desert):
        title = "Sand, " * 100
        grains = table(Grain, capacity=1 << 10)

    place = make()
    for game in (Desert, Beach):
        place.wall += 1
        place.recordings.record(Room(game, room_id="room-1"))
    place.settled()
    assert place.folder.failed == 1
    asyncio.run(place.recordings.close())
    (replay,) = place.finished
    assert replay.game == "beach"
    with Replay.open(place.path / replay.file) as played:
        assert played.header.title == Beach.title[:256]


def test_a_file_that_is_there_is_not_written_over(make: Callable[..., Place]) -> None:
    place = make()
    room = Room(Pond, room_id="room-1")
    first, second = (place.recordings.record(room) for _ in range(2))
    place.settled()
    assert place.folder.failed == 1
    room.step()
    for recorder in (first, second):
        recorder.prepare(room)
    assert [recorder.is_over for recorder in (first, second)] == [False, True]


def test_a_disk_that_does_not_answer_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replayfolder, "CLOSE_SECONDS", 0.05)
    folder = ReplayFolder(tmp_path, keep_bytes=1 << 30, keep_days=0)
    folder.start()
    free = threading.Event()
    folder.hand_over(lambda: free.wait(10) and None, 0)
    folder.close()
    free.set()
    folder._thread.join(10)
    assert not folder._thread.is_alive()
