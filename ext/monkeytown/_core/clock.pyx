"""An alarm with absolute deadlines in nanoseconds of the monotonic clock.

Knows the kernel's timers, not ticks or rooms. The alarm is a file descriptor that becomes readable at its deadline, so any
event loop can wait for it; event loops' own timers round to milliseconds, which turns 60 Hz into 58.8. It is built on
timerfd; where there is none (macOS), `AVAILABLE` is false and `monkeytown.runtime.ticker` waits with the loop's timers.
"""

from libc.errno cimport errno
from libc.stdint cimport int64_t, uint64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from posix.unistd cimport close, read

cdef extern from * nogil:
    """
    #include <errno.h>
    #include <time.h>
    #ifdef __linux__
    #include <sys/timerfd.h>
    #define MT_HAS_TIMERFD 1
    static int mt_alarm_open(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }
    static int mt_alarm_set(int fd, struct timespec at) {
        struct itimerspec schedule = {{0, 0}, at};
        return timerfd_settime(fd, TFD_TIMER_ABSTIME, &schedule, NULL);
    }
    #else
    #define MT_HAS_TIMERFD 0
    static int mt_alarm_open(void) { errno = ENOSYS; return -1; }
    static int mt_alarm_set(int fd, struct timespec at) { (void) fd; (void) at; errno = ENOSYS; return -1; }
    #endif
    """
    const bint MT_HAS_TIMERFD
    int mt_alarm_open()
    int mt_alarm_set(int fd, timespec at)

AVAILABLE = bool(MT_HAS_TIMERFD)

cdef int64_t SECOND = 1000000000


def now() -> int:
    """Nanoseconds of the monotonic clock."""
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return <int64_t> t.tv_sec * SECOND + t.tv_nsec


cdef class Alarm:
    """One deadline at a time; setting another replaces it. One that has passed rings at once."""

    cdef int _fd

    def __cinit__(self):
        self._fd = -1

    def __init__(self) -> None:
        if self._fd >= 0:
            raise ValueError("the alarm is open already")
        self._fd = mt_alarm_open()
        if self._fd < 0:
            raise OSError(errno, "no timerfd here")

    def __dealloc__(self):
        if self._fd >= 0:
            close(self._fd)

    def fileno(self) -> int:
        return self._fd

    def set(self, int64_t deadline) -> None:
        """Rings at `deadline`, in nanoseconds of `now()`."""
        cdef timespec at
        if deadline <= 0:
            # A timerfd takes 0 for "never".
            deadline = 1
        at.tv_sec = deadline // SECOND
        at.tv_nsec = deadline % SECOND
        if mt_alarm_set(self._fd, at):
            raise OSError(errno, "the alarm could not be set")

    def silence(self) -> bool:
        """Takes note of a ring, so that the descriptor is no longer readable. False: it had not rung."""
        cdef uint64_t rings = 0
        return read(self._fd, &rings, sizeof(rings)) == sizeof(rings)

    def close(self) -> None:
        if self._fd >= 0:
            close(self._fd)
            self._fd = -1
