"""Where the time of a tick goes: laps of a stopwatch, kept in buckets.

Knows durations and the parts of a tick; not what is done in them, nor whose tick it is. A lap costs one look at the clock
and an addition: nothing is allocated, and nothing is put into buckets before the turn is over.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

cdef enum:
    BUCKET_COUNT = 15
    PART_COUNT = 7

PARTS = ("events", "on_input", "timers", "on_tick", "commit", "encode", "send")
"""The parts of a tick by number. The first is what came before it in a room without ticks; the others follow each other."""

EVENTS, ON_INPUT, TIMERS, ON_TICK, COMMIT, ENCODE, SEND = range(PART_COUNT)

BOUNDS = (
    10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 16_000_000, 25_000_000,
    50_000_000, 100_000_000, 250_000_000,
)
"""Upper ends of the buckets in nanoseconds; one more bucket has what is longer."""

cdef int64_t[BUCKET_COUNT] bounds
bounds[:] = BOUNDS


cdef class Histogram:
    """How often durations fell into each bucket, and what they came to."""

    cdef uint64_t _counts[BUCKET_COUNT + 1]
    cdef readonly int64_t sum        # nanoseconds

    @property
    def counts(self) -> tuple:
        """By bucket, not added up."""
        return tuple([self._counts[place] for place in range(BUCKET_COUNT + 1)])

    def observe(self, int64_t duration) -> None:
        """Counts a duration in nanoseconds."""
        self.put(duration)

    cdef void put(self, int64_t duration) noexcept:
        cdef int place = 0
        while place < BUCKET_COUNT and duration > bounds[place]:
            place += 1
        self._counts[place] += 1
        self.sum += duration


cdef class Timing:
    """What the ticks of one game took."""

    cdef readonly Histogram lateness     # from a tick's deadline to its start
    cdef readonly Histogram duration     # of a room's turn: all parts of a tick, of several if some were made up for
    cdef readonly tuple parts            # Histogram of each part's share of the turn
    cdef uint64_t _overruns[PART_COUNT]

    def __init__(self) -> None:
        self.lateness = Histogram()
        self.duration = Histogram()
        self.parts = tuple([Histogram() for _ in range(PART_COUNT)])

    @property
    def overruns(self) -> tuple:
        """Turns that took longer than they may, by the part that took most of them."""
        return tuple([self._overruns[part] for part in range(PART_COUNT)])


cdef class Stopwatch:
    """Measures the turns of one room. `now` gives nanoseconds; without it the monotonic clock does."""

    cdef readonly Timing timing
    cdef readonly int64_t taken          # nanoseconds of the turn that was finished last
    cdef object _now
    cdef int64_t _since
    cdef int64_t _spent[PART_COUNT]
    cdef unsigned _parts                 # which had a lap in this turn
    cdef int _longest

    def __init__(self, Timing timing not None, now=None) -> None:
        self.timing = timing
        self._now = now

    cdef int64_t read(self) except? -1:
        cdef timespec t
        if self._now is not None:
            return self._now()
        clock_gettime(CLOCK_MONOTONIC, &t)
        return <int64_t> t.tv_sec * 1000000000 + t.tv_nsec

    def start(self) -> None:
        """What was done since the last lap does not count."""
        self._since = self.read()

    def lap(self, int part) -> None:
        """The time since the last lap, or the start, went into this part."""
        cdef int64_t now = self.read()
        if not 0 <= part < PART_COUNT:
            raise ValueError(f"a tick has no part {part}")
        self._spent[part] += now - self._since
        self._since = now
        self._parts |= <unsigned> 1 << part

    def finish(self, int64_t lateness=-1) -> int:
        """The turn is over: puts it into the timing. Returns what it took in all; a negative lateness is none."""
        cdef int part
        self.taken = 0
        self._longest = 0
        for part in range(PART_COUNT):
            if self._parts >> part & 1:
                self.taken += self._spent[part]
                (<Histogram> self.timing.parts[part]).put(self._spent[part])
                if self._spent[part] > self._spent[self._longest]:
                    self._longest = part
        if self._parts:
            self.timing.duration.put(self.taken)
        if lateness >= 0:
            self.timing.lateness.put(lateness)
        self._parts = 0
        memset(self._spent, 0, sizeof(self._spent))
        return self.taken

    def blame(self) -> None:
        """The turn that was finished last was too long: counts it under the part that took most of it."""
        self.timing._overruns[self._longest] += 1
