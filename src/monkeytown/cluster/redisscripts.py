"""What Redis does of `RedisDirectory` in one step: the rules of leases and epochs, in Lua.

Knows a room's three keys (its lease, its newest epoch, its checkpoint), which are in one slot of a cluster, and nothing of
how they are reached. Both a lease and the newest epoch are written as `epoch:owner`, where a newest epoch that was given
back has no owner; a checkpoint is written as `epoch:bytes`. Times are those of Redis.

They are written so that a Redis without memory still renews and lets go. PEXPIRE needs none; and whatever a script does first
decides whether Redis lets it do the rest, so what takes away comes before what adds, and a checkpoint before what is small.
"""

from __future__ import annotations

import hashlib

__all__ = ["ANNOUNCE", "CLAIM", "FORGET", "HAND_OVER", "KEEP", "RELEASE", "RENEW", "SOURCES"]

_ROOM = """
local lease_key, epoch_key, kept_key = KEYS[1], KEYS[2], KEYS[3]

local function read(key)
    local epoch, owner = string.match(redis.call('GET', key) or '', '^(%d+):(.*)$')
    return tonumber(epoch or '0'), owner
end

-- The newest epoch that is known, and who held it last. A checkpoint may tell of a newer one: keys can be evicted.
local function newest()
    local epoch, owner = read(epoch_key)
    local kept = tonumber(string.match(redis.call('GETRANGE', kept_key, 0, 20), '^(%d+):') or '0')
    if kept > epoch then return kept, nil end
    return epoch, owner
end

local function written(epoch, owner)
    return string.format('%.0f', epoch) .. ':' .. owner
end

-- Whether `owner` was not the last holder of the newest epoch.
local function is_fenced(owner, epoch)
    local held, holder = read(lease_key)
    if held > epoch or (held == epoch and holder ~= owner) then return true end
    local known, last = newest()
    return known > epoch or (known == epoch and last and last ~= owner)
end

local function grant(epoch, owner, lease_ms, epoch_ms)
    redis.call('SET', epoch_key, written(epoch, owner), 'PX', epoch_ms)
    redis.call('SET', lease_key, written(epoch, owner), 'PX', lease_ms)
end
"""


SOURCES: dict[str, str] = {}
"""By the hash that EVALSHA takes; a Redis that does not know it yet is sent the source."""


def _script(body: str, *, of_room: bool = True) -> str:
    source = (_ROOM if of_room else "") + body
    sha = hashlib.sha1(source.encode()).hexdigest()
    SOURCES[sha] = source
    return sha


CLAIM = _script("""
local owner, floor, lease_ms, epoch_ms = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local held, holder = read(lease_key)
if holder then return {held, holder} end
local epoch = math.max((newest()), floor) + 1
grant(epoch, owner, lease_ms, epoch_ms)
return {epoch, owner}
""")

RENEW = _script("""
local owner, epoch, lease_ms, epoch_ms = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
if is_fenced(owner, epoch) then return 0 end
local held, holder = read(lease_key)
if held == epoch and redis.call('PEXPIRE', epoch_key, epoch_ms) == 1 then
    redis.call('PEXPIRE', lease_key, lease_ms)
else
    grant(epoch, owner, lease_ms, epoch_ms)
end
return 1
""")

RELEASE = _script("""
local owner, epoch, epoch_ms = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local held, holder = read(lease_key)
if held ~= epoch or holder ~= owner then return 0 end
redis.call('DEL', lease_key)
redis.call('SET', epoch_key, written(epoch, ''), 'PX', epoch_ms)
return 1
""")

HAND_OVER = _script("""
local owner, epoch, to, lease_ms, epoch_ms = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local held, holder = read(lease_key)
if held ~= epoch or (holder ~= owner and holder ~= to) then return 0 end
if holder == owner then grant(epoch, to, lease_ms, epoch_ms) end
return 1
""")

KEEP = _script("""
local owner, epoch, checkpoint, kept_ms, epoch_ms = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
if is_fenced(owner, epoch) then return 0 end
redis.call('SET', kept_key, written(epoch, checkpoint), 'PX', kept_ms)
redis.call('SET', epoch_key, written(epoch, owner), 'PX', epoch_ms)
return 1
""")

FORGET = _script("""
local owner, epoch, forgotten_ms = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if is_fenced(owner, epoch) then return 0 end
redis.call('DEL', lease_key, kept_key)
redis.call('SET', epoch_key, written(epoch, ''), 'PX', forgotten_ms)
return 1
""")

ANNOUNCE = _script(
    """
local instances, id, ms = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', instances, '-inf', now)
redis.call('ZADD', instances, now + ms, id)
if redis.call('PTTL', instances) < ms then redis.call('PEXPIRE', instances, ms) end
return 1
""",
    of_room=False,
)
