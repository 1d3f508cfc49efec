"""The golden replays: recorders make them, every reader reads them, and knows at each moment what the game had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monkeytown.client.replay import Replay
from monkeytown.protocol.replay import CHUNK_HEAD, MAGIC, head_of, inflated
from tests.naive_replay import NaiveReplay
from tests.vectors.make import plain
from tests.vectors.replays import make

FOLDER = Path(make.__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.mtr"))


def data_of(name: str) -> bytes:
    return (FOLDER / f"{name}.mtr").read_bytes()


def about(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def contents(data: bytes) -> list[bytes]:
    """What is in the chunks: zlib may compress it in another way one day."""
    found, at = [], len(MAGIC)
    while at < len(data) - 16:
        head = head_of(data[at : at + CHUNK_HEAD])
        at += CHUNK_HEAD + head.stored
        found.append(inflated(head, data[at - head.stored : at]))
    return found


@pytest.fixture(scope="module")
def made() -> dict[str, tuple[bytes, dict[str, Any]]]:
    return make.documents()


def test_every_one_is_committed(made: dict[str, Any]) -> None:
    assert sorted(made) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_recorders_make_the_same(name: str, made: dict[str, tuple[bytes, dict[str, Any]]]) -> None:
    data, known = made[name]
    assert json.loads(json.dumps(known)) == about(name)
    # But for the index, in which the lengths of what is compressed stand.
    assert contents(data)[:-1] == contents(data_of(name))[:-1]


def recorded(known: dict[str, Any], ats: set[int]) -> list[dict[str, Any]]:
    """What of a game is in a recording: all events, and the states that were taken."""
    return [moment for moment in known["moments"] if "event" in moment or moment["at"] in ats]


@pytest.mark.parametrize("name", NAMES)
def test_the_naive_reader_knows_what_the_game_had(name: str) -> None:
    replay, known = NaiveReplay(data_of(name)), about(name)
    found: list[dict[str, Any]] = []
    for moment in replay.play():
        if moment.event is None:
            one = {"at": moment.at, "state": plain(moment.tables), "steps": plain(moment.steps)}
            if found and found[-1] == one:
                continue  # a block repeats the state that the one before it ended with
            found.append(one)
        else:
            found.append({"at": moment.at, "event": [moment.event[0], moment.event[1]]})
    assert found == recorded(known, {one["at"] for one in found if "state" in one})
    assert len([one for one in found if "state" in one]) > 15
    assert replay.until == known["until"]
    for block, told in zip(replay.blocks, known["blocks"], strict=True):
        assert {"at": block.at, "first": block.first, "last": block.last} == {
            key: told[key] for key in ("at", "first", "last")
        }
        assert [list(player) for player in block.players] == told["players"]


@pytest.mark.parametrize("name", NAMES)
def test_the_python_client_finds_them_right(name: str) -> None:
    known = about(name)
    with Replay.open(FOLDER / f"{name}.mtr") as replay:
        assert replay.check() == []
        assert (replay.header.id, replay.header.rate) == (known["id"], known["rate"])
        assert replay.recording.index.until == known["until"]
        for entry, told in zip(replay.recording.index.blocks, known["blocks"], strict=True):
            assert (entry.at, entry.first, entry.last) == (told["at"], told["first"], told["last"])
