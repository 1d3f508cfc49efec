"""The part of `/metrics` that is about what must last: the spool, what is shipped, the database.

Knows the counters of the archive; everything is read when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monkeytown.server.archive import Archive
from monkeytown.stores.metrics import SpoolMetrics

__all__ = ["ArchiveCollector"]

_COUNTERS: tuple[tuple[str, str, str], ...] = (
    ("appended", "records_appended", "Records of what must last that were taken in."),
    ("durable", "records_durable", "Records that are on this machine's disk."),
    ("stored", "records_stored", "Records that the database has."),
    ("repeated", "records_repeated", "Records that were handed to the database and were there already."),
    ("refused", "records_refused", "Records that the database will never take; they are in refused.jsonl."),
    ("fsyncs", "spool_fsyncs", "Times that the spool was put to disk."),
    ("fsync_seconds", "spool_fsync_seconds", "What the disk took for that."),
    ("write_errors", "spool_errors", "Times that the disk did not take what was to be kept."),
    ("torn", "spool_torn", "Half-written records that were cut off at a start."),
    ("damaged_bytes", "spool_damaged_bytes", "Bytes of the spool that were found unreadable and set aside."),
    ("outages", "database_outages", "Times that the database could not be reached."),
)


class ArchiveCollector(Collector):
    """Nothing at all for a server that keeps nothing."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def collect(self) -> Iterator[Metric]:
        spools, shipper = self._archive.spools, self._archive.shipper
        if spools is None or shipper is None:
            return
        metrics: SpoolMetrics = spools.metrics
        for attribute, name, text in _COUNTERS:
            counter = CounterMetricFamily(f"monkeytown_{name}", text)
            counter.add_metric((), getattr(metrics, attribute))
            yield counter
        dropped = CounterMetricFamily(
            "monkeytown_records_dropped",
            "Records that were not kept because the spool had no room for them.",
            labels=("kind",),
        )
        for kind, count in metrics.dropped.items():
            dropped.add_metric((kind,), count)
        yield dropped
        gauges = (
            ("spool_records", "Records that the database does not have yet.", shipper.lag_records),
            ("spool_lag_seconds", "The age of the oldest of them that is on its way.", shipper.lag_seconds),
            ("spool_bytes", "Bytes of the spool on disk and in memory.", spools.own.held_bytes),
            (
                "spool_failing",
                "1 while the disk of the spool takes nothing.",
                spools.own.failing_since is not None,
            ),
            ("spool_full", "1 while records are dropped because the spool is full.", spools.own.full),
            ("database_up", "1 while the database answers.", self._archive.down_since is None),
        )
        for name, text, value in gauges:
            yield GaugeMetricFamily(f"monkeytown_{name}", text, value=float(value))
