"""Files of rooms: whole or not at all, and of one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from monkeytown.errors import StartError
from monkeytown.stores.rooms import RoomFiles

KILLS = 8

# Writes one file over and over, each time as often its first byte, until it is no more.
WRITE = """
import os, sys
from pathlib import Path
from monkeytown.stores.rooms import RoomFiles
files = RoomFiles(Path(sys.argv[1]))
number = 0
while True:
    number = number % 255 + 1
    files.write("room", bytes([number]) * (number * 1000))
    os.write(1, b".")
"""


def contents(files: RoomFiles) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in files.found()}


def test_a_file_is_written_replaced_and_removed(tmp_path: Path) -> None:
    files = RoomFiles(tmp_path / "rooms")
    files.write("a", b"one")
    files.write("b", b"other")
    files.write("a", b"two")
    assert contents(files) == {"a.room": b"two", "b.room": b"other"}
    files.remove("a")
    files.remove("a")
    assert contents(files) == {"b.room": b"other"}
    files.close()


def test_two_processes_do_not_have_the_same_files(tmp_path: Path) -> None:
    first = RoomFiles(tmp_path)
    first.write("a", b"one")
    second = RoomFiles(tmp_path)
    assert contents(second) == {}
    second.write("a", b"two")
    assert contents(first) == {"a.room": b"one"}
    first.close()
    second.close()


def test_what_others_left_behind_is_taken_over(tmp_path: Path) -> None:
    first, second = RoomFiles(tmp_path), RoomFiles(tmp_path)
    first.write("a", b"one")
    second.write("b", b"two")
    second.write("c", b"three")
    first.close()
    second.close()
    third = RoomFiles(tmp_path)
    found = third.found()
    assert [path.name for path in found] == ["a.room", "b.room", "c.room"]
    assert RoomFiles(tmp_path).found() == []  # they are third's for now
    for path in found[:2]:
        third.take_over(path, path.stem, path.read_bytes() + b"!")
    third.let_others_go()
    assert contents(third) == {"a.room": b"one!", "b.room": b"two!"}
    assert contents(RoomFiles(tmp_path)) == {"c.room": b"three"}
    third.close()


def test_a_folder_that_is_empty_goes(tmp_path: Path) -> None:
    first, second = RoomFiles(tmp_path), RoomFiles(tmp_path)
    first.close()
    second.close()
    third = RoomFiles(tmp_path)
    third.let_others_go()
    assert [path.name for path in tmp_path.iterdir()] == ["0001"]
    third.close()


def test_where_nothing_can_be_kept_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "rooms").write_text("a file")
    with pytest.raises(StartError, match="no room can be kept in"):
        RoomFiles(tmp_path / "rooms")


def test_whenever_it_is_killed_a_file_is_whole(tmp_path: Path) -> None:
    for kill in range(KILLS):
        with subprocess.Popen([sys.executable, "-c", WRITE, tmp_path], stdout=subprocess.PIPE) as process:
            assert process.stdout
            for _ in range(1 + kill * 7):
                assert process.stdout.read(1)
            process.kill()
        files = RoomFiles(tmp_path)
        (content,) = contents(files).values()
        assert content == content[:1] * (content[0] * 1000)
        assert not list(tmp_path.rglob("*.new"))
        files.close()


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    files = RoomFiles(tmp_path)
    files.write("a", b"one")
    (tmp_path / "0001" / "a.new").mkdir()
    with pytest.raises(OSError, match=os.strerror(21)):
        files.write("a", b"two")
    assert contents(files) == {"a.room": b"one"}
    files.close()
