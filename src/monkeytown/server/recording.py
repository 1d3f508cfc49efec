"""The recordings of a server: made of its settings, and counted for `/metrics`.

Knows the data folder and the counters; not what is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monkeytown.readers.recordings import Recordings
from monkeytown.readers.replayfolder import RecordedReplay, ReplayFolder
from monkeytown.room.room import Room
from monkeytown.server.archive import Archive
from monkeytown.server.settings import Settings
from monkeytown.stores.known import KnownReplay

__all__ = ["RecordingsCollector", "recordings"]

FOLDER = "replays"
"""In the data folder."""


def recordings(settings: Settings, archive: Archive, is_private: Callable[[Room], bool]) -> Recordings:
    """Of a server, in its data folder; the archive has their index."""
    folder = ReplayFolder(
        settings.folder / FOLDER, keep_bytes=settings.replay_bytes, keep_days=settings.replay_days
    )
    return Recordings(
        folder,
        rate=settings.record_rate,
        finished=lambda replay: archive.index(_indexed(replay)),
        removed=archive.unindex,
        is_private=is_private,
    )


def _indexed(replay: RecordedReplay) -> KnownReplay:
    return KnownReplay(
        **{name: value for name, value in replay._asdict().items() if name in KnownReplay._fields}
    )


class RecordingsCollector(Collector):
    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings

    def collect(self) -> Iterator[Metric]:
        folder = self._recordings.folder
        yield GaugeMetricFamily(
            "monkeytown_recordings_open",
            "Rooms that are being recorded.",
            value=len(self._recordings.recorders),
        )
        for name, text, value in (
            ("recordings_finished", "Recordings that became files.", folder.finished),
            ("recordings_failed", "Recordings that ended because they could not be written.", folder.failed),
            ("recordings_bytes", "Bytes written to recordings.", folder.bytes_written),
        ):
            yield CounterMetricFamily(f"monkeytown_{name}", text, value=value)
