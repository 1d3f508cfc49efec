"""`monkeytown db` as an operator uses it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from monkeytown.cli.db import db
from monkeytown.errors import StartError
from monkeytown.stores.migrations import NEWEST, steps
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
