"""Where this machine's Chromium is, and how to get one. Used by the suite's fixtures and by `make test`.

`python tests/browser.py --install` installs it with apt as root on Debian and its kin; elsewhere it says what to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

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


def install() -> None:
    """Install Chromium where that needs no questions: as root, with apt."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        sys.exit(HOW_TO_INSTALL)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    if find() is None and "--install" in sys.argv:
        install()
    path = find()
    if path is None:
        sys.exit(HOW_TO_INSTALL)
    print(path)
