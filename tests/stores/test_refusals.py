"""What the database refuses stands in a file, with the reason, as long as there is room in it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from monkeytown.room.ledger import Kind
from monkeytown.stores.records import Record
from monkeytown.stores.refusals import Refusals

REFUSED = Record("meadow", "jungle", 3, 17, 1000.5, Kind.SCORE, "ann", b'{"score":1}')


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_record_is_kept_with_the_reason(tmp_path: Path):
    path = tmp_path / "refused.jsonl"
    with capture_logs() as logs:
        Refusals(path).keep(REFUSED, "value out of range")
    (line,) = lines(path)
    assert line.pop("refused") > 1000
    assert line == {
        "reason": "value out of range",
        "room": "meadow",
        "game": "jungle",
        "epoch": 3,
        "sequence": 17,
        "time": 1000.5,
        "kind": "score",
        "player": "ann",
        "content": '{"score":1}',
    }
    assert [(entry["log_level"], entry["sequence"]) for entry in logs] == [("error", 17)]
    assert "content" not in logs[0]
    assert path.stat().st_mode & 0o077 == 0


def test_bytes_that_are_no_record_are_kept_as_they_are(tmp_path: Path):
    path = tmp_path / "refused.jsonl"
    with capture_logs():
        Refusals(path).keep(b"\x00\xff", "truncated")
        Refusals(path).keep(b"more", "truncated")
    assert [base64.b64decode(line["bytes"]) for line in lines(path)] == [b"\x00\xff", b"more"]


def test_the_file_is_bounded(tmp_path: Path):
    path = tmp_path / "refused.jsonl"
    refusals = Refusals(path, max_bytes=500)
    with capture_logs() as logs:
        for _ in range(10):
            refusals.keep(REFUSED, "no")
    assert 0 < len(lines(path)) < 10
    assert path.stat().st_size <= 500
    assert sum("is full" in line["event"] for line in logs) == 10 - len(lines(path))


@pytest.mark.parametrize("taken", [0, 5])
def test_where_the_file_cannot_be_written_the_log_has_it_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
):
    if taken:
        monkeypatch.setattr(os, "write", lambda descriptor, line: taken)
        path = tmp_path / "refused.jsonl"
    else:
        path = tmp_path / "missing" / "refused.jsonl"
    with capture_logs() as logs:
        Refusals(path).keep(REFUSED, "no")
    assert [line["log_level"] for line in logs] == ["error", "error"]
    assert logs[1]["content"] == '{"score":1}'
