"""A package of the system that a test needs: installed where that needs no questions, or else how to get it.

Knows apt. Used by `python -m tests.browser --install` and the like.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

__all__ = ["install_if_missing"]


def install_if_missing(package: str, find: Callable[[], object], how_to_install: str) -> None:
    """With `--install` on the command line, as root with apt; prints where it is, or ends with how to get it."""
    if find() is None and "--install" in sys.argv:
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            sys.exit(how_to_install)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    found = find()
    if found is None:
        sys.exit(how_to_install)
    print(found)
