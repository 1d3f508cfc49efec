from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from monkeytown._core.fields cimport Field
from monkeytown._core.rows cimport Rows


# One column of integers on the wire's side. An array field has one of these per place, any other field one.
cdef struct Lane:
    int32_t *wire        # quantised values at the newest tick
    int32_t *step        # by how much they changed in it; NULL unless the field is linear
    int32_t *residual    # what differed from the prediction in it
    int32_t *stamp       # the tick of the newest correction of each value, counted from the table's origin
    bint corrected       # some residual of the newest tick is not zero


cdef class Column:
    cdef readonly Field field
    cdef Rows rows
    cdef object table            # lent out through the buffer protocol only while it is pinned
    cdef object target           # REF: the table its ids are looked up in
    cdef int32_t allocated
    cdef int count               # lanes; 0 for text and blobs
    cdef int itemsize
    cdef char *game              # lane after lane: double, int64_t or uint8_t as the field's storage says
    cdef Lane *lanes
    cdef list contents           # text and blobs: the game's values by slot
    cdef list sent               # text and blobs: what the wire has, as bytes by slot
    cdef set touched             # text and blobs: slots written since the last commit
    cdef int32_t *content_stamp
    cdef list corrected_slots    # text and blobs: the slots that changed in the newest tick, in order
    cdef readonly uint64_t bytes_encoded   # of this column in all state frames
    cdef Py_ssize_t shape[2]
    cdef Py_ssize_t strides[2]

    cdef int grow(self, int32_t allocated) except -1
    cdef char *at(self, int lane) noexcept
    cdef int clear_row(self, int32_t slot) except -1
    cdef int settle(self, int32_t slot) noexcept
    cdef int quantise(self, int lane, int32_t *fresh) except -1
    cdef int repair(self, int lane, int32_t *fresh) except -1
    cdef double repair_real(self, int32_t slot, double real) except? -1.0
    cdef int repair_integer(self, int32_t slot, int lane) except -1
    cdef int compare(self, int lane, const int32_t *fresh, int32_t stamp, int32_t *motion) noexcept
    cdef int commit_contents(self, int32_t stamp) except -1
    cdef int enter(self, int lane, int32_t slot, int32_t wire, int32_t stamp) noexcept
    cdef int rebase(self, int32_t shift) noexcept
    cdef object get(self, int32_t slot)
    cdef int put(self, int32_t slot, object value) except -1
    cdef object get_place(self, int32_t slot, int place)
    cdef int put_place(self, int32_t slot, int place, object value) except -1
    cdef object wire_value(self, int32_t slot, int lane)
    cdef int mirror(self, int32_t slot, int lane) except -1
    cdef int mirror_content(self, int32_t slot, bytes content) except -1


cdef class Places:
    cdef Column column
    cdef int32_t slot
    cdef uint32_t id

    cdef int place(self, Py_ssize_t index) except -1
