"""Where this machine's Chromium is, and how to get one. Used by the suite's fixtures and by `make test`.

`python -m tests.browser --install` installs it with apt as root on Debian and its kin; elsewhere it says what to do.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.packages import install_if_missing

__all__ = ["ARGUMENTS", "HOW_TO_INSTALL", "find"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
OUTSIDE_PATH = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
HOW_TO_INSTALL = (
    "no Chromium found: install it (Debian, Ubuntu: apt-get install --no-install-recommends chromium; Fedora: dnf "
    "install chromium; macOS: brew install --cask chromium) or name one with MONKEYTOWN_CHROMIUM=/path/to/chromium"
)
ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Chromium's sandbox refuses to run as root, which is what containers and build machines run as.
    *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
]


def find() -> str | None:
    """The path of a Chromium, or None."""
    chosen = os.environ.get("MONKEYTOWN_CHROMIUM")
    if chosen:
        return chosen
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or next((path for path in OUTSIDE_PATH if Path(path).exists()), None)


if __name__ == "__main__":
    install_if_missing("chromium", find, HOW_TO_INSTALL)
