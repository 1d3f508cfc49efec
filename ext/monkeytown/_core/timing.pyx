"""Where the time of a tick goes: laps of a stopwatch, kept in buckets.

Knows durations and the parts of a tick; not what is done in them, nor whose tick it is. A lap costs one look at the clock
and an addition. What a turn took is noted in one line of memory: after a thousand sends nothing of ours is in the
processor's caches, so the buckets are touched for many turns at a time, or when somebody asks.
"""

from libc.stdint cimport int64_t, uint64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

cdef enum:
    BUCKET_COUNT = 15
    PART_COUNT = 7
    NOTED = 64                  # turns
    NONE = -1                   # instead of a duration

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


cdef struct Turn:
    int64_t lateness
    int64_t spent[PART_COUNT]


cdef class Timing:
    """What the ticks of one game took."""

    cdef Histogram _lateness
    cdef Histogram _duration
    cdef tuple _parts
    cdef uint64_t _overruns[PART_COUNT]
    cdef Turn _noted[NOTED]
    cdef int _count

    def __init__(self) -> None:
        self._lateness = Histogram()
        self._duration = Histogram()
        self._parts = tuple([Histogram() for _ in range(PART_COUNT)])

    @property
    def lateness(self) -> Histogram:
        """From a tick's deadline to its start."""
        self.settle()
        return self._lateness

    @property
    def duration(self) -> Histogram:
        """Of a room's turn: all parts of a tick, of several if some were made up for."""
        self.settle()
        return self._duration

    @property
    def parts(self) -> tuple:
        """A histogram of each part's share of the turn."""
        self.settle()
        return self._parts

    cdef Turn* new_turn(self) noexcept:
        """Where the next turn is noted."""
        if self._count == NOTED:
            self.settle()
        self._count += 1
        return &self._noted[self._count - 1]

    cdef void settle(self) noexcept:
        """Puts what is noted into the buckets."""
        cdef int place, part
        cdef int64_t taken
        for place in range(self._count):
            taken = NONE
            for part in range(PART_COUNT):
                if self._noted[place].spent[part] != NONE:
                    (<Histogram> self._parts[part]).put(self._noted[place].spent[part])
                    taken = self._noted[place].spent[part] + (0 if taken == NONE else taken)
            if taken != NONE:
                self._duration.put(taken)
            if self._noted[place].lateness >= 0:
                self._lateness.put(self._noted[place].lateness)
        self._count = 0

    @property
    def overruns(self) -> tuple:
        """Turns that took longer than they may, by the part that took most of them."""
        return tuple([self._overruns[part] for part in range(PART_COUNT)])


cdef class Course:
    """The time that the stopwatches of one thread measure, one after another: each lap begins where the last one ended,
    whosever it was. `now` gives nanoseconds; without it the monotonic clock does.
    """

    cdef object _now
    cdef int64_t since

    def __init__(self, now=None) -> None:
        self._now = now

    cdef int64_t read(self) except? -1:
        cdef timespec t
        if self._now is not None:
            return self._now()
        clock_gettime(CLOCK_MONOTONIC, &t)
        return <int64_t> t.tv_sec * 1000000000 + t.tv_nsec

    def start(self) -> None:
        """What was done since the last lap is nobody's."""
        self.since = self.read()


cdef class Stopwatch:
    """Measures the turns of one room."""

    cdef readonly Timing timing
    cdef readonly int64_t taken          # nanoseconds of the turn that was finished last
    cdef Course _course
    cdef int64_t _spent[PART_COUNT]
    cdef unsigned _parts                 # which had a lap in this turn
    cdef int _longest

    def __init__(self, Timing timing not None, Course course not None) -> None:
        self.timing = timing
        self._course = course

    def lap(self, int part) -> None:
        """The time since the last lap, or the start, went into this part."""
        cdef int64_t now
        if not 0 <= part < PART_COUNT:
            raise ValueError(f"a tick has no part {part}")
        now = self._course.read()
        self._spent[part] += now - self._course.since
        self._course.since = now
        self._parts |= <unsigned> 1 << part

    def finish(self, int64_t lateness=-1) -> int:
        """The turn is over: notes it. Returns what it took in all; a negative lateness is none."""
        cdef Turn* turn = self.timing.new_turn()
        cdef int part
        cdef int64_t most = 0
        turn.lateness = lateness
        self.taken = 0
        self._longest = 0
        for part in range(PART_COUNT):
            turn.spent[part] = self._spent[part] if self._parts >> part & 1 else NONE
            self.taken += self._spent[part]
            if self._spent[part] > most:
                most = self._spent[part]
                self._longest = part
            self._spent[part] = 0
        self._parts = 0
        return self.taken

    def blame(self) -> None:
        """The turn that was finished last was too long: counts it under the part that took most of it."""
        self.timing._overruns[self._longest] += 1
