"""What players at a mirror have said to the rules lately: kept until it is clear that the owner has heard it.

Whatever is said while a room has no owner waits for the next one; what went to one that died on the way is said again, as far
as the next one has not seen it in the checkpoint that it goes on from. Knows places and sessions; not how owners are found.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from monkeytown.errors import Refusal

if TYPE_CHECKING:
    from monkeytown.runtime.place import Place
    from monkeytown.runtime.session import Session

__all__ = ["Sayings"]

KEPT_SECONDS = 4.0
"""What was sent so long ago, the owner has heard, or is known to be gone."""

MOST_KEPT = 2000


class _Said(NamedTuple):
    at: float
    session: Session
    sent: bool
    text: str | None
    """Of chat; None for an action."""
    action: dict[str, Any]
    number: int
    seen_tick: int


class Sayings:
    """Of one mirror."""

    def __init__(self) -> None:
        self._said: deque[_Said] = deque(maxlen=MOST_KEPT)

    def note(
        self,
        now: float,
        session: Session,
        *,
        sent: bool,
        text: str | None = None,
        action: dict[str, Any] | None = None,
        number: int = 0,
        seen_tick: int = 0,
    ) -> None:
        """Somebody has said something, which was sent to the owner, or was not because there is none."""
        while self._said and self._said[0].sent and now - self._said[0].at > KEPT_SECONDS:
            self._said.popleft()
        self._said.append(_Said(now, session, sent, text, action or {}, number, seen_tick))

    def say_again(self, place: Place) -> None:
        """The room has an owner: it hears what it does not know. Chat that was sent may be known, and is not said twice."""
        said, self._said = self._said, deque(maxlen=MOST_KEPT)
        for one in said:
            member = place.members.get(one.session.id)
            if member is None or one.session.hosted is not place:
                continue
            if one.sent and (one.text is not None or not one.number):
                continue
            if one.text is None and 0 < one.number <= member.input:
                continue
            try:
                if one.text is not None:
                    place.chat(one.session, one.text)
                else:
                    place.act(one.session, one.action, one.number, one.seen_tick)
            except Refusal as refusal:
                one.session.refused(refusal)
