"""Where what must last goes: from rooms into the spool, from the spool into the database; and what is asked of the database.

Knows the spool, the shipper and the store, and whether they do their work. Nothing in a tick waits for any of them: an entry
of a room's ledger becomes a record in memory, and all else happens beside.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple, Self

import msgspec
import structlog

from monkeytown.errors import MonkeytownError, Refusal, StoreDown
from monkeytown.room.ledger import Entry, Kind
from monkeytown.room.room import Room
from monkeytown.server.settings import Settings
from monkeytown.stores.address import database_at
from monkeytown.stores.known import KnownPlayer, KnownReplay
from monkeytown.stores.records import Record, packed
from monkeytown.stores.shipper import Shipper
from monkeytown.stores.spools import Spools, open_spools
from monkeytown.stores.store import Store

__all__ = ["Archive"]

log = structlog.get_logger()

SPOOL = "spool"
"""Folder of the spools, in the data folder."""
PING_SECONDS, PING_DEADLINE = 1.0, 2.5
SHIP_SECONDS = 3.0
"""For what is left when the server stops; the rest is there for its next start."""


class _Pending(NamedTuple):
    """A player's document that the database may not have yet, and the number of its record in the spool."""

    number: int
    data: bytes


class _Document(msgspec.Struct):
    data: msgspec.Raw


class Archive:
    """Of one server; without a database it keeps nothing. To be opened in the event loop that it is used in."""

    def __init__(self, store: Store | None, spools: Spools | None) -> None:
        self.store = store
        self.spools = spools
        self.shipper = None if store is None or spools is None else Shipper(spools, store)
        self.documented: Callable[[str, bytes], object] = lambda player_id, data: None
        """Told of each document that the rules have changed."""
        self.down_since: float | None = None
        """Since when the database does not answer, in seconds of a monotonic clock."""
        self._pending: dict[str, _Pending] = {}
        self._to_index: dict[str, KnownReplay | None] = {}
        """Recordings that the database has not heard of yet, by id; None: that are gone."""
        self._news = asyncio.Event()
        """There is something to index."""
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, settings: Settings) -> Self:
        """Raises `StartError`. A database that does not answer now is waited for while the server runs."""
        url = settings.database_url.get_secret_value()
        database = database_at(url, settings.folder, seconds=settings.database_seconds)
        if database is None:
            return cls(None, None)
        store = Store(database)
        try:
            archive = cls(store, None)
            try:
                await store.open(migrate=settings.on_loopback)
            except StoreDown as error:
                archive.down_since = time.monotonic()
                log.error("the database does not answer; play goes on without it", error=str(error))
            archive.spools = open_spools(settings.folder / SPOOL, max_bytes=settings.spool_bytes)
            archive.shipper = Shipper(archive.spools, store)
        except BaseException:
            await store.close()
            raise
        return archive

    def start(self) -> None:
        """From now on, in this event loop."""
        if self.shipper is not None:
            self.shipper.start()
            self._watch = asyncio.create_task(self._keep_watch(), name="archive")

    async def close(self) -> None:
        """Ships what there is, for a while at most. The rest stays on disk."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
            if self.down_since is None:
                await self._index_all()
        if self.shipper is not None:
            await self.shipper.stop(0.0 if self.down_since is not None else SHIP_SECONDS)
        if self.spools is not None:
            await self.spools.close()
        if self.store is not None:
            await self.store.close()

    @property
    def trouble(self) -> str | None:
        """Why what happens now may not be kept, or takes its time to be; None if all is well."""
        if self.spools is None:
            return None
        if self.spools.own.full:
            return "the spool is full"
        if self.spools.own.failing_since is not None:
            return "the disk of the spool fails"
        return "the database does not answer" if self.down_since is not None else None

    # Rooms

    def keep(self, room: Room, entries: Iterable[Entry]) -> None:
        """Takes what must last of a room."""
        now = time.time()
        for entry in entries:
            number = 0
            if self.spools is not None:
                about = (room.id, room.name, room.epoch, entry.sequence, now)
                record = Record(*about, entry.kind, entry.player, entry.content)
                number = self.spools.own.append(packed(record), entry.kind)
            if entry.kind is Kind.DATA:
                self._remember(entry, number)

    def newest(self, player_id: str) -> bytes | None:
        """A player's document, if it is newer than what the database may have."""
        self._forget_stored()
        pending = self._pending.get(player_id)
        return None if pending is None else pending.data

    def _remember(self, entry: Entry, number: int) -> None:
        data = bytes(msgspec.json.decode(entry.content, type=_Document).data)
        self._forget_stored()
        if number:
            self._pending.pop(entry.player, None)
            self._pending[entry.player] = _Pending(number, data)
        self.documented(entry.player, data)

    def _forget_stored(self) -> None:
        """Oldest first: numbers only grow."""
        stored = 0 if self.spools is None else self.spools.own.trimmed
        while self._pending:
            player_id, pending = next(iter(self._pending.items()))
            if pending.number > stored:
                break
            del self._pending[player_id]

    # Recordings

    def index(self, replay: KnownReplay) -> None:
        """There is a recording from now on."""
        if self.store is not None:
            self._to_index[replay.id] = replay
            self._news.set()

    def unindex(self, id: str) -> None:
        """There is none of this id any more."""
        if self.store is not None:
            self._to_index[id] = None
            self._news.set()

    async def _index_all(self) -> None:
        """As many as the database takes."""
        assert self.store is not None
        for id, replay in list(self._to_index.items()):
            try:
                if replay is None:
                    await self.store.remove_replay(id)
                else:
                    await self.store.add_replay(replay)
            except MonkeytownError as error:
                log.warning("a recording is not in the index", replay=id, error=str(error))
                if isinstance(error, StoreDown):
                    return
            if self._to_index.get(id) is replay:
                del self._to_index[id]

    # Players: what `monkeytown.server.auth` asks

    async def player(self, id: str) -> KnownPlayer | None:
        """Raises `StoreDown`, at once while the database is known to be down."""
        if self.store is None:
            return None
        return await self._reachable().player(id)

    async def ban(self, id: str, until: float, reason: str) -> None:
        await self._reachable().ban(id, until, reason)

    async def unban(self, id: str) -> None:
        await self._reachable().unban(id)

    async def log_out(self, id: str, at: float) -> None:
        await self._reachable().log_out(id, at)

    def reachable(self) -> Store:
        """The store, for a request that needs it. Raises `Refusal` if there is none, or it is down."""
        try:
            return self._reachable()
        except StoreDown:
            raise Refusal(code="SYS-003") from None

    def _reachable(self) -> Store:
        if self.store is None:
            raise StoreDown("nothing is kept here")
        if self.down_since is not None:
            raise StoreDown("the database does not answer")
        return self.store

    async def _keep_watch(self) -> None:
        """Finds out whether the database answers."""
        assert self.store is not None
        while True:
            try:
                async with asyncio.timeout(PING_DEADLINE):
                    await self.store.ping()
            except (StoreDown, TimeoutError) as error:
                if self.down_since is None:
                    self.down_since = time.monotonic()
                    log.error("the database does not answer; play goes on without it", error=str(error))
            else:
                if self.down_since is not None:
                    log.info(
                        "the database answers", after_seconds=round(time.monotonic() - self.down_since, 1)
                    )
                    self.down_since = None
                await self._index_all()
            self._news.clear()
            with suppress(TimeoutError):
                # Not wait_for, which until Python 3.12 forgets that it was cancelled if there are news at the same moment.
                async with asyncio.timeout(PING_SECONDS):
                    await self._news.wait()
