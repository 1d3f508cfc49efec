"""Who has which folder: one process each, and what the dead have left behind goes to who comes next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monkeytown.errors import StartError
from monkeytown.stores.folder import FolderLock
from monkeytown.stores.segments import path_of
from monkeytown.stores.spools import Spools, open_spools

HOLD = """
import asyncio, sys
from pathlib import Path
from monkeytown.stores.spools import open_spools

async def main():
    spools = open_spools(Path(sys.argv[1]), max_bytes=1 << 20)
    await spools.own.settled(spools.own.append(b"of another process"))
    print(spools.own.folder.name, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    if len(sys.argv) > 2:
        await spools.close()
        print("closed", flush=True)

asyncio.run(main())
"""


def other_process(root: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, root, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def opened(root: Path) -> Spools:
    return open_spools(root, max_bytes=1 << 20)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_the_first_one_makes_the_first_folder(tmp_path: Path):
    spools = opened(tmp_path / "data" / "spool")
    assert spools.own.folder == tmp_path / "data" / "spool" / "0001"
    assert spools.own.folder.stat().st_mode & 0o077 == 0
    assert spools.leftovers == []
    await spools.close()


async def test_folders_are_on_disk_before_what_is_in_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[Path] = []
    monkeypatch.setattr("monkeytown.stores.folder.sync_folder", synced.append)
    for _ in range(2):
        spools = opened(tmp_path / "data" / "spool")
        await spools.close()
        assert synced == [tmp_path, tmp_path / "data", tmp_path / "data" / "spool"]


async def test_a_restart_has_the_same_folder(tmp_path: Path):
    for number in range(1, 4):
        spools = opened(tmp_path)
        assert spools.own.append(b"a") == number
        await spools.close()
    assert names_in(tmp_path) == ["0001"]


async def test_two_in_one_process_have_two_folders(tmp_path: Path):
    first, second, third = opened(tmp_path), opened(tmp_path), opened(tmp_path)
    assert [spools.own.folder.name for spools in (first, second, third)] == ["0001", "0002", "0003"]
    await second.close()
    fourth = opened(tmp_path)
    assert fourth.own.folder.name == "0002"
    for spools in (first, third, fourth):
        await spools.close()


async def test_two_processes_have_two_folders_and_the_dead_ones_goes_to_the_living(tmp_path: Path):
    with other_process(tmp_path) as one, other_process(tmp_path) as two:
        assert one.stdout
        assert two.stdout
        names = {one.stdout.readline().strip(), two.stdout.readline().strip()}
        assert names == {"0001", "0002"}
        spools = opened(tmp_path)
        assert (spools.own.folder.name, spools.leftovers) == ("0003", [])
        await spools.close()
        for process in (one, two):
            process.kill()
    with capture_logs():
        spools = opened(tmp_path)
    assert spools.own.folder.name == "0001"
    assert spools.own.read(0, 10, 1000).records == [b"of another process"]
    (left, empty) = spools.leftovers
    assert (left.folder.name, empty.folder.name) == ("0002", "0003")
    assert left.read(0, 10, 1000).records == [b"of another process"]
    assert empty.last == 0
    await spools.close()


async def test_a_process_that_closes_gives_its_folder_back(tmp_path: Path):
    with other_process(tmp_path, "close") as process:
        assert process.stdout
        assert process.stdout.readline().strip() == "0001"
        process.communicate("")
    spools = opened(tmp_path)
    assert spools.own.folder.name == "0001"
    await spools.close()


async def test_what_is_no_spool_is_left_alone(tmp_path: Path):
    (tmp_path / "0007").write_text("a file")
    (tmp_path / "refused.jsonl").touch()
    (tmp_path / "old").mkdir()
    spools = opened(tmp_path)
    assert (spools.own.folder.name, spools.leftovers) == ("0001", [])
    await spools.close()


async def test_a_leftover_of_a_later_version_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr("monkeytown.stores.segments.VERSION", 2)
        first, second = opened(tmp_path), opened(tmp_path)
        await second.own.settled(second.own.append(b"a"))
        await first.close()
        await second.close()
    with capture_logs() as logs:
        spools = opened(tmp_path)
    assert spools.leftovers == []
    assert [line["log_level"] for line in logs] == ["error"]
    assert path_of(tmp_path / "0002", 1).exists()
    await spools.close()


async def test_a_folder_of_ones_own_of_a_later_version_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr("monkeytown.stores.segments.VERSION", 2)
        spools = opened(tmp_path)
        await spools.own.settled(spools.own.append(b"a"))
        await spools.close()
    for _ in range(2):
        with pytest.raises(StartError, match="is of version 2"):
            opened(tmp_path)


async def test_where_nothing_can_be_written_one_line_says_so(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"nothing can be kept in .*file/spool: Not a directory"):
        opened(tmp_path / "file" / "spool")


async def test_a_lock_in_a_folder_that_was_removed_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Somebody removes an empty spool while somebody else is about to take it."""
    folder = tmp_path / "0001"
    first = FolderLock(folder)
    real, calls = os.open, []

    def open_late(path: Path, *rest: int) -> int:
        descriptor = real(path, *rest)
        if path == folder / "lock" and not calls:
            calls.append(path)
            first.remove_folder()
        return descriptor

    monkeypatch.setattr(os, "open", open_late)
    second = FolderLock(folder)
    assert folder.exists()
    with pytest.raises(StartError):
        FolderLock(folder)
    second.release()
    second.release()


def test_a_folder_with_something_in_it_is_not_removed(tmp_path: Path):
    lock = FolderLock(tmp_path / "0001")
    (tmp_path / "0001" / "something").touch()
    lock.remove_folder()
    assert (tmp_path / "0001" / "something").exists()
    FolderLock(tmp_path / "0001").release()
