"""Threads that share the sends of a room with the thread of the event loop.

Knows ranges and threads; does not know clients or frames: `fanout` says what is done with a range.

The invariant that all of it rests on: clients and connections belong to the event loop's thread. It hands out ranges
that have no client in common, takes part, and comes back only when all of them are done; until then it runs nothing
else, so no client needs a lock, nobody joins, leaves or closes a socket meanwhile, and what the threads wrote is there
for it to read. What is not a client's own (scratch memory, counters) every lane has for itself.

Threads sleep when there is nothing to send. `close` joins them; after it, as in a child of fork() where there are none,
the caller sends alone.
"""

cimport cython
from libc.stdlib cimport free
from libc.string cimport memset
from posix.stdlib cimport posix_memalign
from posix.types cimport pid_t
from posix.unistd cimport getpid

from monkeytown._core.rows cimport grown

cdef extern from "senders.h" nogil:
    ctypedef struct Pool "mt_pool":
        int started
        pid_t process
    Pool* mt_pool_open(int threads)
    void mt_pool_close(Pool* pool)
    void mt_pool_run(Pool* pool, Work work, void* context, Py_ssize_t count, Py_ssize_t grain)
    const size_t MT_APART

MAX_THREADS = 64

cdef enum:
    # To wake a thread costs the caller what two or three sends do, and the thread comes later by some ten more: below
    # this, what it costs and what it saves are the same.
    ALONE = 32
    # Sends that one takes at a time: what all others may have to wait for at the end.
    GRAIN = 4


cdef class Senders:
    """`threads` beside the caller's own; 0: none. One for all rooms of an event loop, used from its thread only.

    Fewer receivers than `alone` are left to the caller.
    """

    def __init__(self, int threads=0, *, Py_ssize_t alone=ALONE) -> None:
        cdef void* lanes = NULL
        if self.lanes != NULL:
            raise ValueError("the threads are there already")
        if not 0 <= threads <= MAX_THREADS:
            raise ValueError(f"from 0 to {MAX_THREADS} threads")
        if posix_memalign(&lanes, MT_APART, (threads + 1) * sizeof(Lane)):
            raise MemoryError()
        self.lanes = <Lane*> lanes
        self.lane_count = threads + 1
        self._alone = alone
        memset(self.lanes, 0, self.lane_count * sizeof(Lane))
        if threads:
            self._pool = mt_pool_open(threads)
            if self._pool == NULL:
                raise OSError(f"{threads} threads are not to be had")

    def __dealloc__(self):
        cdef int i
        if self._pool != NULL:
            with nogil:
                mt_pool_close(<Pool*> self._pool)
        if self.lanes != NULL:
            for i in range(self.lane_count):
                free(self.lanes[i].scratch)
            free(self.lanes)

    @property
    def threads(self) -> int:
        """Threads that share the work, the caller's own not counted."""
        return (<Pool*> self._pool).started if self._shares() else 0

    def close(self) -> None:
        """Joins the threads."""
        cdef Pool* pool = <Pool*> self._pool
        self._pool = NULL
        if pool != NULL:
            with nogil:
                mt_pool_close(pool)

    @cython.nonecheck(False)
    cdef bint _shares(self) noexcept nogil:
        return self._pool != NULL and (<Pool*> self._pool).process == getpid()

    cdef int reserve(self, Py_ssize_t need) except -1:
        """So many bytes of scratch for every lane."""
        cdef int i
        if need <= self._scratch_capacity:
            return 0
        need += need // 2
        for i in range(self.lane_count):
            self.lanes[i].scratch = <unsigned char*> grown(self.lanes[i].scratch, need)
        self._scratch_capacity = need
        return 0

    @cython.nonecheck(False)
    cdef void run(self, Work work, void* context, Py_ssize_t count) noexcept nogil:
        """Has `work` done for all of [0, count); returns when it is."""
        if count < self._alone or not self._shares():
            work(context, 0, 0, count)
        else:
            self.barriers += 1
            mt_pool_run(<Pool*> self._pool, work, context, count, GRAIN)
