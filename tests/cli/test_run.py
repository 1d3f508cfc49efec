"""`monkeytown run` and `monkeytown bot` as a person uses them: processes, signals, exit codes."""

import json
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import pytest

from tests.cli.command import COMMAND, environment, monkeytown

GAME = """
from monkeytown import Entity, Game, Input, fixed, table


class Dot(Entity):
    x = fixed(0, 100)


class Step(Input):
    dx = fixed(-1, 1, step=0.1)


class Dots(Game):
    input = Step
    dots = table(Dot)

    def on_join(self, player):
        player.entity = self.dots.spawn()

    def on_input(self, player, step):
        player.entity.x += step.dx
"""
TIMEOUT = 40


class Process:
    """A command that goes on; what it prints is collected as it comes."""

    def __init__(self, *arguments: str, cwd: Path | None = None, **variables: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cwd,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        self._lines: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match of `pattern` in what is printed from now on."""
        deadline, seen = time.monotonic() + TIMEOUT, ""
        while time.monotonic() < deadline:
            try:
                line = self._lines.get(timeout=0.2)
            except Empty:
                if self.process.poll() is None:
                    continue
                break
            seen += line
            self.output += line
            found = re.search(pattern, seen)
            if found:
                return found
        raise AssertionError(f"{pattern!r} did not appear in:\n{self.output}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(TIMEOUT)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    processes: list[Process] = []

    def start(*arguments: str, **options: str | Path) -> Process:
        processes.append(Process(*arguments, **options))  # type: ignore[arg-type]
        return processes[-1]

    yield start
    for process in processes:
        process.close()


def info(url: str) -> dict[str, object]:
    with urllib.request.urlopen(url + "/info", timeout=TIMEOUT) as answer:
        found: dict[str, object] = json.load(answer)
        return found


def players(url: str, game: str) -> int:
    """How many players a newcomer finds in the game, itself not counted."""
    done = subprocess.run(
        [COMMAND[0], "-c", COUNT, url, game], capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    return int(done.stdout)


COUNT = """
import asyncio, sys
from monkeytown.client import connect

async def count(url, game):
    async with await connect(url) as client:
        room = await client.join(game)
        await asyncio.sleep(0.2)
        print(len(room.players) - 1)

asyncio.run(count(*sys.argv[1:]))
"""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_file_is_served_and_stops_when_asked(start: Callable[..., Process], tmp_path: Path):
    (tmp_path / "dots.py").write_text(GAME)
    server = start("run", "dots.py", "--port", "0", cwd=tmp_path)
    url = server.wait_for(r"url=(http://127\.0\.0\.1:\d+)")[1]
    assert [game["name"] for game in info(url)["games"]] == ["dots"]  # type: ignore[attr-defined]
    with urllib.request.urlopen(url + "/health/ready", timeout=TIMEOUT) as answer:
        assert answer.status == 200
    assert server.stop() == 0


def test_several_games_are_served_together_and_ctrl_c_is_no_failure(start: Callable[..., Process]):
    server = start("run", "jungle", "tictactoe", "--port", "0")
    url = server.wait_for(r"url=(\S+)")[1]
    assert {game["name"] for game in info(url)["games"]} == {"jungle", "tictactoe"}  # type: ignore[attr-defined]
    assert server.stop(signal.SIGINT) == 0


def test_bots_keep_a_game_company_for_as_long_as_it_lasts(start: Callable[..., Process], tmp_path: Path):
    (tmp_path / "dots.py").write_text(GAME)
    server = start("run", "dots.py", "--port", "0", "--bots", "4", cwd=tmp_path)
    url = server.wait_for(r"url=(\S+)")[1]
    until(lambda: players(url, "dots") == 4)
    bots = children_of(server.process.pid)
    assert len(bots) == 1
    server.process.kill()
    until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in bots))


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_change_starts_the_game_anew_and_a_broken_one_is_said(
    start: Callable[..., Process], tmp_path: Path
):
    (tmp_path / "dots.py").write_text(GAME)
    server = start("run", "dots.py", "--port", "0", "--reload", cwd=tmp_path)
    url = server.wait_for(r"url=(\S+)")[1]
    (tmp_path / "dots.py").write_text(GAME.replace("class Dots", "class Points"))
    server.wait_for("dots.py changed, starting anew")
    assert server.wait_for(r"url=(\S+)")[1] == url
    assert [game["name"] for game in info(url)["games"]] == ["points"]  # type: ignore[attr-defined]
    (tmp_path / "dots.py").write_text(GAME + "\n)")
    server.wait_for(r"monkeytown: .*dots\.py:\d+: unmatched '\)'")
    (tmp_path / "dots.py").write_text(GAME)
    server.wait_for(r"url=(\S+)")
    assert server.stop() == 0


def test_an_error_in_a_hook_is_logged_with_file_hook_and_line(start: Callable[..., Process], tmp_path: Path):
    text = GAME.replace("player.entity = self.dots.spawn()", "player.entity = self.dots.spwan()")
    (tmp_path / "dots.py").write_text(text)
    line = text.splitlines().index("        player.entity = self.dots.spwan()") + 1
    server = start("run", "dots.py", "--port", "0", cwd=tmp_path)
    url = server.wait_for(r"url=(\S+)")[1]
    done = monkeytown("bot", url, "--count", "1", "--seconds", "5")
    assert (done.returncode, done.stderr.startswith("monkeytown: GAME-005")) == (2, True), done.stderr
    server.wait_for(rf"file=\S*dots\.py game=Dots hook=on_join line={line} ")
    assert server.process.poll() is None


def test_bots_are_sent_to_the_first_game_of_a_server(start: Callable[..., Process], tmp_path: Path):
    server = start("run", "tictactoe", "--port", "0")
    url = server.wait_for(r"url=(\S+)")[1]
    bots = start("bot", url, "--count", "3", "--seconds", "20")
    until(lambda: players(url, "tictactoe") == 3)
    assert bots.stop(signal.SIGINT) == 0
    done = monkeytown("bot", url, "--game", "chess", "--count", "2")
    assert (done.returncode, done.stderr) == (2, "monkeytown: GAME-001: There is no such game or room.\n")


def why_not(*arguments: str, cwd: Path | None = None, **variables: str) -> str:
    done = monkeytown(*arguments, cwd=cwd, **variables)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("monkeytown: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_what_cannot_be_served_is_one_line_and_exit_code_2(tmp_path: Path):
    (tmp_path / "bare.py").write_text("from monkeytown import Game\nclass Bare(Game): pass\n")
    (tmp_path / "broken.py").write_text("class Dots(:\n")
    assert "there is no file chess.py" in why_not("run", "chess.py", cwd=tmp_path)
    assert "there is no file chess.py" in why_not("run", "chess.py", "--reload", cwd=tmp_path)
    assert "bare.py:2: SchemaError: Bare has no table" in why_not("run", "bare.py", cwd=tmp_path)
    assert "broken.py:1: invalid syntax" in why_not("run", "broken.py", cwd=tmp_path)
    assert "two games are called jungle" in why_not("run", "jungle", "jungle:Jungle", cwd=tmp_path)


def test_a_port_in_use_is_one_line_and_exit_code_2():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in why_not(
            "run", "jungle", "--port", port
        )


def test_listening_beyond_loopback_needs_a_secret(start: Callable[..., Process]):
    assert "needs MONKEYTOWN_SECRET" in why_not("run", "jungle", "--host", "0.0.0.0", "--port", "0")
    assert "needs MONKEYTOWN_SECRET" in why_not(
        "run", "jungle", "--host", "0.0.0.0", "--port", "0", MONKEYTOWN_SECRET="short"
    )
    server = start(
        "run", "jungle", "--host", "0.0.0.0", "--port", "0", MONKEYTOWN_SECRET="s" * 32, MONKEYTOWN_GUESTS="1"
    )
    server.wait_for(r"url=http://0\.0\.0\.0:\d+")


def test_a_bad_network_is_for_loopback(start: Callable[..., Process]):
    away = ("--host", "0.0.0.0", "--port", "0")
    assert "on loopback only" in why_not(
        "run", "jungle", *away, "--simulate-loss", "1", MONKEYTOWN_SECRET="s" * 32
    )
    server = start("run", "tictactoe", "--port", "0", "--simulate-latency", "50", "--reload")
    server.wait_for(r"simulating a bad network.*latency_ms=50\.0")
    assert server.stop() == 0


def test_a_setting_that_cannot_be_is_named(tmp_path: Path):
    assert "MONKEYTOWN_PORT: " in why_not("run", "jungle", MONKEYTOWN_PORT="many")
    assert "MONKEYTOWN_ORIGINS: " in why_not("settings", MONKEYTOWN_ORIGINS="example.com")
    assert "cannot ask http://127.0.0.1:1/info for its games" in why_not("bot", "127.0.0.1:1")


def test_settings_say_where_values_come_from_and_keep_secrets():
    done = monkeytown("settings", MONKEYTOWN_PORT="9000", MONKEYTOWN_SECRET="hunter2" * 5)
    assert done.returncode == 0
    assert "MONKEYTOWN_PORT=9000  (environment)\n    Port to listen on" in done.stdout
    assert "MONKEYTOWN_HOST=127.0.0.1  (default)" in done.stdout
    assert "MONKEYTOWN_SECRET=(set)  (environment)" in done.stdout
    assert "hunter2" not in done.stdout


def test_the_version_is_the_packages():
    from importlib.metadata import version

    assert monkeytown("--version").stdout == f"monkeytown {version('monkeytown')}\n"
