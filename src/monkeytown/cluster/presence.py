"""Who is online, and where; and what rooms say beyond themselves, on its way to other instances.

Knows the directory's players, topics and sessions. A player is where one of their sessions is; one who has just gone is still
listed for some seconds.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from monkeytown.cluster.directory import DirectoryDown
from monkeytown.cluster.messages import Published
from monkeytown.room.mail import News
from monkeytown.room.publications import Publication

if TYPE_CHECKING:
    from monkeytown.cluster.node import Node
    from monkeytown.runtime.session import Session

__all__ = ["Presence", "Whereabouts"]

LISTED_SECONDS = 30.0
REFRESHED_SECONDS = 10.0

MOST_AT_ONCE = 1000
"""Players written down in one go; the others have their turn with the next."""


class Whereabouts(msgspec.Struct, array_like=True, frozen=True):
    """Where a player is."""

    instance: str
    room: str
    """Empty: in none."""
    game: str
    name: str


_decoder = msgspec.msgpack.Decoder(Whereabouts)


class Presence:
    """Of the players of one instance, for all."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._changed: dict[str, None] = {}
        self._gone: dict[str, None] = {}
        self._refreshed = node.now()
        node.host.topics.spread = self._spread
        node.host.topics.followed = self._followed
        node.take(Published, self._published)

    # Who is here

    def changed(self, session: Session) -> None:
        self._changed[session.id] = None
        self._gone.pop(session.id, None)

    def forgotten(self, session: Session) -> None:
        self._changed.pop(session.id, None)
        if not self._node.sessions.of(session.id):
            self._gone[session.id] = None

    async def write(self) -> None:
        """Writes down who has come, gone or moved, to be called each second. Raises `DirectoryDown`."""
        now = self._node.now()
        if now - self._refreshed > REFRESHED_SECONDS:
            self._refreshed = now
            self._changed |= dict.fromkeys(session.id for session in self._node.sessions.all)
        players = list(islice(self._changed, MOST_AT_ONCE))
        gone, self._gone = list(self._gone), {}
        listed = []
        for player in players:
            del self._changed[player]
            for session in self._node.sessions.of(player):
                listed.append((player, msgspec.msgpack.encode(self._whereabouts(session))))
                break
        if listed:
            await self._node.directory.put_players(listed, LISTED_SECONDS)
        if gone:
            await self._node.directory.drop_players(gone)

    def _whereabouts(self, session: Session) -> Whereabouts:
        place = session.hosted
        room, game = ("", "") if place is None else (place.room.id, place.room.name)
        return Whereabouts(self._node.id, room, game, session.name or "")

    async def where(self, player_id: str) -> Whereabouts | None:
        """Where a player is; None: not online. Raises `DirectoryDown`."""
        found = await self._node.directory.player(player_id)
        try:
            return None if found is None else _decoder.decode(found)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None

    # What rooms say

    def _spread(self, publication: Publication) -> None:
        said = Published(publication.topic, publication.player, publication.news.payload)
        if publication.topic:
            self._node.courier.cast(_channel(publication.topic), said)
        elif not self._node.sessions.of(publication.player):
            self._node.run(self._tell(publication.player, said))

    async def _tell(self, player_id: str, said: Published) -> None:
        try:
            found = await self.where(player_id)
        except DirectoryDown:
            return
        if found is not None and found.instance != self._node.id:
            self._node.courier.send(found.instance, said)

    def _followed(self, topic: str, followed: bool) -> None:
        if followed:
            self._node.courier.listen(_channel(topic))
        else:
            self._node.courier.unlisten(_channel(topic))

    def _published(self, sender: str, said: Published) -> None:
        publication = Publication(said.topic, said.player, News("game_event", said.event))
        self._node.host.topics.deliver(publication)


def _channel(topic: str) -> str:
    return f"t:{topic}"
