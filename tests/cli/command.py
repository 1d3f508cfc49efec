"""The command line as a person uses it: a process, its output, its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["COMMAND", "environment", "monkeytown"]

COMMAND = [sys.executable, "-m", "monkeytown"]
TIMEOUT = 60


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without settings of Monkeytown but the test's own data folder, and then `variables`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MONKEYTOWN_") or name == "MONKEYTOWN_DATA_FOLDER"
    }
    return {**kept, "PYTHONUNBUFFERED": "1", **variables}


def monkeytown(
    *arguments: str, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
