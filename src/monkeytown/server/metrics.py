"""`/metrics`: what is counted, in the form that Prometheus reads.

Knows the counters of the host and the front, and nothing that belongs to a single room or player: labels are games, parts
of a tick, tables, fields and codes, of which there are few. Everything is read when it is asked for.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monkeytown._core.timing import BOUNDS, PARTS, Histogram
from monkeytown.readers.audience import WebSocketAudience
from monkeytown.readers.longpoll import Polls
from monkeytown.readers.websocket import Front
from monkeytown.runtime.host import Host
from monkeytown.runtime.metrics import GameMetrics, Traffic
from monkeytown.runtime.sessions import Sessions
from monkeytown.runtime.ticker import SECOND

__all__ = ["MetricsPage", "ServerCollector"]

T = TypeVar("T")

SLOW_SECONDS = 1.0

_LIMITS = [*(f"{bound / SECOND:.9f}".rstrip("0") for bound in BOUNDS), "+Inf"]

_TRAFFIC: tuple[tuple[str, str, Callable[[Traffic], int]], ...] = (
    (
        "frames_encoded",
        "State frames that were encoded, each once for a position and an encoding; those without news too.",
        lambda traffic: traffic.frames_encoded,
    ),
    (
        "frames_shared",
        "Reads that found their state frame encoded already in the same tick.",
        lambda traffic: traffic.frames_shared,
    ),
    (
        "players_held",
        "Ticks in which a player was passed over: the socket was full or acknowledgements were missing.",
        lambda traffic: traffic.held,
    ),
    (
        "sent_bytes",
        "Bytes sent to players in ticks: states, what is private to a player, and events.",
        lambda traffic: traffic.bytes_sent,
    ),
)

_SENDS: tuple[tuple[str, Callable[[Traffic], int]], ...] = (
    ("shared", lambda traffic: traffic.sends_shared),
    ("staged", lambda traffic: traffic.sends_staged),
    ("partial", lambda traffic: traffic.sends_partial),
    ("full", lambda traffic: traffic.sends_full),
)


class ServerCollector(Collector):
    """The counters of one server, as families of metrics."""

    def __init__(
        self, host: Host, sessions: Sessions, front: Front, polls: Polls, events: Sized | None
    ) -> None:
        self._host = host
        self._sessions = sessions
        self._front = front
        self._polls = polls
        self._events = events or ()

    def collect(self) -> Iterator[Metric]:
        games = {name: self._host.metrics.games[name] for name in self._host.games}
        yield from self._people(games)
        yield from self._comings(games)
        yield from self._seats()
        yield from _ticks(games)
        yield from self._instance()
        yield from self._traffic(games)

    def _people(self, games: Mapping[str, GameMetrics]) -> Iterator[Metric]:
        """Connections, rooms and players."""
        rooms = dict.fromkeys(games, 0)
        players = dict.fromkeys(games, 0)
        slow = dict.fromkeys(games, 0)
        for hosted in self._host.rooms.values():
            rooms[hosted.game_name] += 1
            players[hosted.game_name] += len(hosted.sessions)
            for audience in hosted.audiences:
                if isinstance(audience, WebSocketAudience):
                    late = audience.group.held_longer(SLOW_SECONDS, self._host.now())
                    slow[hosted.game_name] += len(late)
        yield GaugeMetricFamily(
            "monkeytown_connections_open",
            "Game connections that are open.",
            value=len(self._front.connections) + len(self._polls) + len(self._events),
        )
        yield _gauge("rooms_open", "Rooms that are open.", rooms)
        yield _gauge("players", "Players in rooms.", players)
        yield _gauge(
            "players_slow",
            "Players who could be sent no state for more than a second, and still cannot.",
            slow,
        )

    def _comings(self, games: Mapping[str, GameMetrics]) -> Iterator[Metric]:
        """Connections, sessions, players and rooms that came, and that ended."""
        metrics = self._host.metrics
        yield CounterMetricFamily(
            "monkeytown_connections", "Game connections that were opened.", value=metrics.connections
        )
        yield _counter(
            "connections_refused",
            "Connections refused before the upgrade, by error code.",
            "code",
            metrics.refused.items(),
        )
        yield _counter(
            "connections_closed",
            "Connections that the server closed, by close code.",
            "code",
            metrics.closed.items(),
        )
        yield _counter(
            "errors",
            "Errors that were a client's fault, limits among them, by error code; told or only counted.",
            "code",
            metrics.errors.items(),
        )
        for name, text, read in (
            ("joins", "Players who joined a room.", lambda game: game.joins),
            ("rooms_opened", "Rooms that were opened.", lambda game: game.rooms_opened),
            ("rooms_ended", "Rooms that have ended.", lambda game: game.rooms_ended),
            (
                "rooms_failed",
                "Rooms that ended because a hook raised or the server failed in them.",
                lambda game: game.rooms_failed,
            ),
        ):
            yield _by_game(name, text, games, read)

    def _seats(self) -> Iterator[Metric]:
        """Seats that are kept, and what became of them."""
        metrics = self._host.metrics
        yield _counter(
            "resumes",
            "Clients that came back to a session: their state went on as a delta or a snapshot, they sat nowhere, or"
            " they were refused.",
            "outcome",
            metrics.resumed.items(),
        )
        yield GaugeMetricFamily(
            "monkeytown_sessions_away",
            "Sessions without a connection whose seats are kept.",
            value=self._sessions.away,
        )
        for name, text, value in (
            (
                "unrecovered",
                "Clients that came back and had missed more messages than are kept.",
                metrics.unrecovered,
            ),
            (
                "sessions_expired",
                "Sessions whose client did not come back in time.",
                metrics.sessions_expired,
            ),
            (
                "sessions_pushed_out",
                "Sessions that ended earlier because too many were kept.",
                metrics.sessions_pushed_out,
            ),
        ):
            yield CounterMetricFamily(f"monkeytown_{name}", text, value=value)

    def _instance(self) -> Iterator[Metric]:
        """The clock and the load of the instance as a whole."""
        metrics, shedding = self._host.metrics, self._host.ticker.shedding
        for name, text, value in (
            ("ticks_caught_up", "Ticks made late, right behind another one.", metrics.ticks_caught_up),
            (
                "time_dropped_seconds",
                "Time of rooms that was given up because they were too late.",
                metrics.nanoseconds_dropped / SECOND,
            ),
            ("wakeups", "Wake-ups of the clock.", metrics.wakeups),
            ("busy_seconds", "Time that the wake-ups of the clock took.", metrics.nanoseconds_busy / SECOND),
            (
                "states_shed",
                "Ticks after which a room sent no state because the instance was too busy.",
                metrics.states_shed,
            ),
        ):
            yield CounterMetricFamily(f"monkeytown_{name}", text, value=value)
        yield GaugeMetricFamily(
            "monkeytown_state_stride",
            "Ticks from one state to the next: 1, or more while the instance is too busy.",
            value=shedding.stride,
        )
        yield _counter(
            "reads",
            "State frames chosen for players who stood at one position, by reason; all but continued are snapshots.",
            "reason",
            metrics.reads.items(),
        )

    def _traffic(self, games: Mapping[str, GameMetrics]) -> Iterator[Metric]:
        """What rooms say: those that are open, and those that have ended."""
        traffic: dict[str, Traffic] = {}
        for name, metrics in games.items():
            traffic[name] = Traffic()
            traffic[name].add(metrics.ended)
        for hosted in self._host.rooms.values():
            traffic[hosted.game_name].add(hosted.traffic())
        for name, text, read in _TRAFFIC:
            yield _by_game(name, text, traffic, read)
        sends = CounterMetricFamily(
            "monkeytown_sends",
            "send() calls in ticks: from a frame that others share, staged with something of the player's own; and of "
            "these those of which the kernel took a part, and those that it had no room for.",
            labels=("game", "kind"),
        )
        encoded = CounterMetricFamily(
            "monkeytown_encoded_bytes",
            "Bytes in the binary state frames that were encoded, once however many players shared the frame; the field "
            "(rows) is which rows they are of.",
            labels=("game", "table", "field"),
        )
        for game, said in traffic.items():
            for kind, read in _SENDS:
                sends.add_metric((game, kind), read(said))
            for (table, field), count in said.column_bytes.items():
                encoded.add_metric((game, table, field or "(rows)"), count)
        yield sends
        yield encoded


def _ticks(games: Mapping[str, GameMetrics]) -> Iterator[Metric]:
    """What the ticks took."""
    yield _by_game("ticks", "Ticks of rooms.", games, lambda game: game.ticks)
    lateness = HistogramMetricFamily(
        "monkeytown_tick_lateness_seconds",
        "From the moment a tick was due to its start.",
        labels=("game",),
    )
    duration = HistogramMetricFamily(
        "monkeytown_tick_duration_seconds",
        "Time that a room took for its turn: all parts of a tick, and of those that were made up for.",
        labels=("game",),
    )
    parts = HistogramMetricFamily(
        "monkeytown_tick_part_seconds",
        "Time that each part of a room's turn took.",
        labels=("game", "part"),
    )
    overruns = CounterMetricFamily(
        "monkeytown_tick_overruns",
        "Turns that took longer than the interval of ticks, by the game and the part that took most of the time.",
        labels=("game", "part"),
    )
    for name, game in games.items():
        timing = game.timing
        _observe(lateness, (name,), timing.lateness)
        _observe(duration, (name,), timing.duration)
        for part, histogram, count in zip(PARTS, timing.parts, timing.overruns, strict=True):
            if any(histogram.counts):
                _observe(parts, (name, part), histogram)
            overruns.add_metric((name, part), count)
    yield from (lateness, duration, parts, overruns)


def _observe(family: HistogramMetricFamily, labels: Iterable[str], histogram: Histogram) -> None:
    below, buckets = 0, []
    for limit, count in zip(_LIMITS, histogram.counts, strict=True):
        below += count
        buckets.append((limit, below))
    family.add_metric(tuple(labels), buckets, histogram.sum / SECOND)


def _gauge(name: str, text: str, by_game: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"monkeytown_{name}", text, labels=("game",))
    for game, value in by_game.items():
        family.add_metric((game,), value)
    return family


def _counter(name: str, text: str, label: str, counts: Iterable[tuple[object, int]]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"monkeytown_{name}", text, labels=(label,))
    for value, count in counts:
        family.add_metric((str(value),), count)
    return family


def _by_game(name: str, text: str, games: Mapping[str, T], read: Callable[[T], int]) -> CounterMetricFamily:
    return _counter(name, text, "game", ((game, read(counted)) for game, counted in games.items()))


class MetricsPage:
    """`/metrics`, for whom it is open, or who knows the token. Without either it is not there."""

    def __init__(self, *collectors: Collector, token: str, is_open: bool) -> None:
        self._registry = CollectorRegistry()
        for collector in collectors:
            self._registry.register(collector)
        ProcessCollector(registry=self._registry)
        self._token = token.encode()
        self._open = is_open

    @property
    def routes(self) -> list[Route]:
        return [Route("/metrics", self._answer)]

    async def _answer(self, request: Request) -> Response:
        if self._token:
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            known = secrets.compare_digest(given.strip().encode(), self._token)
            if not known or scheme.lower() != "bearer":
                return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        elif not self._open:
            return Response("Not Found", 404)
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(
            encode(self._registry), headers={"Content-Type": content_type, "Cache-Control": "no-store"}
        )
