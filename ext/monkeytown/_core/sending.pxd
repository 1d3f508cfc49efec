from libc.stdint cimport uint32_t, uint64_t

from monkeytown._core.connection cimport Client
from monkeytown._core.senders cimport Lane

# Cohorts that are not a group of readers at one position.
cdef enum:
    NOBODY = -1
    LEFT_OVER = -2
    # The kernel had no room for their state: what belongs behind it does not go out before it.
    REFUSED = -3


cdef struct Job:
    Client** clients
    const Py_ssize_t* slots
    Lane* lanes
    const unsigned char* frame
    Py_ssize_t length
    uint32_t epoch
    uint64_t tick
    double now
    int cohort


cdef void send_range(void* context, int number, Py_ssize_t first, Py_ssize_t end) noexcept nogil
