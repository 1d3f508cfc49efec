"""`/metrics` of a server in play: who may read it, what it says, and that reading it changes nothing."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics
from prometheus_client.parser import text_string_to_metric_families as parse
from starlette.applications import Starlette

from monkeytown import Player
from monkeytown._core.timing import PARTS
from monkeytown.games.jungle import Jungle
from monkeytown.games.tictactoe import TicTacToe
from monkeytown.runtime.shedding import Shedding
from monkeytown.server.app import RunningServer, running
from monkeytown.server.metrics import MetricsPage
from monkeytown.server.settings import Settings
from tests.docs.pages import ROOT, blocks, table
from tests.readers.clients import BinaryClient, JsonClient, binary_client, eventually, json_client
from tests.runtime.stage import Dots, Grumpy, Turns

PAGE = ROOT / "docs/reference/metrics.md"
GUIDE = ROOT / "docs/howto/watch-a-server.md"
TOKEN = "t" * 32

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Slow(Dots):
    """Takes longer for a tick than there is time."""

    def on_tick(self, dt: float) -> None:
        time.sleep(2 * dt)


class Swapping(Dots):
    """Dots never rest; whoever speaks gets another one."""

    def on_tick(self, dt: float) -> None:
        for dot in self.dots:
            dot.x = (dot.x + 7) % 1000

    def on_chat(self, player: Player, text: str) -> str:
        player.entity = self.dots.spawn(x=7)
        return text


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with running(
        [Dots, Turns, Grumpy, Slow, Swapping], Settings(port=0, ack_window=0, chat_burst=100)
    ) as server:
        yield server


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client


class Scrape:
    """What was read at one moment."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in parse(text)}
        self.samples: Samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def __getitem__(self, name: str) -> float:
        return self.of(name)

    def of(self, name: str, **labels: str) -> float:
        return self.samples[f"monkeytown_{name}", frozenset(labels.items())]

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """The values of one label, of the samples with those other labels."""
        return {
            dict(found)[label]: value
            for (sample, found), value in self.samples.items()
            if sample == f"monkeytown_{name}" and dict(found).items() >= labels.items()
        }


async def scrape(http: httpx.AsyncClient) -> Scrape:
    response = await http.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return Scrape(response.text)


async def joined(client: BinaryClient, game: str) -> None:
    await client.say(0x02, gameId=game)
    await client.next(0x43)


async def test_players_rooms_and_connections(server: RunningServer, http: httpx.AsyncClient) -> None:
    before = await scrape(http)
    assert before["connections_open"] == before["connections_total"] == 0
    async with binary_client(server) as one, json_client(server) as two, json_client(server) as three:
        await joined(one, "dots")
        await two.join("dots")
        await three.join("turns")
        now = await scrape(http)
        assert now["connections_open"] == now["connections_total"] == 3
        zero = {"grumpy": 0, "slow": 0, "swapping": 0}
        assert now.by("players", "game") == {"dots": 2, "turns": 1} | zero
        assert now.by("rooms_open", "game") == {"dots": 1, "turns": 1} | zero
        assert now.by("joins_total", "game") == {"dots": 2, "turns": 1} | zero
        assert now.by("rooms_opened_total", "game") == {"dots": 1, "turns": 1} | zero
        assert set(now.by("players_slow", "game").values()) == {0}
    await eventually(lambda: not server.front.connections)
    after = await scrape(http)
    assert after["connections_open"] == 0
    assert after["connections_total"] == 3
    assert set(after.by("players", "game").values()) == {0}
    assert after.of("joins_total", game="dots") == 2


async def test_a_tick_is_measured_part_by_part(server: RunningServer, http: httpx.AsyncClient) -> None:
    async with binary_client(server) as client:
        await joined(client, "dots")
        await eventually(lambda: server.metrics.games["dots"].ticks >= 20)
        now = await scrape(http)
    turns = now.of("tick_duration_seconds_count", game="dots")
    assert 0 < turns <= now.of("ticks_total", game="dots")
    assert now.of("tick_lateness_seconds_count", game="dots") == turns
    parts = now.by("tick_part_seconds_count", "part", game="dots")
    assert set(parts) == set(PARTS) - {"events", "timers"}  # this game has none
    assert {parts[name] for name in ("on_input", "on_tick", "commit")} == {turns}
    total = sum(now.by("tick_part_seconds_sum", "part", game="dots").values())
    assert total == pytest.approx(now.of("tick_duration_seconds_sum", game="dots"))
    assert 0 < total <= now["busy_seconds_total"]
    assert now["wakeups_total"] >= turns


async def test_buckets_are_added_up(server: RunningServer, http: httpx.AsyncClient) -> None:
    async with binary_client(server) as client:
        await joined(client, "dots")
        await eventually(lambda: server.metrics.games["dots"].ticks >= 5)
        now = await scrape(http)
    buckets = now.by("tick_duration_seconds_bucket", "le", game="dots")
    values = [buckets[limit] for limit in sorted(buckets, key=float)]
    assert values == sorted(values)
    assert buckets["+Inf"] == now.of("tick_duration_seconds_count", game="dots")
    assert "0.01" in buckets
    assert "0.00001" in buckets


async def test_an_overrun_names_the_game_and_the_part(server: RunningServer, http: httpx.AsyncClient) -> None:
    async with binary_client(server) as client:
        await joined(client, "slow")
        timing = server.metrics.games["slow"].timing
        await eventually(lambda: any(timing.overruns))
        now = await scrape(http)
    overruns = now.by("tick_overruns_total", "part", game="slow")
    assert max(overruns, key=lambda part: overruns[part]) == "on_tick"
    assert now.of("tick_part_seconds_sum", game="slow", part="on_tick") > now.of(
        "tick_part_seconds_sum", game="slow", part="commit"
    )


async def test_what_is_sent_and_what_it_is_of(server: RunningServer, http: httpx.AsyncClient) -> None:
    async with binary_client(server) as one, binary_client(server) as two, json_client(server) as three:
        await joined(one, "dots")
        await joined(two, "dots")
        await three.join("dots")
        await eventually(lambda: server.metrics.games["dots"].ticks >= 10)
        now = await scrape(http)
    assert now.of("sent_bytes_total", game="dots") > 0
    kinds = now.by("sends_total", "kind", game="dots")
    assert set(kinds) == {"shared", "staged", "partial", "full"}
    assert kinds["staged"] >= 3
    fields = now.by("encoded_bytes_total", "field", game="dots", table="dots")
    assert set(fields) == {"x", "(rows)"}
    assert min(fields.values()) > 0
    assert now.of("frames_encoded_total", game="dots") > 0
    assert now.by("reads_total", "reason")["first_read"] >= 1


async def test_what_an_ended_room_counted_stays(server: RunningServer, http: httpx.AsyncClient) -> None:
    async with binary_client(server) as one:
        await joined(one, "grumpy")
        await eventually(lambda: server.metrics.games["grumpy"].rooms_ended)
        now = await scrape(http)
    assert now.of("rooms_failed_total", game="grumpy") == now.of("rooms_ended_total", game="grumpy") == 1
    assert now.of("rooms_open", game="grumpy") == 0
    assert now.of("sent_bytes_total", game="grumpy") > 0
    assert now.of("encoded_bytes_total", game="grumpy", table="dots", field="x") > 0
    assert now.of("tick_duration_seconds_count", game="grumpy") > 0
    assert now.of("connections_closed_total", code="4505") == 1


async def test_codes(server: RunningServer, http: httpx.AsyncClient) -> None:
    refused = await http.get(
        "/ws",
        headers={
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Protocol": "other",
        },
    )
    assert refused.status_code == 400
    async with json_client(server) as client:
        await client.say("join_game", gameId="chess")
        await client.next("error")
        now = await scrape(http)
    assert now.of("connections_refused_total", code="WS-001") == 1
    assert now.of("errors_total", code="GAME-001") == 1


async def test_no_label_names_a_room_or_a_player(server: RunningServer, http: httpx.AsyncClient) -> None:
    async with json_client(server) as client:
        state = await client.join("dots")
        text = (await http.get("/metrics")).text
        (hosted,) = server.rooms.rooms.values()
        assert state["gameId"] not in text
        assert not any(player in text for player in hosted.sessions)


async def test_the_reference_names_every_metric_and_no_other(
    server: RunningServer, http: httpx.AsyncClient
) -> None:
    families = (await scrape(http)).families.values()
    served = [
        [
            f"{family.name}_total" if family.type == "counter" else family.name,
            family.type,
            family.documentation,
        ]
        for family in families
        if family.name.startswith("monkeytown_")
    ]
    described = [[name, kind, text] for name, kind, _, text in table(PAGE, "metric")]
    assert described == served
    others = {family.name for family in families if not family.name.startswith("monkeytown_")}
    assert all(name.startswith("process_") for name in others)


async def test_the_reference_names_every_label(server: RunningServer, http: httpx.AsyncClient) -> None:
    async with binary_client(server) as one:
        await joined(one, "grumpy")
        await eventually(lambda: server.metrics.games["grumpy"].rooms_ended)
        now = await scrape(http)
    for name, kind, labels, _ in table(PAGE, "metric"):
        family = now.families[name.removesuffix("_total") if kind == "counter" else name]
        served = {label for sample in family.samples for label in sample.labels} - {"le"}
        if family.samples:
            assert served == set(labels.replace("`", "").replace(",", " ").split()), name


SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}


async def test_the_queries_of_the_guide_ask_for_what_is_there(http: httpx.AsyncClient) -> None:
    families = (await scrape(http)).families.values()
    known = {f"{family.name}{suffix}" for family in families for suffix in SUFFIXES[family.type]}
    asked = set(re.findall(r"monkeytown_\w+", "".join(block.text for block in blocks(GUIDE))))
    assert len(asked) > 10
    assert asked <= known


async def test_metrics_follow_the_rules_of_names(server: RunningServer, http: httpx.AsyncClient) -> None:
    for family in (await scrape(http)).families.values():
        assert family.documentation.endswith(".")
        assert not any(unit in family.name for unit in ("milli", "micro", "nano", "kilo"))
    response = await http.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert "openmetrics" in response.headers["content-type"]
    assert len(list(parse_open_metrics(response.text))) > 20


async def test_a_scrape_changes_nothing(server: RunningServer, http: httpx.AsyncClient) -> None:
    """A player's states come tick by tick, and what is counted is the same a moment later."""

    async def scrapes() -> None:
        while True:
            await http.get("/metrics")

    async with json_client(server) as client, json_client(server) as other:
        await client.join("swapping")
        await other.join("turns")
        scraping = asyncio.create_task(scrapes())
        steps = await bases_and_ticks(client, 30)
        scraping.cancel()
        for (_, before), (base, tick) in pairwise(steps):
            assert base == before < tick
        (hosted,) = (hosted for hosted in server.rooms.rooms.values() if hosted.game_name == "turns")
        tick = hosted.room.tick
        first, second = await scrape(http), await scrape(http)
        assert hosted.room.tick == tick
        turns = [
            {key: value for key, value in found.samples.items() if ("game", "turns") in key[1]}
            for found in (first, second)
        ]
        assert turns[0] == turns[1]


async def bases_and_ticks(client: JsonClient, count: int) -> list[tuple[int, int]]:
    """Of the next states."""
    states = [await client.next("game_state") for _ in range(count)]
    return [(state["base"], state["tick"]) for state in states]


class Sparse(Shedding):
    """Too busy, always."""

    def __init__(self) -> None:
        super().__init__()
        self.stride = 3

    def observe(self, elapsed: float, working: float, sending: float) -> bool:
        return False


async def test_states_that_are_shed(server: RunningServer, http: httpx.AsyncClient) -> None:
    """States come at every third tick; what was said, what was done and what is private comes with them."""
    server.rooms.ticker.shedding = Sparse()
    async with json_client(server) as one, json_client(server) as two:
        await one.join("swapping")
        before = (await one.next("private"))["entity"]
        await two.join("swapping")
        gaps = [tick - base for base, tick in await bases_and_ticks(one, 12)]
        assert max(set(gaps), key=gaps.count) == 3
        for _ in range(6):  # in whatever tick it comes
            await two.say("chat_message", text="hello")
            await one.say("chat_message", text="another one, please")
            after = (await one.next("private"))["entity"]
            assert after != before
            said = {(await two.next("game_event"))["data"]["text"] for _ in range(2)}
            assert said == {"hello", "another one, please"}
            before = after
        now = await scrape(http)
    assert now["state_stride"] == 3
    ticks_made, shed = now.of("ticks_total", game="swapping"), now["states_shed_total"]
    assert shed == pytest.approx(ticks_made * 2 / 3, abs=6)


# Who may read it


def page(**settings: object) -> httpx.AsyncClient:
    """The page as a server with these settings has it."""
    about = Settings(secret="s" * 32, **settings)  # type: ignore[arg-type]
    made = MetricsPage(
        CollectorRegistry(), token=about.metrics_token.get_secret_value(), is_open=about.on_loopback
    )
    transport = httpx.ASGITransport(Starlette(routes=made.routes))
    return httpx.AsyncClient(transport=transport, base_url="http://monkeytown")


async def status(client: httpx.AsyncClient, authorization: str | None = None) -> int:
    headers = {} if authorization is None else {"Authorization": authorization.encode("latin-1")}
    return (await client.get("/metrics", headers=headers)).status_code


async def test_on_loopback_it_is_open() -> None:
    async with page() as client:
        assert await status(client) == 200


async def test_beyond_loopback_it_is_not_there() -> None:
    async with page(host="0.0.0.0") as client:
        assert await status(client) == 404
        assert await status(client, "Bearer ") == 404
        assert await status(client, f"Bearer {TOKEN}") == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
async def test_who_has_a_token_is_asked_for_it(host: str) -> None:
    async with page(host=host, metrics_token=TOKEN) as client:
        assert await status(client, f"Bearer {TOKEN}") == 200
        assert await status(client, f"bearer {TOKEN}") == 200
        for wrong in (
            None,
            "",
            "Bearer",
            "Bearer ",
            f"Bearer {TOKEN}x",
            f"Basic {TOKEN}",
            TOKEN,
            "Bearer \xff",
        ):
            assert await status(client, wrong) == 401, wrong
        refused = await client.get("/metrics")
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.text == ""


async def test_with_the_games_that_come_along() -> None:
    async with running([Jungle, TicTacToe], Settings(port=0)) as server, httpx.AsyncClient() as http:
        text = (await http.get(f"{server.url}/metrics")).text
    assert {name for name in ("jungle", "tictactoe") if f'game="{name}"' in text} == {"jungle", "tictactoe"}
