"""The bus through Redis: Pub/Sub of one server, or sharded Pub/Sub of a Redis Cluster, whichever is found at the address.

Knows channels, who receives on them, and which line they go over (`redisline.py`); not what is said. Every channel's name
begins with one prefix.

While Redis is away, what is published waits, up to a bound; a line that does not work is given up and made anew by itself.
What was perhaps published is not said again.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from contextlib import suppress
from functools import lru_cache
from itertools import count

import structlog

from monkeytown.cluster.backlog import Backlog, Waiting
from monkeytown.cluster.bus import Receive, hand_over
from monkeytown.cluster.redisdial import SLOTS, Dial, Node, Trouble
from monkeytown.cluster.redisline import Counts, Line, Owner
from monkeytown.errors import StartError

__all__ = ["RedisBus"]

WAITING_BYTES = 8 * 1024 * 1024
"""What waits to be published, of all lines together."""
START_SECONDS = 5.0
GOODBYE_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 0.3
LOOK_ANYWAY_SECONDS = 15.0
"""A cluster says by itself that a channel has moved, but only to whom uses it."""

log = structlog.get_logger()


class RedisBus:
    """A `Bus` at `url`. The server lists its connections as monkeytown-`name`; `waiting` bounds what waits, in bytes. Raises
    `StartError` for an address of no form that is known, and without redis-py."""

    def __init__(
        self, url: str, *, prefix: str = "mt:", name: str = "", waiting: int = WAITING_BYTES
    ) -> None:
        self.trouble = ""
        """Empty while it works, else one line for operators."""
        self._id = secrets.token_urlsafe(9)
        self._dial = Dial(url, f"monkeytown-{name or self._id}")
        self._prefix = prefix
        self._limit = waiting
        self._counts = Counts()
        self._owner = Owner(self._deliver, self._moved, self._changed)
        self._receivers: dict[bytes, Receive] = {}
        self._lines: dict[Node, Line] = {}
        self._slots: list[Line | None] = []
        """Of a cluster; of one server there is only one line."""
        self._only: Line | None = None
        self._known: set[Node] = set()
        self._unknown = ""
        """Why it is not known which node serves what."""
        self._outdated = asyncio.Event()
        self._news = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None
        self._is_open = False

    @property
    def published(self) -> int:
        """Messages that Redis took."""
        return self._counts.published

    @property
    def received(self) -> int:
        return self._counts.received

    @property
    def dropped(self) -> int:
        """Messages that were not published, or are not known to be."""
        return self._counts.dropped

    @property
    def reconnects(self) -> int:
        """Connections that were made anew."""
        return self._counts.reconnects

    @property
    def deaf(self) -> int:
        """Subscriptions that were found to hear nothing."""
        return self._counts.deaf

    # ---- from start to end ----

    async def start(self) -> None:
        is_cluster = await self._dial.look()
        try:
            if is_cluster:
                await self._look()
                if self._unknown:
                    raise StartError(self._unknown)
                self._follower = asyncio.create_task(self._follow())
            else:
                self._only = self._line(Node(), self._probe(0), sharded=False, limit=self._limit)
                for channel in self._receivers:
                    self._only.want(channel)
            await self._until_ready()
        except BaseException:
            await self._end(0.0)
            raise
        self._is_open = True
        self._changed()

    async def _until_ready(self) -> None:
        """Raises `StartError` as soon as it is clear that it will not be."""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                while not all(line.is_ready for line in self._lines.values()):
                    for trouble in self._troubles():
                        if trouble.is_refusal:
                            raise StartError(trouble.line)
                    self._news.clear()
                    await self._news.wait()
                return
        for trouble in self._troubles():
            raise StartError(trouble.line)
        raise StartError(f"{self._dial.place}: what is published there is not heard")

    async def close(self) -> None:
        await self._end(GOODBYE_SECONDS)

    async def _end(self, patience: float) -> None:
        self._is_open = False
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)
        lines, self._lines = self._lines, {}
        self._only, self._slots = None, []
        await asyncio.gather(*(line.close(patience) for line in lines.values()))

    # ---- what the instance does ----

    def subscribe(self, channel: str, receive: Receive) -> None:
        name = self._name(channel)
        is_new = name not in self._receivers
        self._receivers[name] = receive
        if is_new and (line := self._line_of(name)) is not None:
            line.want(name)

    def unsubscribe(self, channel: str) -> None:
        name = self._name(channel)
        if self._receivers.pop(name, None) is not None and (line := self._line_of(name)) is not None:
            line.unwant(name)

    def publish(self, channel: str, data: bytes, *, may_drop: bool = False) -> None:
        name = self._name(channel)
        line = self._line_of(name) if self._is_open else None
        if line is None:
            self._counts.dropped += 1
        else:
            line.publish(Waiting(name, data, may_drop))

    def _name(self, channel: str) -> bytes:
        return (self._prefix + channel).encode("utf-8", "surrogatepass")

    def _line_of(self, name: bytes) -> Line | None:
        if self._only is not None or not self._slots:
            return self._only
        return self._slots[_slot(name)]

    # ---- what lines tell ----

    def _deliver(self, name: bytes, data: bytes) -> None:
        receive = self._receivers.get(name)
        if receive is not None:
            self._counts.received += 1
            hand_over(receive, name.decode("utf-8", "replace"), data)

    def _moved(self) -> None:
        self._outdated.set()

    def _changed(self) -> None:
        self._news.set()
        if not self._is_open:
            return
        troubles = self._troubles()
        trouble = troubles[0].line if troubles else self._unknown
        if trouble and not self.trouble:
            log.error("instances do not hear each other", trouble=trouble)
        elif self.trouble and not trouble:
            log.info("instances hear each other again", place=self._dial.place)
        self.trouble = trouble

    def _troubles(self) -> list[Trouble]:
        return [line.trouble for line in self._lines.values() if line.trouble]

    # ---- lines ----

    def _line(self, node: Node, probe: bytes, *, sharded: bool, limit: int) -> Line:
        backlog = Backlog(limit)
        line = Line(
            self._dial, node, probe, sharded=sharded, backlog=backlog, counts=self._counts, owner=self._owner
        )
        self._lines[node] = line
        line.start()
        return line

    def _probe(self, number: int) -> bytes:
        return self._name(f"probe:{self._id}:{number}")

    async def _follow(self) -> None:
        """Which node of the cluster serves what: asked when something says that this has changed."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_ANYWAY_SECONDS):
                    await self._outdated.wait()
            self._outdated.clear()
            try:
                await self._look()
            except Exception:  # whatever it was, the next look may do better
                log.exception("the nodes of a cluster could not be arranged", place=self._dial.place)
                self._outdated.set()
            if self.trouble:
                self._outdated.set()
            await asyncio.sleep(LOOK_AGAIN_SECONDS * random.uniform(0.5, 1))

    async def _look(self) -> None:
        # Those without trouble know better what has become of the others.
        well = [node for node, line in self._lines.items() if not line.trouble]
        others = [node for node in self._known if node not in well]
        for some in (well, others):
            random.shuffle(some)
        for node in (*well, *others, Node()):
            try:
                owners, known = await self._dial.slots(node)
            except Exception as error:
                self._unknown = self._dial.explain(error, node).line
                continue
            if not known:
                self._unknown = f"{self._dial.place_of(node)} is of a cluster without slots"
                continue
            self._known = known
            missing = owners.count(None)
            self._unknown = (
                f"{self._dial.place}: {missing} of {SLOTS} slots are served by no node" if missing else ""
            )
            await self._arrange(owners)
            break
        self._changed()

    async def _arrange(self, owners: list[Node | None]) -> None:
        """Lines as the cluster is now. What waits for a node that is no more, or serves less, goes where it belongs now."""
        needed = {owner for owner in owners if owner is not None}
        for node in needed - self._lines.keys():
            own = next(name for name in map(self._probe, count()) if owners[_slot(name)] == node)
            self._line(node, own, sharded=True, limit=self._limit)
        gone = [self._lines.pop(node) for node in self._lines.keys() - needed]
        before = self._slots
        self._slots = [self._lines[owner] if owner is not None else None for owner in owners]
        for line in self._lines.values():
            line.backlog.limit = self._limit // len(self._lines)
            if self._slots[_slot(line.probe)] is not line:
                own = next(name for name in map(self._probe, count()) if owners[_slot(name)] == line.node)
                line.probe_on(own)
        if self._slots != before:
            self._rewire(before, gone)
        await asyncio.gather(*(line.close() for line in gone))

    def _rewire(self, before: list[Line | None], gone: list[Line]) -> None:
        for name in self._receivers:
            slot = _slot(name)
            old, new = before[slot] if before else None, self._slots[slot]
            if old is not new:
                if old is not None:
                    old.unwant(name)
                if new is not None:
                    new.want(name)
        for line in (*gone, *self._lines.values()):
            for waiting in line.backlog.take(self._limit + 1):
                belongs = self._slots[_slot(waiting.channel)]
                if belongs is None:
                    self._counts.dropped += 1
                else:
                    belongs.publish(waiting)


@lru_cache(maxsize=4096)
def _slot(name: bytes) -> int:
    from redis.crc import key_slot

    return int(key_slot(name))
