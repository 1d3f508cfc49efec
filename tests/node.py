"""Which Node runs the JavaScript tests: MONKEYTOWN_NODE, the system's, or the one that Playwright's wheel carries.

`python tests/node.py` prints its path.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["HOW_TO_INSTALL", "find"]

OLDEST = 20
HOW_TO_INSTALL = (
    f"no Node {OLDEST} or later found: pip install -e '.[dev]' brings one, or name one with MONKEYTOWN_NODE"
)


def find() -> str | None:
    """The path of a Node that is new enough, or None."""
    chosen = os.environ.get("MONKEYTOWN_NODE")
    if chosen:
        return chosen
    system = shutil.which("node")
    if system and _major(system) >= OLDEST:
        return system
    package = importlib.util.find_spec("playwright")
    if package is not None and package.origin is not None:
        carried = Path(package.origin).parent / "driver" / "node"
        if carried.exists():
            return str(carried)
    return None


def _major(path: str) -> int:
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    return int(version.lstrip("v").split(".")[0] or 0)


if __name__ == "__main__":
    path = find()
    if path is None:
        sys.exit(HOW_TO_INSTALL)
    print(path)
