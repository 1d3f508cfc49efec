"""The golden frames: the core makes them, every reader reads them, and they show all of the document."""

import json
from pathlib import Path
from typing import Any

import pytest

from monkeytown import schema
from monkeytown._core import delta
from monkeytown.errors import WireError
from tests import naive_cells, naive_client, naive_reader, naive_tables
from tests.core_reader import CoreReader
from tests.naive_reader import NaiveReader
from tests.naive_wire import Cursor, NaiveWireError
from tests.vectors import make

GAME_STATE = 0x43
FOLDER = Path(make.__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def vector(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def whole(told: dict[str, Any]) -> dict[str, Any]:
    """The same schema for a reader who sees everything."""
    shape = {key: told[key] for key in ("input", "tables")}
    return {**told, **shape, "area": None, "hash": schema.checksum(shape)}


BROKEN = [
    pytest.param(name, told["hex"], id=f"{name}-{told['rule']}")
    for name in NAMES
    for told in vector(name).get("broken", [])
]


def test_there_are_broken_ones() -> None:
    assert len(BROKEN) > 50


@pytest.fixture(scope="module")
def made() -> dict[str, dict[str, Any]]:
    return make.all_documents()


def test_every_scenario_is_committed(made: dict[str, dict[str, Any]]) -> None:
    assert sorted(made) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_core_makes_the_same_bytes(name: str, made: dict[str, dict[str, Any]]) -> None:
    assert made[name] == vector(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_naive_reader_reads_them(name: str) -> None:
    document = vector(name)
    reader = NaiveReader(document["schema"])
    for frame in document["frames"]:
        reader.apply(bytes.fromhex(frame["hex"]))
        assert make.plain(reader.tables) == frame["state"]
        assert make.plain(reader.steps) == frame["steps"]
        assert reader.position == (tuple(frame["position"]) if frame["position"] else None)
        if "view" in frame:
            assert {str(cell): ring for cell, ring in reader.view.items()} == frame["view"]
            assert (make.plain(reader.cells), reader.far_tick) == (frame["cells"], frame["farTick"])
        if "private" in frame:
            assert_private(reader, frame["private"])
        if "event" in frame and frame["event"]["number"]:
            event = frame["event"]
            number, kind, body = reader.events[-1]
            assert (number, kind, make.plain(body)) == (event["number"], event["kind"], event["body"])


def assert_private(reader: NaiveReader, expected: dict[str, Any]) -> None:
    own = expected["ownEntity"]
    assert reader.own_entity == (tuple(own) if own else None)
    assert reader.acknowledged_input == expected["acknowledgedInput"]
    held = make.plain(reader.private)
    for table, rows in expected["values"].items():
        assert {id: held[table][id] for id in rows} == rows


@pytest.mark.parametrize("name", NAMES)
def test_the_core_reads_them(name: str) -> None:
    document = vector(name)
    core = CoreReader(document["schema"])
    for frame in document["frames"]:
        message = bytes.fromhex(frame["hex"])
        if message[0] != GAME_STATE:
            continue
        position = core.apply(message)
        assert list(position) == frame["position"]
        onward = NaiveReader(whole(document["schema"]))
        onward.apply(delta.snapshot(core.tables, position.epoch, position.tick))
        assert make.plain(onward.tables) == frame["state"]
        assert make.plain(onward.steps) == frame["steps"]
        if core.glimpse is not None:
            assert {str(cell): "far" if far else "near" for cell, far in core.glimpse.view} == frame["view"]
            assert make.plain(core.cells) == frame["cells"]
            assert core.glimpse.far_tick == frame["farTick"]


@pytest.mark.parametrize(("name", "broken"), BROKEN)
def test_the_naive_reader_refuses_what_is_broken(name: str, broken: str) -> None:
    document = vector(name)
    reader = NaiveReader(document["schema"])
    for frame in document["frames"]:
        reader.apply(bytes.fromhex(frame["hex"]))
    with pytest.raises(NaiveWireError):
        reader.apply(bytes.fromhex(broken))


@pytest.mark.parametrize(
    ("name", "broken"), [one for one in BROKEN if str(one.values[1])[:2] in ("", f"{GAME_STATE:x}")]
)
def test_the_core_refuses_what_is_broken(name: str, broken: str) -> None:
    document = vector(name)
    core = CoreReader(document["schema"])
    for frame in document["frames"]:
        core.apply(bytes.fromhex(frame["hex"]))
    with pytest.raises(WireError):
        core.apply(bytes.fromhex(broken))


@pytest.mark.parametrize("name", NAMES)
def test_the_naive_packer_makes_and_reads_what_clients_send(name: str) -> None:
    document = vector(name)
    layout = document["schema"]["input"]
    for told in document.get("inputs", []):
        body = {key: told[key] for key in ("number", "acknowledged", "fields")}
        assert naive_client.unpack(bytes.fromhex(told["hex"]), layout) == ("player_input", body)
        assert naive_client.pack("player_input", body, layout).hex() == told["hex"]
    for told in document.get("messages", []):
        assert naive_client.unpack(bytes.fromhex(told["hex"])) == (told["name"], told["body"])
        assert naive_client.unpack(naive_client.pack(told["name"], told["body"])) == (
            told["name"],
            told["body"],
        )


class Watch:
    """What the naive reader met in the golden frames."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.row_sets: set[tuple[str, int]] = set()
        self.widths: dict[str, set[int]] = {}
        self.outliers = 0
        self.quotients: set[int] = set()
        self._part = ""
        for part in ("gone", "entered", "residuals", "corrected"):
            self._follow(monkeypatch, part)
        row_set, values, gaps, quotients = Cursor.row_set, Cursor.values, Cursor.gaps, Cursor.quotients

        def watched_row_set(cursor: Cursor, count: int) -> list[int]:
            kind = cursor.data[cursor.at]
            part, self._part = self._part, "row set"
            found = row_set(cursor, count)
            self._part = part
            self.row_sets.add((part, kind))
            return found

        def watched_values(cursor: Cursor, count: int, width: int) -> list[int]:
            self.widths.setdefault(self._part, set()).add(width)
            return values(cursor, count, width)

        def watched_gaps(cursor: Cursor, count: int, limit: int) -> list[int]:
            self.outliers += count if self._part == "residuals" else 0
            return gaps(cursor, count, limit)

        def watched_quotients(cursor: Cursor, count: int) -> list[int]:
            found = quotients(cursor, count)
            self.quotients.update(found)
            return found

        monkeypatch.setattr(Cursor, "gaps", watched_gaps)
        monkeypatch.setattr(Cursor, "quotients", watched_quotients)
        monkeypatch.setattr(Cursor, "row_set", watched_row_set)
        monkeypatch.setattr(Cursor, "values", watched_values)

    def _follow(self, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
        known = getattr(naive_tables, part)

        def followed(*arguments: Any) -> Any:
            self._part = part
            return known(*arguments)

        for module in (naive_reader, naive_cells):
            monkeypatch.setattr(module, part, followed, raising=False)


def test_they_show_every_part_of_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch)
    flags, columns = set(), set()
    for name in NAMES:
        document = vector(name)
        reader = NaiveReader(document["schema"])
        for frame in document["frames"]:
            message = bytes.fromhex(frame["hex"])
            reader.apply(message)
            flags.add(message[0] << 8 | message[1] if message[0] == GAME_STATE else message[0])
        for table in document["schema"]["tables"]:
            columns |= {(f["type"], f["predict"], f["ownerOnly"], f["count"] > 0) for f in table["fields"]}
    assert watch.row_sets >= {(part, kind) for part in ("residuals", "corrected") for kind in range(3)}
    assert watch.widths["residuals"] == set(range(33))
    assert watch.outliers > 10
    assert watch.quotients == set(range(16))
    assert watch.widths["entered"] >= {0, 1, 32}
    assert watch.widths["corrected"] >= {0, 1, 32}
    assert flags >= {0x4300 | bits for bits in (0, 1, 2, 4, 5, 6, 8, 12)}
    assert {one for one in flags if one < 0x100} == {0x41, 0x42, *range(0x44, 0x4B)}
    assert {kind for kind, *_ in columns} == set(naive_tables.TYPES)
    assert {predict for _, predict, *_ in columns} == {"hold", "linear"}
    assert any(owner_only for _, _, owner_only, _ in columns)
    assert any(an_array for *_, an_array in columns)
