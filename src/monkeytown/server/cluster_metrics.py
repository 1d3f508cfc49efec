"""The part of `/metrics` that is about the other instances: leases, mirrors, what travels and what was refused.

Knows the counters of the cluster; everything is read when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from monkeytown.cluster.cluster import Cluster

__all__ = ["ClusterCollector"]

_HAPPENED: tuple[tuple[str, str, str], ...] = (
    ("taken_over", "rooms_taken_over", "Rooms that go on here because their owner was gone."),
    (
        "handed_over",
        "rooms_handed_over",
        "Rooms that were handed to another instance while they were played.",
    ),
    ("fenced", "rooms_fenced", "Rooms of this instance that another one had taken."),
    (
        "doubts",
        "pauses",
        "Times that this process stood still for so long that it asked what is still its own.",
    ),
    ("entries_fenced", "records_fenced", "Records of rooms that were another instance's by then: not kept."),
    (
        "entries_not_kept",
        "records_in_limbo",
        "Records that were not kept because a lease was uncertain for too long.",
    ),
    (
        "sessions_recovered",
        "sessions_recovered",
        "Sessions that go on here from what was written down of them.",
    ),
    (
        "behind",
        "mirrors_behind",
        "Times that a mirror had missed a state and asked for what brings it to now.",
    ),
    ("stale", "states_stale", "Messages about a room from an instance that does not own it any more."),
    ("malformed_states", "states_malformed", "States of other instances that could not be read."),
    ("malformed_inputs", "relayed_inputs_malformed", "Inputs of other instances that could not be read."),
)

_TRAVELLED: tuple[tuple[str, str], ...] = (
    ("parcels_sent", "Messages on the bus that went out."),
    ("parcels_received", "Messages on the bus that came in."),
    ("bytes_sent", "Bytes of what went out."),
    ("resent", "Reliable items that were sent again."),
    ("broken_links", "Times that an instance was out of reach for so long that something was lost."),
)

_BUS: tuple[tuple[str, str], ...] = (
    ("dropped", "Messages that were too old to send by the time that they could have been."),
    ("reconnects", "Connections to Redis that were made anew."),
    ("deaf", "Subscriptions that were found to hear nothing."),
)


class ClusterCollector(Collector):
    """Nothing at all for an instance that is alone."""

    def __init__(self, cluster: Cluster | None) -> None:
        self._cluster = cluster

    def collect(self) -> Iterator[Metric]:
        cluster = self._cluster
        if cluster is None:
            return
        node = cluster.node
        about = {"id": node.id, "name": node.name}
        yield InfoMetricFamily("monkeytown_instance", "Which instance this is.", value=about)
        for name, text, value in (
            ("instances", "Instances that this one knows, itself included.", len(cluster.others) + 1),
            ("leases", "Rooms that this instance owns.", len(cluster.leases)),
            ("mirrors", "Rooms of other instances that are mirrored here.", len(cluster.mirrors)),
            ("bus_up", "1 while messages get through.", not node.bus.trouble),
            ("draining", "1 while this instance hands over what it has.", cluster.draining),
        ):
            yield GaugeMetricFamily(f"monkeytown_{name}", text, value=float(value))
        for counted, name, text in _HAPPENED:
            yield CounterMetricFamily(f"monkeytown_{name}", text, value=node.counters[counted])
        for name, text in _TRAVELLED:
            yield CounterMetricFamily(f"monkeytown_bus_{name}", text, value=getattr(node.courier, name))
        for name, text in _BUS:
            yield CounterMetricFamily(f"monkeytown_bus_{name}", text, value=getattr(node.bus, name, 0))
        refused = CounterMetricFamily(
            "monkeytown_bus_refused", "Messages on the bus that were refused.", labels=("reason",)
        )
        for reason, count in node.courier.refused.items():
            refused.add_metric((reason,), count)
        yield refused
