"""`monkeytown replay`: what it prints, finds wrong, exports and draws."""

from __future__ import annotations

import json
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from monkeytown import Entity, Game, angle, fixed, sint, table, text, uint
from monkeytown.cli import picture
from monkeytown.cli.replay import clock, replay
from monkeytown.errors import StartError
from monkeytown.protocol.replayfile import open_recording
from tests.cli.command import monkeytown
from tests.client.test_replay import GAME, MOMENTS, corrupted
from tests.readers.test_recorder import studio
from tests.replays import reader_of
from tests.room.pond import Wall


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pond.mtr"
    path.write_bytes(GAME)
    return path


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(replay, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_it_says_what_a_recording_is(file: Path) -> None:
    lines = dict(line.split(maxsplit=1) for line in run(file).stdout.splitlines())
    assert lines == {
        "game": "pond (A game)",
        "room": "room-1",
        "started": "2026-11-18 11:06:40 UTC",
        "length": "0:12.0",
        "states": f"{sum(moment.event is None for moment in MOMENTS) - 2:,} in 3 blocks, {len(GAME):,} bytes",
        "players": "2",
        "events": "joined 3, chat 1, left 1, closed 1",
    }


def test_a_recording_that_was_cut_off_is_described_as_far_as_it_goes(file: Path) -> None:
    file.write_bytes(GAME[: open_recording(reader_of(GAME), len(GAME)).end - 5])
    said = run(file).stdout
    assert "cut off" in said
    assert "problem  the file ends in a chunk" in said


def test_a_right_recording_is_found_right(file: Path) -> None:
    done = monkeytown("replay", str(file), "--check")
    assert (done.returncode, done.stdout) == (0, "right: 3 blocks, 6 states with their hashes\n")


def test_a_wrong_one_is_found_wrong_and_it_is_said_where(file: Path) -> None:
    file.write_bytes(corrupted(1, last=7))
    done = monkeytown("replay", str(file), "--check")
    assert done.returncode == 1
    assert done.stdout.startswith("block 1: the state at tick")
    file.write_bytes(GAME[:-1])
    assert run(file, "--check").exit_code == 1


@pytest.mark.parametrize(("content", "why"), [(b"GIF89a", "this is no replay"), (None, "No such file")])
def test_what_is_no_recording_is_said_in_one_line(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "strange.mtr"
    if content is not None:
        path.write_bytes(content)
    done = monkeytown("replay", str(path))
    assert done.returncode == 2
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def followed(exported: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """What a reader of the JSON form knows in the end."""
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    tick = None
    for line in exported:
        if line["type"] != "game_state":
            continue
        payload = line["payload"]
        assert payload["base"] == tick
        tick = payload["tick"]
        for name, change in payload["tables"].items():
            rows = tables.setdefault(name, {})
            for id in change.get("gone", ()):
                rows.pop(id)
            for id, values in change.get("set", {}).items():
                rows.setdefault(id, {}).update(values)
    return tables


def test_states_and_events_are_exported_as_json(file: Path, tmp_path: Path) -> None:
    exported = lines(run(file, "--jsonl", "-"))
    events = [(line["seconds"], line["type"]) for line in exported if line["type"] != "game_state"]
    assert events[0] == (0.02, "player_joined")
    assert (2.02, "game_event") in events
    frogs = followed(exported)["frogs"]
    last = MOMENTS[-1].tables["frogs"]
    assert {id: row["x"] for id, row in frogs.items()} == {str(id): row["x"] / 16 for id, row in last.items()}
    assert all("flies" not in row for row in frogs.values())
    run(file, "--jsonl", tmp_path / "out.jsonl")
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == exported


def test_a_part_of_it_is_exported(file: Path) -> None:
    exported = lines(run(file, "--jsonl", "-", "--from", 3, "--to", 4))
    assert exported[0]["payload"]["base"] is None
    assert exported[0]["seconds"] == 3
    assert 3 <= exported[-1]["seconds"] <= 4
    assert set(followed(exported)["frogs"]) == {"1048576", "1048577"}


def test_what_cannot_be_written_is_said(file: Path, tmp_path: Path) -> None:
    done = monkeytown("replay", str(file), "--jsonl", str(tmp_path / "none" / "out.jsonl"))
    assert done.returncode == 2
    assert "No such file" in done.stderr


def test_times_are_written_as_people_do() -> None:
    assert [clock(seconds) for seconds in (0, 59.96, 61.24, 3600, 36_061.5)] == [
        "0:00.0",
        "1:00.0",
        "1:01.2",
        "1:00:00.0",
        "10:01:01.5",
    ]


# Pictures


class Kite(Entity):
    x = fixed(-100, 100)
    y = fixed(0, 50)
    facing = angle(8)
    name = text(12)


class Stone(Entity):
    x = fixed(-100, 100)
    y = fixed(0, 50)


class Star(Entity):
    x = sint(32)
    y = uint(32)


class Sky(Game):
    """One kite flies to the right, over a stone; stars are somewhere else."""

    tick_rate = 20
    stones = table(Stone)
    kites = table(Kite)
    stars = table(Star)

    def on_create(self) -> None:
        self.stones.spawn(x=0, y=5)
        self.kite = self.kites.spawn(x=-90, y=40, name="Ada")
        self.stars.spawn(x=-1000, y=1000)

    def on_tick(self, dt: float) -> None:
        self.kite.x += 1


class Heaven(Game):
    tick_rate = 20
    stars = table(Star)

    def on_create(self) -> None:
        self.star = self.stars.spawn(x=-1000, y=500)

    def on_tick(self, dt: float) -> None:
        self.star.x += 20


def filmed(game: type[Game], ticks: int, tmp_path: Path) -> Path:
    sky = studio(game)
    sky.step(ticks)
    sky.end()
    path = tmp_path / "sky.mtr"
    path.write_bytes(sky.tapes[0].data)
    return path


def pictures(path: Path, *options: object) -> list[Image.Image]:
    out = path.with_suffix(".gif")
    run(path, "--gif", out, *options)
    with Image.open(BytesIO(out.read_bytes())) as gif:
        found = []
        for number in range(getattr(gif, "n_frames", 1)):
            gif.seek(number)
            # Two that look the same are one that is shown for longer.
            found += [gif.convert("RGB")] * (gif.info["duration"] // 50)
        return found


def middle(image: Image.Image, colour: str) -> tuple[float, float] | None:
    """Where the pixels of a colour are, on average."""
    wanted = tuple(bytes.fromhex(colour[1:]))
    places = [
        (x, y) for x in range(image.width) for y in range(image.height) if image.getpixel((x, y)) == wanted
    ]
    if not places:
        return None
    return sum(x for x, _ in places) / len(places), sum(y for _, y in places) / len(places)


def test_rows_with_a_place_are_drawn_as_dots_that_move(tmp_path: Path) -> None:
    found = pictures(filmed(Sky, 100, tmp_path), "--speed", 5, "--size", 240)
    assert len(found) == 21
    assert found[0].size == (240, 100), "as wide as TALLEST allows"
    stones = [middle(image, picture.COLOURS[0]) for image in found]
    kites = [middle(image, picture.COLOURS[1]) for image in found]
    assert stones[0] == stones[-1] == pytest.approx((120, 27), abs=3)
    assert kites[0] is not None
    assert kites[-1] is not None
    assert kites[-1][0] - kites[0][0] == pytest.approx(100 * 224 / 200, abs=4)
    assert kites[-1][1] == pytest.approx(kites[0][1], abs=2)


def test_a_part_of_it_is_drawn_at_another_speed(tmp_path: Path) -> None:
    path = filmed(Sky, 100, tmp_path)
    assert len(pictures(path, "--from", 1, "--to", 2, "--size", 64)) == 21
    assert len(pictures(path, "--from", 1, "--to", 2, "--speed", 2, "--size", 64)) == 11
    assert len(pictures(path, "--from", 4.9, "--to", 900, "--size", 64)) >= 1
    assert len(pictures(path, "--from", 500, "--size", 64)) == 1


def test_without_ranges_the_picture_takes_in_whatever_was_seen(tmp_path: Path) -> None:
    found = pictures(filmed(Heaven, 40, tmp_path), "--size", 200)
    first, last = (middle(image, picture.COLOURS[0]) for image in (found[0], found[-1]))
    assert first is not None
    assert last is not None
    assert first[0] < 20
    assert last[0] > 140


def test_a_game_of_events_is_drawn_as_it_stood(tmp_path: Path) -> None:
    class Board(Wall):
        stones = table(Stone)

    board = studio(Board)
    board.room.join("a", "Ada")
    board.clock.time += 10
    board.room.game.stones.spawn(x=0, y=25)
    board.room.step()
    board.recorder.prepare(board.room)
    board.end()
    path = tmp_path / "board.mtr"
    path.write_bytes(board.tapes[0].data)
    found = pictures(path, "--speed", 40, "--size", 64)
    shown = [middle(image, picture.COLOURS[0]) is not None for image in found]
    assert shown == [False] * 5 + [True]


def test_what_cannot_be_drawn_is_said(file: Path, tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no table has an x and a y"):
        run(file, "--gif", tmp_path / "out.gif")
    with pytest.raises(StartError, match="10,101 pictures are too many"):
        run(filmed(Sky, 100, tmp_path), "--gif", tmp_path / "out.gif", "--speed", 0.01)
    assert not (tmp_path / "out.gif").exists()


def test_without_pillow_one_line_says_what_to_do(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(StartError, match="pip install pillow"):
        run(filmed(Sky, 10, tmp_path), "--gif", tmp_path / "out.gif")
