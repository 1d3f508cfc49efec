from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from monkeytown._core.rows cimport Rows


cdef class Moment:
    cdef readonly int64_t tick
    cdef object entity
    cdef tuple fields              # those that are kept, in the order of their lanes below
    cdef dict read                 # memoryview by field name, made when first asked for
    cdef bint lent                 # somebody may hold it: its memory is not written to any more
    cdef int32_t extent
    cdef int32_t room              # rows that the memory has room for
    cdef uint32_t *ids_            # 0 where nobody was
    cdef int32_t *wire             # column after column, `room` values each

    cdef int hold(self, int64_t tick, tuple columns, Rows rows) except -1
    cdef object values(self, int place)
    cdef object value(self, str name, int32_t slot)


cdef class Ghost:
    cdef Moment moment
    cdef int32_t slot_


cdef class Past:
    cdef readonly int length       # commits that are kept
    cdef str table
    cdef object entity
    cdef tuple columns
    cdef tuple fields
    cdef list moments              # a ring
    cdef Py_ssize_t next           # where the next commit goes
    cdef Py_ssize_t count

    cdef Moment nth(self, Py_ssize_t age)
    cdef int keep(self, int64_t tick, Rows rows) except -1
    cdef Moment at(self, int64_t tick, bint clamp)
