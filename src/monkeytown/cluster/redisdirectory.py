"""A directory in Redis, which the instances of many machines share.

Knows keys and how values are written. The rules of leases are in `redisscripts`; connections and deadlines in `redisclient`.

Below the prefix, where ID is a room's id and every key has an end:

    room:{ID}:lease     `epoch:owner`, as long as the lease
    room:{ID}:epoch     `epoch:owner`, the newest and its last holder, a day
    room:{ID}:kept      `epoch:checkpoint`
    instances           a sorted set of instance ids by the millisecond in which they end
    instance:ID         an `InstanceRecord` as msgpack
    session:KEY, player:ID

The braces put the three of a room into one slot of a cluster. Whatever else is in an id, it cannot lead to another key.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from monkeytown.cluster import redisscripts as scripts
from monkeytown.cluster.directory import (
    EPOCH_SECONDS,
    FORGOTTEN_SECONDS,
    DirectoryDown,
    InstanceRecord,
    Lease,
    can_hold,
    checked,
    is_room,
)
from monkeytown.cluster.redisclient import Command, RedisClient
from monkeytown.errors import StartError

__all__ = ["RedisDirectory"]

# Of an id that is written as it is. Others are hashed, behind a character that is in none of these.
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
HASHED = "~"
_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{0,64}", re.ASCII)

log = structlog.get_logger()


class RedisDirectory:
    """A `Directory` in the Redis or Redis Cluster at `url`, whose keys begin with `prefix`.

    Raises `StartError` for an address or a prefix that cannot be used.
    """

    def __init__(self, url: str, *, prefix: str = "mt:", lease_seconds: float = 2.0) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise StartError(
                f"a prefix of Redis keys is up to 64 letters, digits and -_.: but not {prefix!r}"
            )
        self._redis = RedisClient(url)
        self._prefix = prefix
        self._lease_ms = _milliseconds(lease_seconds)
        self._epoch_ms = _milliseconds(EPOCH_SECONDS)
        self._instances = f"{prefix}instances"

    @property
    def trouble(self) -> str:
        return self._redis.trouble

    async def start(self) -> None:
        """Raises `StartError` if Redis cannot be reached, is too old, or does not permit all that is needed."""
        await self._redis.start()
        try:
            await self._try()
        except DirectoryDown as error:
            await self.close()
            raise StartError(str(error)) from error
        except BaseException:
            await self.close()
            raise

    async def _try(self) -> None:
        """All that is ever asked, of things that nobody has."""
        trial = f"trial-{secrets.token_urlsafe(12)}"
        lease = await self.claim(trial, trial)
        await self.renew(trial, [(trial, lease.epoch)])
        await self.keep(lease, b"", 1.0)
        await self.kept(trial)
        await self.hand_over(lease, trial)
        await self.forget_room(lease)
        await self._redis.ask(self._script(scripts.ANNOUNCE, [self._instances], trial, 1))
        await self.retire(trial)
        await self.instances()
        await self.put_sessions([(trial, b"")], 1.0)
        await self.take_session(trial)
        await self.put_players([(trial, b"")], 1.0)
        await self.drop_players([trial])

    async def close(self) -> None:
        await self._redis.close()

    # ---- rooms ----

    async def claim(self, room: str, owner: str, *, floor: int = 0) -> Lease:
        checked(room, owner, floor)
        (reply,) = await self._redis.ask(
            self._of_room(scripts.CLAIM, room, owner, floor, self._lease_ms, self._epoch_ms)
        )
        return Lease(room, reply[1].decode(), reply[0])

    async def renew(self, owner: str, leases: Sequence[tuple[str, int]]) -> list[bool]:
        asked = [Lease(room, owner, epoch) for room, epoch in leases]
        possible = [can_hold(lease) for lease in asked]
        replies = iter(
            await self._redis.ask(
                *(
                    self._of_lease(scripts.RENEW, lease, self._lease_ms, self._epoch_ms)
                    for lease, can_be in zip(asked, possible, strict=True)
                    if can_be
                )
            )
        )
        return [can_be and bool(next(replies)) for can_be in possible]

    async def release(self, lease: Lease) -> None:
        if can_hold(lease):
            await self._redis.ask(self._of_lease(scripts.RELEASE, lease, self._epoch_ms))

    async def hand_over(self, lease: Lease, to: str) -> bool:
        checked(lease.room, to)
        if not can_hold(lease):
            return False
        command = self._of_lease(scripts.HAND_OVER, lease, to, self._lease_ms, self._epoch_ms)
        (reply,) = await self._redis.ask(command)
        return bool(reply)

    async def owner(self, room: str) -> Lease | None:
        if not is_room(room):
            return None
        (reply,) = await self._redis.ask(("GET", self._room_key(room, "lease")))
        if reply is None:
            return None
        epoch, _, owner = reply.partition(b":")
        return Lease(room, owner.decode(), int(epoch))

    async def keep(self, lease: Lease, checkpoint: bytes, seconds: float) -> bool:
        if not can_hold(lease):
            return False
        times = _milliseconds(seconds), self._epoch_ms
        (reply,) = await self._redis.ask(self._of_lease(scripts.KEEP, lease, checkpoint, *times))
        return bool(reply)

    async def kept(self, room: str) -> bytes | None:
        if not is_room(room):
            return None
        (reply,) = await self._redis.ask(("GET", self._room_key(room, "kept")))
        return None if reply is None else reply.partition(b":")[2]

    async def forget_room(self, lease: Lease) -> None:
        if can_hold(lease):
            await self._redis.ask(self._of_lease(scripts.FORGET, lease, _milliseconds(FORGOTTEN_SECONDS)))

    # ---- instances ----

    async def announce(self, record: InstanceRecord, seconds: float) -> None:
        lasting = _milliseconds(seconds)
        await self._redis.ask(
            ("SET", self._key("instance", record.id), msgspec.msgpack.encode(record), "PX", lasting),
            self._script(scripts.ANNOUNCE, [self._instances], _plain(record.id), lasting),
        )

    async def retire(self, instance: str) -> None:
        await self._redis.ask(
            ("DEL", self._key("instance", instance)), ("ZREM", self._instances, _plain(instance))
        )

    async def instances(self) -> list[InstanceRecord]:
        (ids,) = await self._redis.ask(("ZRANGE", self._instances, 0, -1))
        replies = await self._redis.ask(
            *(("GET", f"{self._prefix}instance:{known.decode()}") for known in ids)
        )
        records = []
        for reply in replies:
            if reply is not None:  # it has ended, and its id is still in the set
                try:
                    records.append(msgspec.msgpack.decode(reply, type=InstanceRecord))
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    log.warning("an instance says of itself what is not understood here", error=str(error))
        return sorted(records, key=lambda record: record.id)

    # ---- sessions and players ----

    async def put_sessions(self, sessions: Sequence[tuple[str, bytes]], seconds: float) -> None:
        await self._put("session", sessions, seconds)

    async def session(self, key: str) -> bytes | None:
        return await self._get("GET", "session", key)

    async def take_session(self, key: str) -> bytes | None:
        return await self._get("GETDEL", "session", key)

    async def drop_sessions(self, keys: Sequence[str]) -> None:
        await self._drop("session", keys)

    async def put_players(self, players: Sequence[tuple[str, bytes]], seconds: float) -> None:
        await self._put("player", players, seconds)

    async def player(self, player_id: str) -> bytes | None:
        return await self._get("GET", "player", player_id)

    async def drop_players(self, player_ids: Sequence[str]) -> None:
        await self._drop("player", player_ids)

    async def _put(self, kind: str, values: Sequence[tuple[str, bytes]], seconds: float) -> None:
        lasting = _milliseconds(seconds)
        await self._redis.ask(*(("SET", self._key(kind, id_), value, "PX", lasting) for id_, value in values))

    async def _get(self, command: str, kind: str, id_: str) -> bytes | None:
        (reply,) = await self._redis.ask((command, self._key(kind, id_)))
        value: bytes | None = reply
        return value

    async def _drop(self, kind: str, ids: Sequence[str]) -> None:
        await self._redis.ask(*(("DEL", self._key(kind, id_)) for id_ in ids))

    # ---- keys and commands ----

    def _key(self, kind: str, id_: str) -> str:
        return f"{self._prefix}{kind}:{_plain(id_)}"

    def _room_key(self, room: str, part: str) -> str:
        return f"{self._prefix}room:{{{room}}}:{part}"

    def _of_room(self, script: str, room: str, *arguments: Any) -> Command:
        keys = [self._room_key(room, part) for part in ("lease", "epoch", "kept")]
        return self._script(script, keys, *arguments)

    def _of_lease(self, script: str, lease: Lease, *arguments: Any) -> Command:
        return self._of_room(script, lease.room, lease.owner, lease.epoch, *arguments)

    @staticmethod
    def _script(script: str, keys: list[str], *arguments: Any) -> Command:
        return ("EVALSHA", script, len(keys), *keys, *arguments)


def _plain(id_: str) -> str:
    """The id as a part of a key: no two ids are the same there."""
    if _PLAIN.fullmatch(id_):
        return id_
    return HASHED + hashlib.blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
