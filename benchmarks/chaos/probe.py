"""What an operator sees of a server: its health ten times a second, its metrics when asked, and how large its spool is."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Answer", "Http", "Lateness", "Metrics", "Probe", "probing"]

INTERVAL = 0.1
PATIENCE = 10.0
LATENESS = "monkeytown_tick_lateness_seconds_bucket"


class Http:
    """A kept connection, for GET."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Http:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body."""
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        at = head.lower().index(b"content-length:") + 15
        body = await self._reader.readexactly(int(head[at : head.index(b"\r", at)]))
        return int(head[9:12]), body.decode()

    def close(self) -> None:
        self._writer.close()


class Lateness:
    """How often ticks began how late: upper limits of buckets in seconds, and how many were at or below each."""

    def __init__(self, buckets: Sequence[tuple[float, float]]) -> None:
        self.buckets = list(buckets)

    def __add__(self, other: Lateness) -> Lateness:
        both = zip(self.buckets, other.buckets, strict=True)
        return Lateness([(limit, one + two) for (limit, one), (_, two) in both])

    def __sub__(self, other: Lateness) -> Lateness:
        both = zip(self.buckets, other.buckets, strict=True)
        return Lateness([(limit, one - two) for (limit, one), (_, two) in both])

    @property
    def worst(self) -> float:
        """Milliseconds that no tick was later than: the limit of a bucket."""
        return 1000 * next(limit for limit, count in self.buckets if count >= self.buckets[-1][1])

    def quantile(self, share: float) -> float:
        """Milliseconds, as Prometheus' histogram_quantile has them: within a bucket it is taken to be even."""
        wanted, below, lower = share * self.buckets[-1][1], 0.0, 0.0
        for limit, count in self.buckets:
            if count >= wanted:
                part = (wanted - below) / (count - below) if count > below else 0.0
                return 1000 * (lower if limit == float("inf") else lower + part * (limit - lower))
            below, lower = count, limit
        raise AssertionError("there are no ticks")


class Metrics:
    """One answer of `/metrics`."""

    def __init__(self, text: str) -> None:
        self._samples: dict[str, float] = {}
        buckets = Counter[float]()  # of all games together
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == LATENESS:
                    buckets[float(sample.labels["le"])] += sample.value
                self._samples[sample.name] = self._samples.get(sample.name, 0.0) + sample.value
        self.lateness = Lateness(sorted(buckets.items()))

    def __getitem__(self, name: str) -> float:
        """A counter or gauge; of all labels together. 0 if there is none of that name yet."""
        return self._samples.get(f"monkeytown_{name}", 0.0)

    @classmethod
    async def of(cls, port: int) -> Metrics:
        http = await Http.open(port)
        try:
            status, text = await http.get("/metrics")
        finally:
            http.close()
        assert status == 200, text
        return cls(text)


@dataclass(frozen=True)
class Answer:
    """What `/health/ready` said, or `/health/live`; `asked` is the moment, `seconds` how long the answer took."""

    path: str
    asked: float
    seconds: float
    status: int


class Probe:
    """Asks a server how it is until cancelled."""

    def __init__(self, port: int, spool: Path) -> None:
        self.answers: list[Answer] = []
        self.spool_bytes = 0
        """At most so far, on disk."""
        self._port = port
        self._spool = spool

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        http = await Http.open(self._port)
        due = loop.time()
        try:
            while True:
                for path in ("live", "ready"):
                    await self._ask(http, path)
                self.spool_bytes = max(self.spool_bytes, _size(self._spool))
                due = max(due + INTERVAL, loop.time() - INTERVAL)
                await asyncio.sleep(due - loop.time())
        finally:
            http.close()

    def first(self, path: str, status: int, after: float) -> float:
        """Seconds after that moment at which this was first said; infinity if it never was."""
        return next(
            (
                answer.asked + answer.seconds - after
                for answer in self.answers
                if (answer.path, answer.status) == (path, status) and answer.asked >= after
            ),
            float("inf"),
        )

    async def _ask(self, http: Http, path: str) -> None:
        asked = time.monotonic()
        async with asyncio.timeout(PATIENCE):
            status, _ = await http.get(f"/health/{path}")
        self.answers.append(Answer(path, asked, time.monotonic() - asked, status))


@asynccontextmanager
async def probing(port: int, spool: Path) -> AsyncIterator[Probe]:
    """A probe while the block runs. Raises TimeoutError if the server once did not answer at all."""
    probe = Probe(port, spool)
    task = asyncio.create_task(probe.run())
    try:
        yield probe
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _size(spools: Path) -> int:
    """Bytes of all segments. They may go while this looks."""
    total = 0
    for segment in spools.glob("*/*.segment"):
        with suppress(FileNotFoundError):
            total += segment.stat().st_size
    return total
