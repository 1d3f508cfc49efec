"""The JavaScript client's own tests, one file at a time, in Node."""

import subprocess
from pathlib import Path

import pytest

FILES = sorted(Path(__file__).parent.glob("*.test.mjs"))
TIMEOUT = 120


def test_there_are_tests_in_javascript():
    assert len(FILES) > 5


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_the_javascript_tests_pass(file: Path, node_path: str):
    command = [node_path, "--test", "--test-reporter=tap", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n# fail 0\n" in done.stdout
