"""Sessions whose clients come to another instance than the one where they were.

Knows records of sessions and where those are kept; a session is fetched from the instance that has it, as it is at that
moment, or, if that instance is gone, taken from what it wrote down last. At most one instance gets it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import msgspec
import structlog

from monkeytown.cluster.directory import DirectoryDown
from monkeytown.cluster.messages import Done, Fetch, Fetched, Release
from monkeytown.cluster.mirrors import Mirror
from monkeytown.errors import Refusal, WireError
from monkeytown.protocol.close import CloseCode
from monkeytown.runtime.hosted import HostedRoom
from monkeytown.runtime.record import SessionRecord, packed_record, unpacked_record
from monkeytown.runtime.secret import ResumeSecret, key_of
from monkeytown.runtime.session import Session

if TYPE_CHECKING:
    from monkeytown.cluster.node import Node
    from monkeytown.cluster.owners import Owners
    from monkeytown.cluster.places import Places
    from monkeytown.identity import Identity
    from monkeytown.runtime.link import Link

__all__ = ["Roaming"]

log = structlog.get_logger()

MOST_AT_ONCE = 500
"""Records written in one go; the others have their turn with the next."""


class Roaming:
    """The sessions of this instance that may go, and those of others that may come."""

    def __init__(self, node: Node, owners: Owners, places: Places) -> None:
        self._node = node
        self._owners = owners
        self._places = places
        self._changed: dict[str, None] = {}
        self._urgent: dict[str, None] = {}
        self._over: list[str] = []
        self._leaving: set[Session] = set()
        self._sent_away: set[str] = set()
        """Players who were sent away while some session is looked for: it may be theirs, and nobody has it at the moment."""
        self._looking = 0
        node.take(Fetch, self._fetch)

    # Written down

    def changed(self, session: Session, urgent: bool = False) -> None:
        (self._urgent if urgent else self._changed)[session.key] = None

    def forgotten(self, session: Session) -> None:
        self._forget(session)
        self._over.append(session.key)

    def _forget(self, session: Session) -> None:
        self._changed.pop(session.key, None)
        self._urgent.pop(session.key, None)

    async def write(self, *, all: bool) -> None:
        """Writes down what has changed, or only what is urgent. Raises `DirectoryDown`."""
        if all:
            self._urgent |= self._changed
            self._changed.clear()
        keys = list(islice(self._urgent, MOST_AT_ONCE))
        if not keys and not self._over:
            return
        records = []
        for key in keys:
            del self._urgent[key]
            session = self._node.sessions.known(key)
            if session is not None:
                session.confirm()
                session.prune()
                records.append((key, self._packed(session, self._node.id)))
        over, self._over = self._over, []
        if records:
            try:
                await self._node.directory.put_sessions(records, self._node.times.seat)
            except DirectoryDown:
                self._urgent |= dict.fromkeys(keys)
                self._over += over
                raise
        if over:
            try:
                await self._node.directory.drop_sessions(over)
            except DirectoryDown:
                self._over += over
                raise

    def _packed(self, session: Session, instance: str) -> bytes:
        return packed_record(msgspec.structs.replace(session.record(), instance=instance))

    # Coming

    async def find(self, token: str, identity: Identity | None) -> Session | None:
        """The session that a token opens, which is this instance's from now on; None if there is none."""
        self._looking += 1
        try:
            session = await self._find(token, identity)
            return None if session is None or session.is_over else session
        except (DirectoryDown, WireError) as error:
            log.warning("a session could not be looked for", error=str(error))
            return None
        finally:
            self._looking -= 1
            if not self._looking:
                self._sent_away.clear()

    def sent_away(self, player_id: str) -> None:
        """A player's sessions end, those that are on their way here included."""
        if self._looking:
            self._sent_away.add(player_id)

    async def _find(self, token: str, identity: Identity | None) -> Session | None:
        directory, key = self._node.directory, key_of(token)
        written = await directory.session(key)
        if written is None:
            return None
        record = unpacked_record(written)
        if identity is not None and identity.id != record.id:
            return None
        if record.instance and record.instance != self._node.id:
            fetched = await self._fetched(record.instance, token)
            if fetched is not None:
                return None if fetched == b"" else await self._settle(unpacked_record(fetched))
        if not ResumeSecret(record.key, *record.secrets).opened_by(token):
            return None
        written = await directory.take_session(key)
        if written is None:
            return None
        self._node.counters["sessions_recovered"] += 1
        return await self._settle(unpacked_record(written))

    async def _fetched(self, instance: str, token: str) -> bytes | None:
        """What the instance says that had the session; None if it says nothing."""
        if not any(record.id == instance for record in await self._node.directory.instances()):
            return None
        try:
            return await self._node.ask(
                instance, lambda ask: Fetch(ask, token), Fetched, lambda said: said.record
            )
        except (TimeoutError, Refusal):
            return None

    async def _settle(self, record: SessionRecord) -> Session | None:
        """The session, in its room as far as that can be reached; None if its player was sent away meanwhile."""
        if record.identity is not None and record.id in self._sent_away:
            return None
        sessions = self._node.sessions
        session = Session.recorded(sessions, record)
        sessions.take_in(session, self._node.times.seat)
        self.changed(session, urgent=True)
        if not record.room:
            return session
        try:
            place = await self._places.reach(record.room)
        except Refusal:
            return session
        if isinstance(place, Mirror):
            await self._places.sit_there(place, session)
        else:
            self._places.sit_here(place, session)
        self.changed(session, urgent=True)
        return session

    # Going

    def _fetch(self, sender: str, said: Fetch) -> None:
        self._node.run(self._give(sender, said))

    async def _give(self, sender: str, said: Fetch) -> None:
        session = self._node.sessions.find(said.token)
        if session is None:
            self._node.courier.send(sender, Fetched(said.ask, b""))
            return
        released = await self.release(session, self._node.id)
        if released is None:
            self._node.courier.send(sender, Fetched(said.ask, b""))
            return
        record, link = released
        self._node.courier.send(sender, Fetched(said.ask, record))
        if link is not None:
            link.close(CloseCode.REPLACED, CloseCode.REPLACED.reason)

    async def release(self, session: Session, instance: str = "") -> tuple[bytes, Link | None] | None:
        """Lets a session go, exactly as it is then: whoever has the record goes on with it. Its link is to be closed.

        `instance`: where to ask for it; empty: nowhere, the record is all there is. None if it is over,
        or on its way already.
        """
        if session in self._leaving or self._node.sessions.known(session.key) is not session:
            return None
        self._leaving.add(session)
        try:
            await self._release_seat(session)
        finally:
            self._leaving.discard(session)
        if self._node.sessions.known(session.key) is not session:
            return None  # it has ended meanwhile
        session.confirm()
        session.prune()
        record = self._packed(session, instance)
        link = session.move_away()
        place = session.hosted
        if isinstance(place, Mirror):
            place.release(session)
        elif isinstance(place, HostedRoom) and place.sessions.get(session.id) is session:
            self._owners.hold(place, place.room.members[session.id], session.key)
        self._forget(session)
        return record, link

    async def _release_seat(self, session: Session) -> None:
        """What comes for its player from now on waits at the owner of its room, if that is another instance."""
        place = session.hosted
        if not isinstance(place, Mirror) or place.is_lost or session.id not in place.members:
            return
        room, number = place.room.id, place.members[session.id].number
        try:
            await self._node.ask(place.owner, lambda ask: Release(ask, room, number), Done, lambda done: None)
        except (TimeoutError, Refusal):
            session.lose_track()
