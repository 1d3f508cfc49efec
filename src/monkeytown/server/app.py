"""The server: the one place that knows every part by name, and joins them.

`serve` runs a server until it is told to stop; `running` runs one inside an event loop, for tests and bots.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import structlog
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from monkeytown.errors import SchemaError, StartError
from monkeytown.game import Game
from monkeytown.readers.handshake import Origins
from monkeytown.readers.websocket import Front
from monkeytown.runtime.collector import Collector
from monkeytown.runtime.metrics import Metrics
from monkeytown.schema import Schema
from monkeytown.server import simulate, web
from monkeytown.server.archive import Archive
from monkeytown.server.archive_metrics import ArchiveCollector
from monkeytown.server.auth import own_check
from monkeytown.server.cluster_metrics import ClusterCollector
from monkeytown.server.headers import HEADERS
from monkeytown.server.health import Health
from monkeytown.server.http import guarded, guarded_websocket
from monkeytown.server.instance import Instance
from monkeytown.server.logs import configure
from monkeytown.server.metrics import MetricsPage, ServerCollector
from monkeytown.server.poll import PollEndpoint
from monkeytown.server.recording import RecordingsCollector
from monkeytown.server.replays import ReplayFiles
from monkeytown.server.rest.app import Rest
from monkeytown.server.settings import Settings

if TYPE_CHECKING:
    from monkeytown.readers.socketio import EventFront

__all__ = ["RunningServer", "application", "running", "serve"]

log = structlog.get_logger()

BACKLOG = 4096
# After the players have been told: for HTTP responses that are under way.
GRACE_SECONDS = 3
# From being asked to stop until the process ends whatever is still to be done: less than orchestrators wait.
FORCED_SECONDS = 25.0


class RunningServer:
    """A server that has started: where it is, and what is going on in it."""

    def __init__(self, settings: Settings, sock: socket.socket, instance: Instance) -> None:
        self.host: str = settings.host
        self.port: int = sock.getsockname()[1]
        shown = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "https" if settings.tls_certificate else "http"
        self.url = f"{scheme}://{shown}:{self.port}"
        self.rooms = instance.host
        self.sessions = instance.sessions
        self.front = instance.front
        self.polls = instance.polls
        self.auth = instance.auth
        self.archive = instance.archive
        self.recordings = instance.recordings
        self.cluster = instance.cluster
        """The other instances, if there are any."""
        self.events = instance.events
        """The Socket.IO front, if there is one."""
        self.recordings = instance.recordings

    @property
    def metrics(self) -> Metrics:
        return self.rooms.metrics

    def collector(self) -> Collector:
        """One for a process that does nothing else."""
        return Collector(lambda: self.metrics.connections, lambda: len(self.front.connections))


class _Server(uvicorn.Server):
    """uvicorn's server, told to say goodbye to the players first and to exit with 0."""

    def __init__(
        self,
        config: uvicorn.Config,
        started: Callable[[], None],
        stopping: Callable[[Callable[[], None]], Coroutine[None, None, None]],
    ) -> None:
        super().__init__(config)
        self._on_start = started
        self._on_stop = stopping
        self.takes_signals = False
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_start()
        self.up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        forced = threading.Timer(FORCED_SECONDS, os._exit, (1,))
        forced.daemon = True
        if self.takes_signals:
            forced.start()
        try:
            await self._on_stop(self._stop_listening)
            await super().shutdown(sockets)
        finally:
            forced.cancel()

    def _stop_listening(self) -> None:
        for server in self.servers:
            server.close()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # uvicorn would raise the signal again once it has stopped; being asked to stop is not a failure.
        if not self.takes_signals or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(games: Sequence[type[Game]], settings: Settings) -> None:
    """Serves games until SIGTERM or SIGINT. Raises `StartError`."""
    with _bound(games, settings) as sockets:
        configure(settings.log_level, settings.log_format)
        uvloop.run(_serve(games, settings, sockets))


@asynccontextmanager
async def running(
    games: Sequence[type[Game]], settings: Settings, *, routes: Sequence[BaseRoute] = ()
) -> AsyncIterator[RunningServer]:
    """A server in this event loop for as long as the block lasts. `routes` are served beside the game."""
    with _bound(games, settings) as sockets:
        server, about = await _build(games, settings, sockets[0], routes)
        task = asyncio.create_task(_listen(settings, sockets, server))
        started = asyncio.create_task(server.up.wait())
        try:
            await asyncio.wait((task, started), return_when=asyncio.FIRST_COMPLETED)
            yield about
        finally:
            started.cancel()
            server.should_exit = True
            await task


async def _listen(settings: Settings, sockets: Sequence[socket.socket], server: _Server) -> None:
    shared, *own = sockets
    await simulate.serve(settings, shared, lambda listening: server.serve([*listening, *own]))


async def _serve(games: Sequence[type[Game]], settings: Settings, sockets: Sequence[socket.socket]) -> None:
    server, about = await _build(games, settings, sockets[0], ())
    server.takes_signals = True
    # What is loaded by now stays: the collector need not look at it in the middle of a tick.
    gc.collect()
    gc.freeze()
    collector = about.collector()
    collector.start()
    log.info("serving", url=about.url, games=[game.name for game in games])
    await _listen(settings, sockets, server)
    collector.stop()
    log.info("stopped")


def application(games: Sequence[type[Game]], health: Health, routes: Sequence[BaseRoute] = ()) -> Starlette:
    """The web application around the game socket."""
    return Starlette(routes=[*health.routes, *web.routes(games), *routes])


@contextmanager
def _bound(games: Sequence[type[Game]], settings: Settings) -> Generator[list[socket.socket], None, None]:
    """A listening socket, once it is clear that there is something that may be served on it; and this process's own."""
    settings.check()
    if not games:
        raise StartError("there is no game to serve")
    names = [game.name for game in games]
    for name in names:
        if names.count(name) > 1:
            raise StartError(f"two games are called {name}")
    try:
        for game in games:
            Schema.of(game)
    except SchemaError as error:
        raise StartError(str(error)) from error
    if not (settings.lets_guests_in or settings.jwt_keys or own_check(games)):
        raise StartError(
            "nobody could come in: set MONKEYTOWN_JWT_KEYS, give a game an on_auth, or let guests in (MONKEYTOWN_GUESTS=1)"
        )
    with ExitStack() as stack:
        sockets = [stack.enter_context(_bind(settings.host, settings.port, shared=bool(settings.own_port)))]
        if settings.own_port:
            sockets.append(stack.enter_context(_bind(settings.host, settings.own_port)))
        yield sockets


def _bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartError(f"cannot listen on {host}: {error.strerror or error}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return sock


async def _build(
    games: Sequence[type[Game]], settings: Settings, sock: socket.socket, routes: Sequence[BaseRoute]
) -> tuple[_Server, RunningServer]:
    """An instance, with HTTP around it."""
    archive = await Archive.open(settings)
    try:
        instance = Instance(games, settings, archive)
        await instance.connect()
    except StartError:
        await archive.close()
        raise
    about = RunningServer(settings, sock, instance)
    page = MetricsPage(
        ServerCollector(instance.host, instance.sessions, instance.front, instance.polls, instance.events),
        ArchiveCollector(instance.archive),
        RecordingsCollector(instance.recordings),
        ClusterCollector(instance.cluster),
        token=settings.metrics_token.get_secret_value(),
        is_open=settings.on_loopback,
    )
    app: ASGIApp = application(games, instance.health, [*page.routes, *_api(instance, settings), *routes])
    app = PollEndpoint(app, instance.polls, instance.origins)
    if instance.events is not None:
        app = _with_socketio(app, instance.events, instance.origins)
    return _Server(_config(app, settings, instance.front), instance.start, instance.stop), about


def _api(instance: Instance, settings: Settings) -> list[BaseRoute]:
    """What is asked over HTTP: the REST API, and the files of recordings beside it."""
    reach = None if instance.archive.store is None else instance.archive.reachable
    replays = ReplayFiles(instance.recordings.folder.path, instance.origins)
    rest = Rest(
        instance.host,
        instance.auth,
        reach,
        settings,
        origins=instance.origins,
        free_loopback=settings.on_loopback,
        admin_token=settings.admin_token.get_secret_value(),
    )
    # Without a database the folder itself has the list.
    return [replays.files, *([replays.listing] if reach is None else []), rest.route]


def _config(app: ASGIApp, settings: Settings, front: Front) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=guarded(settings, front),
        ws=guarded_websocket(settings),
        ws_per_message_deflate=False,
        loop="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        headers=list(HEADERS),
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
    )


def _with_socketio(app: ASGIApp, events: EventFront, origins: Origins) -> ASGIApp:
    from monkeytown.server.socketio import SocketIoEndpoint

    return SocketIoEndpoint(app, events, origins)
