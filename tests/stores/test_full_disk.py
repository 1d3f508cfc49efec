"""A disk that is really full: a small file system of its own, or, where none may be mounted, a limit on the size of files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stores.full_disk import RECORDS

ROOT = Path(__file__).parents[2]
# Root may mount in a namespace of its own; others may where the kernel lets them be root in one.
NAMESPACES = (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"])
MOUNT = 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"'


def in_small_file_system(folder: Path) -> list[str] | None:
    """The beginning of a command that sees a file system of a megabyte at `folder`; None if that may not be."""
    for namespace in NAMESPACES:
        command = [*namespace, "sh", "-c", MOUNT, str(folder)]
        try:
            if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
                return command
        except FileNotFoundError:
            continue
    return None


@pytest.mark.parametrize("means", ["tmpfs", "limit"])
def test_a_full_disk_is_said_to_be_full_and_loses_nothing(tmp_path: Path, means: str):
    small = in_small_file_system(tmp_path) if means == "tmpfs" else []
    if small is None:
        small, means = [], "limit"
    program = [sys.executable, "-m", "tests.stores.full_disk", str(tmp_path), means]
    ended = subprocess.run([*small, *program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert 0 < said["stuck_at"] < RECORDS
    assert said["failing"]
    assert said["right_while_full"]
    (error,) = said["errors"]
    assert ("No space left on device" if means == "tmpfs" else "File too large") in error
    assert not said["failing_after"]
    assert said["right_after"]
    assert said["half_written"] == 0
    assert said["last"] == RECORDS
