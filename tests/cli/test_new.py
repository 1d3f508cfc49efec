"""What `monkeytown new` writes runs, passes its own test, and overwrites nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import monkeytown


def test_the_new_game_is_short_and_its_test_passes(tmp_path: Path):
    done = monkeytown("new", "bouncing_dots", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "monkeytown run bouncing_dots.py --reload" in done.stdout
    text = (tmp_path / "bouncing_dots.py").read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 30
    assert "class BouncingDots(Game)" in text
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    assert "1 passed" in tested.stdout


@pytest.mark.parametrize("name", ["2fast", "my-game", "class", "a/b", ""])
def test_a_name_that_cannot_be_imported_is_refused(tmp_path: Path, name: str):
    done = monkeytown("new", name, cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be the name of a game" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path):
    (tmp_path / "test_dots.py").write_text("mine")
    done = monkeytown("new", "dots", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "monkeytown: test_dots.py exists already\n")
    assert [path.name for path in tmp_path.iterdir()] == ["test_dots.py"]


def test_a_name_that_hides_a_module_is_refused(tmp_path: Path):
    assert "another name" in monkeytown("new", "random", cwd=tmp_path).stderr
