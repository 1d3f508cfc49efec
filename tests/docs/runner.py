"""Runs the blocks of a page as a reader would: files are written, code is run, commands are typed.

What the word after the three backquotes says:

    python file=NAME      is written to NAME; later blocks may import it
    python                is run, in the page's folder
    python server=GAME    is run beside a server of GAME
    console               each line after `$ ` is typed; the lines below it must appear in what it prints, in order
    console background    the same, but the command goes on until the page ends or the next such block begins
    sh                    must be well-formed; typed nowhere, since it needs a machine of its own
    js, json              must be well-formed
    nginx, dockerfile, text, (none)   shown, not run

Port 8000 of the pages is a free one here.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

from tests.cli.command import environment
from tests.docs.pages import Block

__all__ = ["LANGUAGES", "Runner"]

LANGUAGES = {"python", "console", "sh", "js", "json", "nginx", "dockerfile", "text", ""}
TIMEOUT = 60


class Runner:
    """One page's folder, its port, and the server that it has running."""

    def __init__(self, folder: Path, node: str) -> None:
        self.folder = folder
        self.node = node
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._background: subprocess.Popen[str] | None = None

    def run(self, block: Block) -> None:
        """Run one block; AssertionError says what was not as the page says."""
        getattr(self, f"_{block.language or 'text'}")(block)

    def close(self) -> None:
        """End what runs in the background."""
        if self._background is not None:
            self._background.terminate()
            self._background.communicate(timeout=TIMEOUT)
            self._background = None

    def _python(self, block: Block) -> None:
        text = self._on_port(block.text)
        if "file" in block.options:
            (self.folder / block.options["file"]).write_text(text)
            compile(text, block.options["file"], "exec")
            return
        if "server" in block.options:
            self._start(f"monkeytown run {block.options['server']}", [self.url])
        done = self._finish([sys.executable, "-W", "error", "-c", text])
        assert done.returncode == 0, done.stderr
        if "server" in block.options:
            self.close()

    def _console(self, block: Block) -> None:
        for command, expected in _typed(self._on_port(block.text)):
            if "background" in block.options:
                self._start(command, expected)
            else:
                done = self._finish(self._command(command))
                assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
                _appear(expected, done.stdout)

    def _sh(self, block: Block) -> None:
        self._well_formed(["bash", "-n", "-c", block.text])

    def _js(self, block: Block) -> None:
        path = self.folder / "block.mjs"
        path.write_text(block.text)
        self._well_formed([self.node, "--check", str(path)])

    def _json(self, block: Block) -> None:
        for part in filter(str.strip, block.text.split("\n\n")):
            json.loads(part)

    def _text(self, block: Block) -> None:
        pass

    _nginx = _dockerfile = _text

    def _well_formed(self, command: list[str]) -> None:
        done = self._finish(command)
        assert done.returncode == 0, done.stderr

    def _finish(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def _start(self, command: str, expected: list[str]) -> None:
        self.close()
        self._background = subprocess.Popen(
            self._command(command),
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        _appear_in_time(expected, self._background)

    def _command(self, text: str) -> list[str]:
        """A command as this interpreter's own, so that nothing else on the machine is meant by its name."""
        name, *arguments = shlex.split(text)
        if name == "pytest":
            return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        assert name == "monkeytown", f"pages type monkeytown and pytest, not {name}"
        return [sys.executable, "-m", "monkeytown", *arguments]

    def _environment(self) -> dict[str, str]:
        return environment(
            MONKEYTOWN_PORT=str(self.port), PYTHONPATH=os.pathsep.join((str(self.folder), *sys.path))
        )

    def _on_port(self, text: str) -> str:
        return text.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")


def _typed(text: str) -> list[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines that it should print."""
    commands: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif line.strip():
            commands[-1][1].append(line)
    return commands


def _appear(expected: list[str], output: str) -> None:
    at = 0
    for line in expected:
        found = output.find(line, at)
        assert found >= 0, f"{line!r} is not (or not there) in what was printed:\n{output}"
        at = found + len(line)


def _appear_in_time(expected: list[str], process: subprocess.Popen[str]) -> None:
    """Read what a process prints until all of `expected` has appeared."""
    lines: Queue[str] = Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)

    Thread(target=read, daemon=True).start()
    output, deadline = "", time.monotonic() + TIMEOUT
    while not _all_in(expected, output):
        assert process.poll() is None, f"it ended: {output}"
        try:
            output += lines.get(timeout=max(0.0, min(0.5, deadline - time.monotonic())))
        except Empty:
            assert time.monotonic() < deadline, f"{expected} did not appear in:\n{output}"


def _all_in(expected: list[str], output: str) -> bool:
    try:
        _appear(expected, output)
    except AssertionError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
