"""The image as an operator runs it: built by the Dockerfile, with a read-only root, asked, played on and stopped.

`make image` runs these; they need an engine for images, root, and minutes.
"""

from __future__ import annotations

import json
import re
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from urllib.error import URLError

import pytest

from tests.cli.command import monkeytown
from tests.image import engine as engines
from tests.image.engine import ROOT, Container, Engine

pytestmark = pytest.mark.image

# A secret of tests; the image has none of its own.
SECRET = "0123456789abcdef0123456789abcdef"
START_SECONDS = 60


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> Engine:
    """An engine that has built the image; what that took is printed."""
    found = engines.find()
    if found is None:
        pytest.fail(engines.HOW_TO_INSTALL)
    started = time.monotonic()
    found.build()
    seconds = time.monotonic() - started
    whole, within = found.sizes()
    above = whole - within
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\nimage: built in {seconds:.0f} s; {whole / 1e6:.0f} MB, {above / 1e6:.0f} MB above its base")
    return found


@pytest.fixture(scope="module")
def container(engine: Engine) -> Iterator[Container]:
    with engine.start(MONKEYTOWN_SECRET=SECRET, MONKEYTOWN_GUESTS="1") as running:
        try:
            until(lambda: status(running, "/health/ready") == 200)
        except AssertionError:
            pytest.fail(running.logs())
        yield running


def status(container: Container, path: str) -> int:
    """The status of an answer; 0 without one."""
    try:
        with urllib.request.urlopen(container.url + path, timeout=2) as answer:
            return int(answer.status)
    except URLError as error:
        return int(getattr(error, "code", 0))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_it_lives_and_is_ready(engine: Engine, container: Container) -> None:
    assert status(container, "/health/live") == 200
    assert status(container, "/health/ready") == 200
    assert container.execute(*engine.config()["Healthcheck"]["Test"][1:])


def test_it_does_not_run_as_root(container: Container) -> None:
    assert container.user() == 10001


def test_it_serves_a_page_and_a_game(container: Container) -> None:
    assert status(container, "/") == 200
    with urllib.request.urlopen(f"{container.url}/info", timeout=5) as answer:
        assert [game["name"] for game in json.load(answer)["games"]] == ["jungle"]


def test_a_bot_plays_on_it(container: Container) -> None:
    done = monkeytown("bot", container.url, "--count", "1", "--seconds", "2")
    assert done.returncode == 0, done.stderr


def test_it_holds_what_every_extra_needs(container: Container) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = [line for name, lines in extras.items() if name not in ("all", "dev") for line in lines]
    names = [re.split(r"[^\w.-]", line)[0] for line in wanted]
    assert container.execute(
        "python", "-c", f"import importlib.metadata as m; [m.version(n) for n in {names}]"
    )
    assert not container.execute("python", "-c", "import importlib.metadata as m; m.version('pytest')")


def test_it_holds_no_compiler(container: Container) -> None:
    assert not container.execute("sh", "-c", "command -v gcc || command -v cc")


def test_it_can_write_only_where_it_should(container: Container) -> None:
    for folder, writable in (("/data", True), ("/tmp", True), ("/opt/monkeytown", False), ("/games", False)):
        assert container.execute("sh", "-c", f"touch {folder}/trial && rm {folder}/trial") == writable, folder


def test_it_has_no_secret_of_its_own(engine: Engine) -> None:
    assert [pair for pair in engine.config()["Env"] if "SECRET" in pair or "TOKEN" in pair] == []
    with engine.start() as running:
        assert running.wait() == 2
        assert "needs MONKEYTOWN_SECRET" in running.logs()


def test_it_ends_well_when_it_is_told_to(container: Container) -> None:
    """The last one: the container is no more after it."""
    started = time.monotonic()
    assert container.stop() == 0, container.logs()
    assert time.monotonic() - started < engines.STOP_SECONDS
    assert '"event": "stopped"' in container.logs()
