"""What the benchmarks share: the compiled load programs, the peers' environment, and the table of figures at the end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.conftest import postgres
from tests.node import find

from benchmarks import report
from benchmarks.programs import OUT, compile_bare, compile_load

__all__ = ["postgres"]

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What servers keep, also those that are processes of their own: of each benchmark alone."""
    folder = tmp_path / "data"
    monkeypatch.setenv("MONKEYTOWN_DATA_FOLDER", str(folder))
    return folder


@pytest.fixture(scope="session")
def quick() -> bool:
    """A run of minutes rather than of a quarter of an hour."""
    return os.environ.get("MONKEYTOWN_BENCH_QUICK") == "1"


@pytest.fixture(scope="session")
def load_program() -> Path:
    return compile_load()


@pytest.fixture(scope="session")
def bare() -> Path:
    return compile_bare()


@pytest.fixture(scope="session")
def node() -> str:
    return str(find())


@pytest.fixture(scope="session")
def schema_peer(node: str) -> None:
    """The current @colyseus/schema, where the benchmarks' JavaScript finds it."""
    if not (HERE / "node_modules" / "@colyseus" / "schema").exists():
        install = ["npm", "install", "--no-save", "--no-package-lock", "--silent", "--prefix", HERE]
        subprocess.run([*install, "@colyseus/schema"], check=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if report.FIGURES:
        terminalreporter.section("figures")
        for line in report.table():
            terminalreporter.write_line(line)
        OUT.mkdir(exist_ok=True)
        (OUT / "figures.md").write_text("\n".join(report.table()) + "\n")
