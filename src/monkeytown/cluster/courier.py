"""Letters between instances: in order and once to a peer that lives, over a bus that may lose them.

Knows peers by their ids, the bus, and when something has to be sent; does not know what the messages mean, who owns a room,
or how the bus works. All that goes to one peer within one wake-up of the event loop is one message on the bus, a parcel
(`parcel.py`); what makes it reliable is one end of a link for each peer (`link.py`).

A link breaks when a peer was silent for too long, when more waits for it than is kept, when it is dropped, or when the peer
began again. Both sides are told, each once, before anything that was sent afterwards arrives: whoever is told starts from
nothing with that peer. What was sent before and did not arrive is lost.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import structlog
from msgspec import Raw

from monkeytown.cluster.envelope import Refused
from monkeytown.cluster.link import TURN, Link, generation, identity
from monkeytown.cluster.parcel import UNREADABLE, BadParcel, Packing, Parcel, split

if TYPE_CHECKING:
    from monkeytown.cluster.bus import Bus
    from monkeytown.cluster.envelope import Envelopes

__all__ = ["Courier", "channel_of"]

log = structlog.get_logger()

M = TypeVar("M")

MAX_PAST = 1024
"""Peers that are gone and remembered, so that parcels of theirs that are late are not taken for new ones."""

SAY_EVERY = 60.0
"""Seconds between two log lines about what is refused."""


def channel_of(instance: str) -> str:
    """The channel on which an instance is sent to."""
    return f"i:{instance}"


class Courier(Generic[M]):
    """The post of one instance, to be used within one event loop.

    `receive(peer, message)` gets what comes, `broken(peer)` hears of links that broke; what they raise is logged. `now` is
    monotonic, in seconds; `call_later` and `call_soon` are those of the running loop unless told otherwise, and `draw` gives
    random bits. A message must not be changed once it was handed over.
    """

    def __init__(
        self,
        me: str,
        bus: Bus,
        envelopes: Envelopes,
        message_type: Any,
        *,
        receive: Callable[[str, M], None],
        broken: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
        call_later: Callable[[float, Callable[[], None]], asyncio.TimerHandle] | None = None,
        call_soon: Callable[[Callable[[], None]], object] | None = None,
        draw: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self.me = me
        self.refused: Counter[str] = envelopes.refused
        """By reason, those of the envelopes among them."""
        self.parcels_sent = 0
        self.parcels_received = 0
        self.items_sent = 0
        """Messages that must arrive, each counted once."""
        self.resent = 0
        """Messages that were sent again, each time."""
        self.broken_links = 0
        self.bytes_sent = 0
        """As handed to the bus."""
        self._bus = bus
        self._envelopes = envelopes
        self._packing = Packing(message_type)
        self._receive = receive
        self._broken = broken
        self._now = now
        self._call_later = call_later
        self._call_soon = call_soon
        self._draw = draw
        self._running = False
        self._links: dict[str, Link] = {}
        self._past: dict[str, int] = {}
        self._due: dict[str, Link] = {}
        self._casts: dict[str, list[Raw]] = {}
        self._last: tuple[object, Raw] | None = None
        self._flushing = False
        self._timer: asyncio.TimerHandle | None = None
        self._said: float | None = None

    async def start(self) -> None:
        """Begins to listen; the bus has to be started by whoever made it."""
        if self._call_later is None or self._call_soon is None:
            loop = asyncio.get_running_loop()
            self._call_later = self._call_later or loop.call_later
            self._call_soon = self._call_soon or loop.call_soon
        self._running = True
        self._bus.subscribe(channel_of(self.me), self._arrived)

    async def close(self) -> None:
        """Sends what waits, without awaiting answers, and is silent from then on. Nobody is told that links broke."""
        if not self._running:
            return
        self.flush()
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
        self._bus.unsubscribe(channel_of(self.me))
        self._links.clear()
        self._due.clear()

    # What goes out.

    def send(self, to: str, message: M) -> None:
        """Reliable: it arrives after all that was sent to this peer before, and once; or `broken` is called.

        Raises `ValueError` for a message of more than 32 MiB, or to oneself.
        """
        link = self._wanted(to)
        if link is not None:
            link.item(self._encoded(message))

    def state(self, to: str, message: M) -> None:
        """May be lost, and is never late: it does not come after one that is newer.

        It comes after what was sent in the same wake-up, unless that was lost and has to be sent again.
        Raises `ValueError` as `send` does.
        """
        link = self._wanted(to)
        if link is not None:
            link.state(self._encoded(message))

    def cast(self, channel: str, message: M) -> None:
        """To all who listen to a channel, but oneself; may be lost. Raises `ValueError` for more than 32 MiB."""
        if self._running:
            self._casts.setdefault(channel, []).append(self._encoded(message))
            self._schedule()

    def listen(self, channel: str) -> None:
        """Whatever is cast to the channel is received as well."""
        self._bus.subscribe(channel, partial(self._overheard, channel))

    def unlisten(self, channel: str) -> None:
        self._bus.unsubscribe(channel)

    def flush(self) -> None:
        """Sends all that waits, as one parcel for each peer unless it is too large; comes by itself if nobody calls it."""
        self._last = None
        if not self._running:
            return
        due, self._due = self._due, {}
        for peer, link in due.items():
            if self._links.get(peer) is not link:
                continue
            if link.full:
                log.warning("too much waits for an instance", peer=peer)
                self._break(peer, link, self._above(link.id))
            else:
                self._post(link)
        casts, self._casts = self._casts, {}
        for channel, messages in casts.items():
            for piece in split(messages):
                self._publish(channel, self._packing.bundle(piece), may_drop=True)

    def drop(self, peer: str) -> None:
        """The peer is gone: forgets it, and tells of the broken link if there was one."""
        link = self._links.pop(peer, None)
        if link is None:
            return
        self._past.pop(peer, None)
        self._past[peer] = link.id
        if len(self._past) > MAX_PAST:
            del self._past[next(iter(self._past))]
        self._tell(peer, link.touched)

    @property
    def peers(self) -> list[str]:
        """Those with whom there is a link."""
        return list(self._links)

    def heard(self, peer: str) -> float | None:
        """When the peer was last heard, by `now`; None: never, or there is no link to it."""
        link = self._links.get(peer)
        return link.heard if link is not None else None

    def _wanted(self, to: str) -> Link | None:
        if to == self.me:
            raise ValueError("an instance does not write to itself")
        if not self._running:
            return None
        link = self._links.get(to)
        if link is None:
            link = self._open(to, self._above(self._past.get(to, 0)))
        self._due[to] = link
        self._schedule()
        return link

    def _encoded(self, message: M) -> Raw:
        # The state of a room goes to every instance that has a mirror of it.
        if self._last is not None and self._last[0] is message:
            return self._last[1]
        raw = self._packing.message(message)
        self._last = (message, raw)
        return raw

    def _schedule(self) -> None:
        if not self._flushing and self._call_soon is not None:
            self._flushing = True
            self._call_soon(self._flush_soon)

    def _flush_soon(self) -> None:
        self._flushing = False
        self.flush()

    def _post(self, link: Link, *, again: bool = False) -> None:
        self.items_sent += link.waiting
        if again:
            self.resent += link.under_way
        for parcel, items in link.pack(self._packing, self._now(), again=again):
            # Whatever must arrive comes again, so it need not pile up in front of a bus that does not work.
            self._publish(link.channel, parcel, may_drop=not items or bool(self._bus.trouble))

    def _publish(self, channel: str, payload: bytes, *, may_drop: bool) -> None:
        data = self._envelopes.seal(channel, payload)
        self.parcels_sent += 1
        self.bytes_sent += len(data)
        self._bus.publish(channel, data, may_drop=may_drop)

    # What comes in.

    def _arrived(self, data: bytes) -> None:
        if not self._running:
            return
        try:
            peer, payload = self._envelopes.open(channel_of(self.me), data)
            parcel = self._packing.open(payload)
        except Refused as refusal:
            self._say(refusal.reason, str(refusal))
            return
        except BadParcel as bad:
            self._refuse(bad.reason, str(bad), peer)
            return
        self.parcels_received += 1
        now = self._now()
        link = self._met(peer, parcel, now)
        if link is None:
            return
        current = link.id
        if not link.acknowledge(parcel.ack, now):
            self._break(peer, link, self._above(current))
            return
        items, states = link.due(parcel, now)
        for message in items:
            link.taken()
            self._deliver(peer, message)
            if link.id != current or self._links.get(peer) is not link:
                return  # by what was delivered
        for message in states:
            self._deliver(peer, message)
            if link.id != current or self._links.get(peer) is not link:
                return

    def _met(self, peer: str, parcel: Parcel, now: float) -> Link | None:
        """The link of this parcel, which is opened or broken as it demands; None if the parcel is not of the link that is."""
        link = self._links.get(peer)
        if link is None:
            past = self._past.get(peer, 0)
            if parcel.link <= past or parcel.ack >= 0:
                # It goes on with a link that was given up here, and has to hear that from another one.
                link = self._open(peer, self._above(max(past, parcel.link)))
                link.owe(now)
                return None
            link = self._open(peer, parcel.link)
        link.heard = now
        if parcel.link < link.id:
            link.owe(now)
            return None
        if parcel.link > link.id:
            if parcel.ack >= 0:  # an answer to what this process did not say: to another one with this id
                self._break(peer, link, self._above(parcel.link))
                return None
            if generation(parcel.link) == generation(link.id) and not link.met:
                link.rejoin(parcel.link, now)
                self._due[peer] = link
                self._schedule()
            else:
                self._break(peer, link, parcel.link)
                if self._links.get(peer) is not link or link.id != parcel.link:
                    return None
        link.met = link.touched = True
        return link

    def _overheard(self, channel: str, data: bytes) -> None:
        if not self._running:
            return
        try:
            peer, payload = self._envelopes.open(channel, data)
            messages = self._packing.open_bundle(payload)
        except Refused as refusal:
            if refusal.reason != "own":
                self._say(refusal.reason, str(refusal))
            return
        except BadParcel as bad:
            self._refuse(bad.reason, str(bad), peer)
            return
        self.parcels_received += 1
        link = self._links.get(peer)
        if link is not None:
            link.heard = self._now()
        for message in messages:
            self._deliver(peer, message)

    def _deliver(self, peer: str, message: Any) -> None:
        if message is UNREADABLE:
            self._refuse("message", "no message of ours", peer)
            return
        try:
            self._receive(peer, message)
        except Exception:
            log.exception("a message from another instance failed", peer=peer, message=type(message).__name__)

    def _refuse(self, reason: str, detail: str, peer: str) -> None:
        self.refused[reason] += 1
        self._say(reason, detail, peer)

    def _say(self, reason: str, detail: str, peer: str = "") -> None:
        now = self._now()
        if self._said is None or now - self._said >= SAY_EVERY:
            self._said = now
            log.warning(
                "what comes from other instances is refused",
                reason=reason,
                detail=detail,
                peer=peer,
                so_far=dict(self.refused),
            )

    # Links.

    def _above(self, link: int) -> int:
        return identity(generation(link) + 1, self._draw(32))

    def _open(self, peer: str, identity: int) -> Link:
        link = self._links[peer] = Link(channel_of(peer), identity, self._now())
        self._past.pop(peer, None)
        if self._timer is None and self._call_later is not None:
            self._timer = self._call_later(TURN, self._turn)
        return link

    def _break(self, peer: str, link: Link, identity: int) -> None:
        """Begins again under the identity; the peer hears of it with the next parcel."""
        touched = link.touched
        link.reset(identity, self._now())
        self._due[peer] = link
        self._schedule()
        self._tell(peer, touched)

    def _tell(self, peer: str, touched: bool) -> None:
        if not touched:
            return  # nobody has had anything from it since the last time
        self.broken_links += 1
        try:
            self._broken(peer)
        except Exception:
            log.exception("a broken link could not be seen to", peer=peer)

    def _turn(self) -> None:
        self._timer = None
        if not self._running:
            return
        now = self._now()
        for peer, link in list(self._links.items()):
            if self._links.get(peer) is not link:
                continue
            if link.lost(now):
                log.warning(
                    "an instance is silent", peer=peer, seconds=round(now - (link.heard or link.opened))
                )
                self.drop(peer)
            elif link.overdue(now):
                self._post(link, again=True)
            elif link.owing(now):
                self._post(link)
        if self._links and self._timer is None and self._call_later is not None:
            self._timer = self._call_later(TURN, self._turn)
