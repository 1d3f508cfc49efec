"""What an operator reads: every event in one form, with places, and without secrets."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import TIMEOUT, environment, monkeytown

LEVELS = ["debug", "info", "warning", "error"]

# The value of `password` is in no line of the source: only a frame could give it away.
LOGGING = """
import logging
import structlog
from monkeytown.server.logs import configure

configure({level!r}, {form!r})
ours, theirs = structlog.get_logger(), logging.getLogger("uvicorn.error")
theirs.setLevel(logging.DEBUG)  # as uvicorn does: a level of its own


def fail():
    password = "hunter" + str(2)
    raise ValueError("this is why")


for level in ("debug", "info", "warning", "error"):
    getattr(ours, level)("ours", room="r1")
    getattr(theirs, level)("%s", "theirs", extra=dict(room="r1"))
try:
    fail()
except ValueError as error:
    ours.error("ours failed", exc_info=error)
    theirs.exception("theirs failed")
"""

GAME = """
from monkeytown import Entity, Game, table, text


class Dot(Entity):
    name = text(8)


class Dots(Game):
    dots = table(Dot)

    def on_join(self, player):
        password = "hunter" + str(2)
        raise ValueError("this is why")
"""

# A server, and in a thread beside it a client that sends nonsense and one that joins; then it is told to stop.
SERVING = """
import json, os, signal, socket, threading, time
from websockets.sync.client import connect
from monkeytown.cli.loading import load
from monkeytown.cli.settings import read_settings
from monkeytown.server.app import serve

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]


def visit():
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port))
            break
        except OSError:
            time.sleep(0.02)
    with connection:
        connection.sendall(b"nonsense\\r\\n\\r\\n")
        connection.recv(1)
    with connect(f"ws://127.0.0.1:{port}/ws", subprotocols=["monkeytown.1.json"]) as player:
        player.send(json.dumps({"type": "hello", "payload": {"token": "swordfish"}}))
        while json.loads(player.recv())["type"] != "error":
            pass
    with connect(f"ws://127.0.0.1:{port}/ws", subprotocols=["monkeytown.1.json"]) as player:
        player.send(json.dumps({"type": "hello", "payload": {"name": "Ada"}}))
        player.send(json.dumps({"type": "join_game", "payload": {"gameId": "dots"}}))
        while json.loads(player.recv())["type"] != "error":
            pass
    os.kill(os.getpid(), signal.SIGTERM)


threading.Thread(target=visit, daemon=True).start()
serve([load("dots.py")], read_settings(port=port))
"""


def output(code: str, cwd: Path | None = None, **variables: str) -> str:
    """What a process of its own prints; configuring logs is for a whole process."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def events(lines: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines()]


@pytest.mark.parametrize("level", LEVELS)
def test_only_what_is_grave_enough_is_logged_whoever_logs_it(level: str) -> None:
    found = events(output(LOGGING.format(level=level, form="json")))
    expected = [*LEVELS[LEVELS.index(level) :], "error"]
    for name, logger in (("ours", None), ("theirs", "uvicorn.error")):
        mine = [event for event in found if event["event"].startswith(name)]
        assert [event["level"] for event in mine] == expected
        assert {event.get("logger") for event in mine} == {logger}
        assert {event.get("room") for event in mine[:-1]} == {"r1"}


def test_times_are_in_utc() -> None:
    for event in events(output(LOGGING.format(level="info", form="json"), TZ="America/New_York")):
        time = datetime.fromisoformat(event["timestamp"])
        assert time.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - time) < timedelta(minutes=10)
    lines = output(LOGGING.format(level="info", form="console"), TZ="America/New_York").splitlines()
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z \[info +\] ours .*room=r1", lines[0])
    assert re.match(r"\S+Z \[info +\] theirs .*uvicorn\.error.*room=r1", lines[1])


@pytest.mark.parametrize("form", ["console", "json"])
def test_tracebacks_are_there_without_the_values_of_variables(form: str) -> None:
    assert find_spec("rich"), (
        "the tracebacks that structlog makes where it is installed are what must not come"
    )
    found = output(LOGGING.format(level="info", form=form))
    assert found.count("Traceback (most recent call last)") == 2
    assert found.count("ValueError: this is why") == 2
    assert "in fail" in found
    assert "hunter2" not in found
    assert "\x1b" not in found


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_server_says_where_a_hook_failed_and_no_secret(form: str, tmp_path: Path) -> None:
    (tmp_path / "dots.py").write_text(GAME)
    secret = "swordfish" * 5
    found = output(
        SERVING, tmp_path, MONKEYTOWN_SECRET=secret, MONKEYTOWN_LOG_FORMAT=form, MONKEYTOWN_LOG_LEVEL="debug"
    )
    assert "swordfish" not in found
    assert "hunter2" not in found
    line = GAME.splitlines().index('        raise ValueError("this is why")') + 1
    if form == "console":
        assert re.search(
            rf"a hook failed.*file=\S*dots\.py game=Dots hook=on_join line={line} room=\S+", found
        )
        assert re.search(r"\[warning +\] Invalid HTTP request received", found)
        return
    logged = {event["event"]: event for event in events(found)}
    failed = logged["a hook failed; its room has ended"]
    assert (failed["game"], failed["hook"], failed["line"]) == ("Dots", "on_join", line)
    assert Path(failed["file"]).name == "dots.py"
    assert failed["room"]
    assert failed["exception"].endswith("ValueError: this is why")
    assert logged["Invalid HTTP request received."]["level"] == "warning"
    assert logged["serving"]["games"] == ["dots"]
    assert logged["stopped"]


@pytest.mark.parametrize("name", ["MONKEYTOWN_LOG_LEVEL", "MONKEYTOWN_LOG_FORMAT"])
def test_an_unknown_value_is_one_line_and_exit_code_2(name: str) -> None:
    done = monkeytown("run", "jungle", "--port", "0", **{name: "loud"})
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"monkeytown: {name}: .*'(info|json)'.*\n", done.stderr)


def test_levels_may_be_written_in_capitals() -> None:
    assert (
        "MONKEYTOWN_LOG_LEVEL=warning  (environment)"
        in monkeytown("settings", MONKEYTOWN_LOG_LEVEL="WARNING").stdout
    )
