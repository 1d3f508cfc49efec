"""Who owns which room, which instances there are, and what must be found from any of them: sessions and who is online.

Knows leases, epochs and how long each thing is remembered; `LocalDirectory` keeps it in memory, for the instances of one
process. Does not know Redis, rooms or what the bytes that it keeps mean.

A room's *lease* says which instance runs its rules. It ends by itself unless it is renewed. Its *epoch* is a fencing token:
every new owner has a higher one, so whoever still works under an older one is refused by all that have seen the newer. Of
each room the newest epoch and its last holder are remembered for a day, longer than any lease:

    claim       nobody holds it: the newest epoch that is known, plus one
    hand_over   the same epoch, another holder: the history goes on
    renew       the holder's own, or one that has ended and that nobody has taken since. A higher epoch than any that is known
                is also renewed: it was given once, so the directory has forgotten (a Redis that came back empty).
    keep        refused for all but the last holder of the newest epoch
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from monkeytown.errors import MonkeytownError

__all__ = [
    "EPOCH_SECONDS",
    "FORGOTTEN_SECONDS",
    "Directory",
    "DirectoryDown",
    "InstanceRecord",
    "Lease",
    "LocalDirectory",
    "WaitingRoom",
    "can_hold",
    "checked",
    "is_room",
]

EPOCH_SECONDS = 24 * 3600.0
"""How long the newest epoch of a room is known after its owner was heard of last."""
FORGOTTEN_SECONDS = 60.0
"""The same for a room that has ended: so long, a late renewal does not bring it back."""
LARGEST_EPOCH = 2**53 - 1  # Redis counts in doubles
SWEEP_SECONDS = 30.0

_ROOM = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

V = TypeVar("V")


class DirectoryDown(MonkeytownError):
    """The directory cannot say now; what was asked may or may not have been done, and may be asked again."""


class Lease(NamedTuple):
    """`owner` runs the room under this epoch, 1 or more."""

    room: str
    owner: str
    epoch: int


class WaitingRoom(msgspec.Struct, array_like=True, frozen=True):
    """A room that players may be sent to."""

    room: str
    game: str
    mode: str
    seats: int
    """Free ones; -1 is any number."""
    since: float
    """Seconds since 1970."""


class InstanceRecord(msgspec.Struct, frozen=True):
    """What an instance says of itself."""

    id: str
    name: str
    games: list[str]
    players: int
    rooms: int
    load: float
    """0 is idle, 1 is full."""
    draining: bool = False
    waiting: list[WaitingRoom] = []


class Directory(Protocol):
    """Every coroutine raises `DirectoryDown` if it has no answer within about a second.

    A room id of another form than `[A-Za-z0-9_-]{1,64}` is of no room: there is nothing to be found, and to claim it is a
    ValueError. Other ids may be any text.
    """

    @property
    def trouble(self) -> str:
        """Empty while it works, else one line for operators."""

    async def start(self) -> None:
        """Raises `StartError` with one line."""

    async def close(self) -> None: ...

    async def claim(self, room: str, owner: str, *, floor: int = 0) -> Lease:
        """A new lease for `owner` if nobody holds one, else the one that is held. A new epoch is higher than `floor`."""

    async def renew(self, owner: str, leases: Sequence[tuple[str, int]]) -> list[bool]:
        """Of each (room, epoch): whether it is still `owner`'s, and then for as long as a new one."""

    async def release(self, lease: Lease) -> None:
        """Ends it, if it still holds: it cannot be renewed any more."""

    async def hand_over(self, lease: Lease, to: str) -> bool:
        """Makes `to` its owner in the same epoch, if `lease` holds or this has been done already."""

    async def owner(self, room: str) -> Lease | None: ...

    async def keep(self, lease: Lease, checkpoint: bytes, seconds: float) -> bool:
        """Keeps the room's newest checkpoint. False: this is no longer its last owner."""

    async def kept(self, room: str) -> bytes | None: ...

    async def forget_room(self, lease: Lease) -> None:
        """The room has ended under this lease: nothing of it is found any more."""

    async def announce(self, record: InstanceRecord, seconds: float) -> None:
        """It is one of `instances` for so long."""

    async def retire(self, instance: str) -> None: ...

    async def instances(self) -> list[InstanceRecord]:
        """In the order of their ids."""

    async def put_sessions(self, sessions: Sequence[tuple[str, bytes]], seconds: float) -> None: ...

    async def session(self, key: str) -> bytes | None: ...

    async def take_session(self, key: str) -> bytes | None:
        """The same, and at most one caller gets it."""

    async def drop_sessions(self, keys: Sequence[str]) -> None: ...

    async def put_players(self, players: Sequence[tuple[str, bytes]], seconds: float) -> None: ...

    async def player(self, player_id: str) -> bytes | None: ...

    async def drop_players(self, player_ids: Sequence[str]) -> None: ...


def is_room(room: str) -> bool:
    """Whether a room can have this id."""
    return _ROOM.fullmatch(room) is not None


def can_hold(lease: Lease) -> bool:
    """Whether a directory can ever have given this lease."""
    return is_room(lease.room) and bool(lease.owner) and 1 <= lease.epoch <= LARGEST_EPOCH


def checked(room: str, owner: str, floor: int = 0) -> None:
    """Raises ValueError for what no lease can have."""
    if not is_room(room):
        raise ValueError(f"no room has the id {room!r}")
    if not owner:
        raise ValueError("an owner has a name")
    if not 0 <= floor < LARGEST_EPOCH:
        raise ValueError(f"no epoch is higher than {floor}")


class LocalDirectory:
    """A directory in memory, which the instances of one process share; `clock` counts seconds."""

    trouble = ""

    def __init__(self, *, lease_seconds: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease_seconds = lease_seconds
        self._leases: _Remembered[Lease] = _Remembered(clock)
        self._epochs: _Remembered[tuple[int, str]] = _Remembered(clock)
        """The newest epoch of a room and who held it last; nobody, if it was given back."""
        self._kept: _Remembered[bytes] = _Remembered(clock)
        self._instances: _Remembered[InstanceRecord] = _Remembered(clock)
        self._sessions: _Remembered[bytes] = _Remembered(clock)
        self._players: _Remembered[bytes] = _Remembered(clock)

    async def start(self) -> None:
        """There is nothing to be found."""

    async def close(self) -> None:
        """Others may still use it."""

    # ---- rooms ----

    async def claim(self, room: str, owner: str, *, floor: int = 0) -> Lease:
        checked(room, owner, floor)
        held = self._leases.get(room)
        if held is not None:
            return held
        return self._grant(Lease(room, owner, max(self._newest(room)[0], floor) + 1))

    async def renew(self, owner: str, leases: Sequence[tuple[str, int]]) -> list[bool]:
        return [self._renew(Lease(room, owner, epoch)) for room, epoch in leases]

    def _renew(self, lease: Lease) -> bool:
        if not can_hold(lease) or self._is_fenced(lease):
            return False
        self._grant(lease)
        return True

    async def release(self, lease: Lease) -> None:
        if self._leases.get(lease.room) == lease:
            self._leases.pop(lease.room)
            self._epochs.put(lease.room, (lease.epoch, ""), EPOCH_SECONDS)

    async def hand_over(self, lease: Lease, to: str) -> bool:
        checked(lease.room, to)
        held, wanted = self._leases.get(lease.room), lease._replace(owner=to)
        if held == lease:
            self._grant(wanted)
        return held in (lease, wanted)

    async def owner(self, room: str) -> Lease | None:
        return self._leases.get(room)

    async def keep(self, lease: Lease, checkpoint: bytes, seconds: float) -> bool:
        if not can_hold(lease) or self._is_fenced(lease):
            return False
        self._epochs.put(lease.room, (lease.epoch, lease.owner), EPOCH_SECONDS)
        self._kept.put(lease.room, checkpoint, seconds)
        return True

    async def kept(self, room: str) -> bytes | None:
        return self._kept.get(room)

    async def forget_room(self, lease: Lease) -> None:
        if can_hold(lease) and not self._is_fenced(lease):
            self._leases.pop(lease.room)
            self._kept.pop(lease.room)
            self._epochs.put(lease.room, (lease.epoch, ""), FORGOTTEN_SECONDS)

    def _newest(self, room: str) -> tuple[int, str]:
        return self._epochs.get(room) or (0, "")

    def _is_fenced(self, lease: Lease) -> bool:
        """Whether this was not the last holder of the newest epoch."""
        epoch, holder = self._newest(lease.room)
        return epoch > lease.epoch or (epoch == lease.epoch and holder != lease.owner)

    def _grant(self, lease: Lease) -> Lease:
        self._leases.put(lease.room, lease, self._lease_seconds)
        self._epochs.put(lease.room, (lease.epoch, lease.owner), EPOCH_SECONDS)
        return lease

    # ---- instances, sessions and players ----

    async def announce(self, record: InstanceRecord, seconds: float) -> None:
        self._instances.put(record.id, record, seconds)

    async def retire(self, instance: str) -> None:
        self._instances.pop(instance)

    async def instances(self) -> list[InstanceRecord]:
        return sorted(self._instances.values(), key=lambda record: record.id)

    async def put_sessions(self, sessions: Sequence[tuple[str, bytes]], seconds: float) -> None:
        for key, session in sessions:
            self._sessions.put(key, session, seconds)

    async def session(self, key: str) -> bytes | None:
        return self._sessions.get(key)

    async def take_session(self, key: str) -> bytes | None:
        return self._sessions.pop(key)

    async def drop_sessions(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._sessions.pop(key)

    async def put_players(self, players: Sequence[tuple[str, bytes]], seconds: float) -> None:
        for player_id, presence in players:
            self._players.put(player_id, presence, seconds)

    async def player(self, player_id: str) -> bytes | None:
        return self._players.get(player_id)

    async def drop_players(self, player_ids: Sequence[str]) -> None:
        for player_id in player_ids:
            self._players.pop(player_id)


class _Remembered(Generic[V]):
    """Values by key, each for as long as it is said when it is put."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._values: dict[str, tuple[float, V]] = {}
        self._next_sweep = clock() + SWEEP_SECONDS

    def put(self, key: str, value: V, seconds: float) -> None:
        now = self._clock()
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            self._values = {known: entry for known, entry in self._values.items() if entry[0] > now}
        self._values[key] = now + seconds, value

    def get(self, key: str) -> V | None:
        until, value = self._values.get(key, (0.0, None))
        return value if value is not None and until > self._clock() else None

    def pop(self, key: str) -> V | None:
        value = self.get(key)
        self._values.pop(key, None)
        return value

    def values(self) -> list[V]:
        now = self._clock()
        return [value for until, value in self._values.values() if until > now]
