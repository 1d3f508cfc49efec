"""An HAProxy with the project's own configuration: where this machine's is, how to get one, and one that runs.

    with Proxy(folder, program, ["127.0.0.1:8001", "127.0.0.1:8002"]) as proxy:
        until_ready(proxy.url)

Knows the file and what in it is a matter of the place: where it listens, and where the instances are.
`python -m tests.deploy.haproxy --install` installs the Debian package as root; elsewhere it says what to do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.docs.pages import ROOT
from tests.packages import install_if_missing
from tests.postgres import free_port

__all__ = ["HOW_TO_INSTALL", "Proxy", "find", "until_ready"]

HOW_TO_INSTALL = (
    "no HAProxy found: apt-get install -y haproxy (Fedora: dnf install haproxy; macOS: brew install haproxy) or name one "
    "with MONKEYTOWN_TEST_HAPROXY"
)
CONFIG = ROOT / "deploy/haproxy.cfg"
PATIENCE = 15.0


def find() -> str | None:
    """The path of an HAProxy, or None."""
    return os.environ.get("MONKEYTOWN_TEST_HAPROXY") or shutil.which(
        "haproxy", path="/usr/sbin:" + os.environ["PATH"]
    )


class Proxy:
    """Runs for as long as the block lasts, before the two instances at these addresses."""

    def __init__(self, folder: Path, program: str, instances: Sequence[str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        text = CONFIG.read_text().replace("bind :8000", f"bind 127.0.0.1:{port}")
        for number, address in enumerate(instances, 1):
            text = text.replace(f"monkeytown-{number}:8000", address)
        assert not re.search(r"^ .*:8000", text, re.MULTILINE)
        self._config = folder / "haproxy.cfg"
        self._config.write_text(text)
        self._log = folder / "haproxy.log"
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("w") as log:
            # In the foreground, as one process: it ends when it is told to.
            command = [self._program, "-db", "-f", self._config]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()


def until_ready(url: str) -> None:
    """Until a server says that it is ready. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(f"{url}/health/ready", timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} is not ready") from None
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    install_if_missing("haproxy", find, HOW_TO_INSTALL)
