"""What rooms say to each other and to players elsewhere: who listens, and the way there.

Knows rooms of this instance by topic and sessions by player; `spread` takes what is for others to the other instances, if
there are any. Nothing is delivered inside the hook that said it. At most once: a room that is on its way from one instance to
another may miss something.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from monkeytown.room.publications import Publication

if TYPE_CHECKING:
    from monkeytown.runtime.hosted import HostedRoom

__all__ = ["Topics"]


class Topics:
    """The publications of one instance."""

    def __init__(self, later: Callable[[Callable[[], None]], object]) -> None:
        self.spread: Callable[[Publication], object] = lambda publication: None
        """Takes a publication to the other instances."""
        self.tell: Callable[[Publication], object] = lambda publication: None
        """Takes one to the sessions of its player, as far as those are here."""
        self.followed: Callable[[str, bool], object] = lambda topic, followed: None
        """Is told when the first room here listens to a topic, and when none does any more."""
        self._later = later
        self._listeners: dict[str, dict[HostedRoom, None]] = {}
        self._waiting: list[tuple[HostedRoom | None, Publication]] = []

    def follow(self, hosted: HostedRoom, topics: set[str], before: set[str]) -> None:
        """A room listens to these from now on."""
        for topic in topics - before:
            listeners = self._listeners.setdefault(topic, {})
            listeners[hosted] = None
            if len(listeners) == 1:
                self.followed(topic, True)
        for topic in before - topics:
            listeners = self._listeners.get(topic, {})
            listeners.pop(hosted, None)
            if not listeners and self._listeners.pop(topic, None) is not None:
                self.followed(topic, False)

    def publish(self, publication: Publication, by: HostedRoom) -> None:
        """Says it to all who listen, but for the room that says it."""
        self.spread(publication)
        self.deliver(publication, by)

    def deliver(self, publication: Publication, by: HostedRoom | None = None) -> None:
        """Says it to those who listen here, soon."""
        if not self._waiting:
            self._later(self._deliver)
        self._waiting.append((by, publication))

    def _deliver(self) -> None:
        waiting, self._waiting = self._waiting, []
        for by, publication in waiting:
            if publication.player:
                self.tell(publication)
                continue
            for hosted in tuple(self._listeners.get(publication.topic, ())):
                if hosted is not by:
                    hosted.hear(publication)
