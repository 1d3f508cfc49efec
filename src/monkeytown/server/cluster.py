"""How this instance becomes one of many: the cluster's parts from the settings.

Knows settings and the cluster by name. Without a Redis there is none, and everything stays in this process.
"""

from __future__ import annotations

import secrets
import socket

from monkeytown.cluster.bus import Bus
from monkeytown.cluster.cluster import Cluster
from monkeytown.cluster.directory import Directory
from monkeytown.cluster.node import Node, Times
from monkeytown.cluster.redisbus import RedisBus
from monkeytown.cluster.redisdirectory import RedisDirectory
from monkeytown.readers.websocket import Front
from monkeytown.runtime.host import Host
from monkeytown.runtime.sessions import Sessions
from monkeytown.server.settings import Settings

__all__ = ["bus_of", "cluster_of", "directory_of"]

ID_BYTES = 9


def directory_of(settings: Settings) -> Directory:
    """Who owns which room, in Redis."""
    url = settings.redis_url.get_secret_value()
    return RedisDirectory(url, prefix=settings.redis_prefix, lease_seconds=settings.lease_seconds)


def bus_of(settings: Settings, id: str = "") -> Bus:
    """The way from one instance to another, through Redis."""
    return RedisBus(settings.redis_url.get_secret_value(), prefix=settings.redis_prefix, name=id)


def cluster_of(settings: Settings, host: Host, sessions: Sessions, front: Front) -> Cluster | None:
    """This instance among others; None if there are none."""
    if not settings.redis_url.get_secret_value():
        return None
    id = secrets.token_urlsafe(ID_BYTES)
    times = Times(
        lease=settings.lease_seconds,
        renewal=settings.lease_seconds / 4,
        checkpoint=settings.failover_seconds,
        seat=settings.seat_seconds,
    )
    node = Node(
        id=id,
        name=settings.instance_name or f"{socket.gethostname()}:{settings.port}",
        host=host,
        sessions=sessions,
        directory=directory_of(settings),
        bus=bus_of(settings, id),
        secret=settings.secret.get_secret_value(),
        times=times,
    )
    return Cluster(node, host.keep, front.look, lambda: host.ticker.shedding.busy if host.rooms else 0.0)
