"""`monkeytown db` as an operator uses it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from monkeytown.cli.db import db
from monkeytown.errors import StartError
from monkeytown.stores.address import database_at
from monkeytown.stores.migrations import NEWEST, steps
from monkeytown.stores.store import Store
from tests.cli.command import monkeytown
from tests.postgres import Postgres

FILES = [step.name for step in steps("sqlite")]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_tables_are_made_and_looked_at(
    kind: str, data_folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
):
    place = str(data_folder / "monkeytown.db")
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_url")
        monkeypatch.setenv("MONKEYTOWN_DATABASE_URL", url)
        place = url.replace("monkeytown@", "")

    def run(command: str) -> tuple[int, list[str]]:
        result = CliRunner().invoke(db, [command])
        return result.exit_code, result.stdout.splitlines()

    assert run("status") == (1, [f"{place}: schema 0; {NEWEST} is needed"])
    assert run("upgrade") == (0, [*(f"applied {name}" for name in FILES), f"{place}: schema {NEWEST}"])
    assert run("upgrade") == (0, [f"{place}: schema {NEWEST}"])
    assert run("status") == (0, [f"{place}: schema {NEWEST}; {NEWEST} is needed"])


def test_a_player_is_handed_out_and_forgotten(data_folder: Path):
    assert CliRunner().invoke(db, ["upgrade"]).exit_code == 0
    asyncio.run(with_ann(data_folder))
    exported = CliRunner().invoke(db, ["export", "ann"])
    assert json.loads(exported.stdout)["player"]["name"] == "Ännchen"
    assert "Ännchen" in exported.stdout
    refused = CliRunner().invoke(db, ["erase", "ann"], input="n\n")
    assert refused.exit_code == 1
    assert "Ännchen" in CliRunner().invoke(db, ["export", "ann"]).stdout
    assert CliRunner().invoke(db, ["erase", "ann"], input="y\n").exit_code == 0
    erased = json.loads(CliRunner().invoke(db, ["export", "ann"]).stdout)
    assert erased["player"]["name"] == ""
    again = CliRunner().invoke(db, ["erase", "ann", "--yes"])
    assert (again.exit_code, again.stdout) == (0, "ann is forgotten\n")
    still = json.loads(CliRunner().invoke(db, ["export", "ann"]).stdout)
    assert still["player"]["erased"] == erased["player"]["erased"] > 0
    for command, id in (("export", "ben"), ("erase", "b" * 256)):
        wrong = CliRunner().invoke(db, [command, id, *(["--yes"] if command == "erase" else [])])
        assert isinstance(wrong.exception, StartError)


async def with_ann(folder: Path) -> None:
    database = database_at("", folder)
    assert database
    store = Store(database)
    await store.open(migrate=True)
    await store.rename("ann", "Ännchen")
    await store.close()


def test_what_is_stored_is_shown_once_the_tables_are_there(data_folder: Path):
    wrong = CliRunner().invoke(db, ["export", "ann"])
    assert isinstance(wrong.exception, StartError)
    assert "run `monkeytown db upgrade`" in str(wrong.exception)


def test_what_is_wrong_is_one_line(tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch):
    for url, why in (
        ("none", "MONKEYTOWN_DATABASE_URL=none: there is no database"),
        (f"sqlite:///{tmp_path}/nowhere/town.db", f"{tmp_path}/nowhere/town.db: No such file or directory"),
        (postgres.url("nowhere"), 'nowhere: database "nowhere" does not exist'),
        ("postgresql://ann:secret@127.0.0.1:1/town", "postgresql://127.0.0.1:1/town: Connect call failed"),
    ):
        monkeypatch.setenv("MONKEYTOWN_DATABASE_URL", url)
        for command in ("upgrade", "status"):
            result = CliRunner().invoke(db, [command])
            assert isinstance(result.exception, StartError)
            assert why in str(result.exception)
            assert "secret" not in str(result.exception)


def test_a_failure_is_an_exit_code():
    refused = monkeytown("db", "upgrade", MONKEYTOWN_DATABASE_URL="none")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "monkeytown: MONKEYTOWN_DATABASE_URL=none: there is no database\n"


def test_passwords_are_not_printed():
    listed = monkeytown("settings", MONKEYTOWN_DATABASE_URL="postgresql://ann:secret@db/town")
    assert "MONKEYTOWN_DATABASE_URL=(set)  (environment)" in listed.stdout
    assert "secret@" not in listed.stdout
