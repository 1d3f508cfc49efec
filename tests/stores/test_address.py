"""Which database an address means."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from monkeytown.errors import StartError
from monkeytown.stores.address import database_at


def test_nothing_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"
    database = database_at("", folder)
    assert database
    assert (database.dialect, database.place) == ("sqlite", str(folder / "monkeytown.db"))
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"the data folder .*/file/data cannot be made: Not a directory"):
        database_at("", tmp_path / "file" / "data")


def test_none_is_no_database(tmp_path: Path) -> None:
    assert database_at("none", tmp_path / "data") is None
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("url", "dialect", "place"),
    [
        ("sqlite:///town.db", "sqlite", "town.db"),
        ("sqlite:////srv/a town.db", "sqlite", "/srv/a town.db"),
        ("postgresql://ann:secret@db.example/town", "postgresql", "postgresql://db.example/town"),
        (
            "postgresql://ann@db.example:5433/town?sslmode=require",
            "postgresql",
            "postgresql://db.example:5433/town",
        ),
        ("postgresql://ann:s%2Fcret@[::1]:5432/town", "postgresql", "postgresql://[::1]:5432/town"),
        ("postgres://one:1,two:2/town", "postgresql", "postgresql://one:1,two:2/town"),
        ("postgresql:///town?host=/run/postgresql&password=secret", "postgresql", "postgresql:///town"),
        ("postgresql://", "postgresql", "postgresql://"),
    ],
)
def test_other_databases(tmp_path: Path, url: str, dialect: str, place: str) -> None:
    database = database_at(url, tmp_path)
    assert database
    assert (database.dialect, database.place) == (dialect, place)


@pytest.mark.parametrize(
    "url",
    [
        *("mysql://ann:secret@db/town", "secret", "sqlite:", "sqlite:///", "sqlite://host/secret", "None"),
        *("postgresql:town", "postgresql://ann:se/cret@db/town", "postgresql://ann:secret@@db/town"),
        *("postgresql://ann:secret#@db/town", "postgresql://db/town?password=secret@"),
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(StartError) as refusal:
        database_at(url, tmp_path)
    assert "cret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_driver_is_asked_for_when_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "monkeytown.stores.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(StartError) as refusal:
        database_at("postgresql://db/town", tmp_path)
    assert str(refusal.value) == "postgresql:// needs asyncpg: pip install 'monkeytown[postgres]'"
