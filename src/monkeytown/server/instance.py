"""The parts of a server but for HTTP, joined: started and stopped together, in the order that they need.

Knows every part by name, as `monkeytown.server.app` does, which puts HTTP around them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from monkeytown.game import Game
from monkeytown.protocol.close import CloseCode
from monkeytown.readers.handshake import Addresses, Origins
from monkeytown.readers.longpoll import Polls
from monkeytown.readers.websocket import Front
from monkeytown.room.room import Room
from monkeytown.runtime.host import Host
from monkeytown.runtime.metrics import Metrics
from monkeytown.runtime.place import Audience
from monkeytown.runtime.sessions import Sessions
from monkeytown.runtime.shedding import Shedding
from monkeytown.runtime.sweeper import Sweeper
from monkeytown.runtime.ticker import Ticker, make_waker
from monkeytown.server.archive import Archive
from monkeytown.server.auth import Auth, own_check
from monkeytown.server.cluster import cluster_of
from monkeytown.server.headers import HEADERS
from monkeytown.server.health import Health
from monkeytown.server.recording import recordings
from monkeytown.server.rooms import KeptRooms
from monkeytown.server.settings import MIN_SECRET_BYTES, Settings
from monkeytown.server.tokens import KeyFile, Tokens

if TYPE_CHECKING:
    from monkeytown.readers.socketio import EventFront

__all__ = ["Instance"]


class Instance:
    """The parts of a server but for HTTP, joined. To be made in the event loop that they will run in."""

    def __init__(self, games: Sequence[type[Game]], settings: Settings, archive: Archive) -> None:
        self.archive = archive

        def audiences(room: Room) -> list[Audience]:
            players: Audience = self.front.audience(room)
            return [players, self.recordings.record(room)] if self.host.games[room.name].record else [players]

        self.host = Host(
            games,
            _ticker(settings),
            make_audiences=audiences,
            keep=archive.keep,
            max_players=settings.max_players or None,
            max_rooms=settings.max_rooms,
            empty_seconds=settings.empty_room_seconds,
        )
        self.origins = Origins(settings.origins, loopback=settings.on_loopback)
        addresses = Addresses(settings.connections_per_address, free_loopback=settings.on_loopback)
        self.auth = Auth(
            _tokens(settings),
            guests=settings.lets_guests_in,
            kept=None if archive.store is None else archive,
            check=own_check(games),
            newest=archive.newest,
        )
        self.sessions = Sessions(self.host, settings, gate=self.auth, may_keep=addresses.may_keep)
        self.auth.send_away = self._send_away
        archive.documented = self.sessions.documented
        self.front = Front(
            self.host,
            self.sessions,
            settings,
            origins=self.origins,
            addresses=addresses,
            headers=HEADERS,
            window=settings.ack_window,
            send_threads=settings.send_threads,
        )
        self.sessions.in_turn = self.front.admission.put
        self.polls = Polls(self.sessions, settings, addresses=addresses)
        self.events = _socketio_front(self.sessions, settings, addresses)
        self.recordings = recordings(settings, archive, self._is_private)
        self._sweeper = self._make_sweeper(settings)
        self.health = Health(lambda: archive.trouble)
        self.cluster = cluster_of(settings, self.host, self.sessions, self.front)
        """The other instances, if there are any."""
        self._drain_seconds = settings.drain_seconds
        # Rooms of one of many are kept where the others find them.
        self.kept = KeptRooms(self.host, settings, wanted=self.cluster is None)
        self.kept.bring_back()

    def _send_away(self, player_id: str, code: CloseCode) -> int:
        """Ends a player's sessions, here and everywhere; how many those were here."""
        if self.cluster is not None:
            self.cluster.sent_away(player_id, code)
        return self.sessions.send_away(player_id, code)

    def _is_private(self, room: Room) -> bool:
        hosted = self.host.rooms.get(room.id)
        return hosted is not None and hosted.listing.setup.private

    def _make_sweeper(self, settings: Settings) -> Sweeper:
        sweeps = [
            self.front.sweep,
            self.polls.sweep,
            self.sessions.sweep,
            self.host.sweep,
            self.recordings.sweep,
        ]
        if self.events is not None:
            sweeps.append(self.events.sweep)
        shortest = min(settings.first_message_seconds, settings.silence_seconds, settings.stalled_seconds)
        return Sweeper(min(1.0, shortest / 4), sweeps)

    async def connect(self) -> None:
        """Meets the other instances. Raises `StartError`."""
        if self.cluster is not None:
            await self.cluster.start()

    def start(self) -> None:
        self.archive.start()
        if any(game.record for game in self.host.games.values()):
            self.recordings.start()
        self.front.start()
        self._sweeper.start()
        self.kept.start()
        self.health.ready = True

    async def stop(self, stop_listening: Callable[[], None]) -> None:
        """Rooms and players go elsewhere as far as there are other instances; what must last is kept."""
        self.health.ready = False
        if self.cluster is not None:
            # Whoever sends clients here finds out first that it should not any more.
            await asyncio.sleep(self._drain_seconds)
            await self.cluster.drain(stop_listening)
        self._sweeper.stop()
        self.kept.put_away()
        self.sessions.close()
        self.front.close()
        self.polls.close()
        if self.events is not None:
            await self.events.close()
        self.host.close()
        if self.cluster is not None:
            await self.cluster.close()
        await self.kept.close()
        await self.recordings.close()
        await self.archive.close()


def _ticker(settings: Settings) -> Ticker:
    """Which also counts what there is to count."""
    return Ticker(
        make_waker(asyncio.get_running_loop()),
        metrics=Metrics(),
        shedding=Shedding(settings.max_stride),
        longest=settings.longest_tick_seconds,
    )


def _tokens(settings: Settings) -> Tokens:
    """With the server's own secrets, and the keys of others. Raises `StartError`."""
    current = settings.secret.get_secret_value() or secrets.token_hex(MIN_SECRET_BYTES)
    own = [current, *(former.get_secret_value() for former in settings.former_secrets)]
    if not settings.jwt_keys:
        return Tokens(own, leeway=settings.jwt_leeway)
    keys = KeyFile(
        Path(settings.jwt_keys),
        algorithm=settings.jwt_algorithm,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
    )
    keys()
    return Tokens(own, keys=keys, leeway=settings.jwt_leeway)


def _socketio_front(sessions: Sessions, settings: Settings, addresses: Addresses) -> EventFront | None:
    """The Socket.IO front, if it is installed and wanted."""
    if not settings.socketio_rate:
        return None
    try:
        from monkeytown.readers.socketio import EventFront
    except ModuleNotFoundError as error:
        if error.name not in ("engineio", "socketio"):
            raise
        return None
    return EventFront(sessions, settings, addresses=addresses, rate=settings.socketio_rate)
