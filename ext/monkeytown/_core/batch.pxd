from libc.stdint cimport int32_t, int64_t, uint32_t

from monkeytown._core.arrays cimport Array
from monkeytown._core.inputs cimport Layout, Queue
from monkeytown._core.state cimport Row


cdef class Seat:
    cdef readonly int32_t number
    cdef public uint32_t input
    cdef public int64_t seen_tick
    cdef public Row entity
    cdef uint32_t noted            # `input`, as it was when somebody last looked whether it has changed
    cdef int64_t noted_at          # by what they count; 0: nobody has looked


cdef class Seats:
    cdef list taken                # Seat, in order of numbers
    cdef int32_t *numbers
    cdef Py_ssize_t capacity

    cdef Py_ssize_t place(self, int32_t number) noexcept
    cdef Seat find(self, int32_t number)


cdef class Batch:
    cdef Layout layout
    cdef Array players_
    cdef Array numbers_
    cdef Array ticks_
    cdef Array slots_
    cdef list senders              # Seat of each input
    cdef list columns              # Array by place of the field

    cdef int take(self, Queue queue, Seats seats, object absent) except -1
    cdef int make(self, Layout layout, Py_ssize_t most) except -1
    cdef int trim(self, Py_ssize_t count) noexcept
    cdef Array array_of(self, str name)
    cdef list arrays(self)
