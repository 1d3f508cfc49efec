from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t


# Ids are generation * 2**20 + slot (docs/reference/wire.md, section 3).
cdef enum:
    SLOT_BITS = 20
    MAX_ROWS = 1 << 20
    MAX_GENERATION = 4095


cdef class Rows:
    cdef int32_t capacity
    cdef int32_t allocated       # rows that the arrays have room for
    cdef int32_t extent          # one more than the highest slot in use
    cdef int32_t size            # rows alive
    cdef int32_t lowest_free     # no free slot is below it
    cdef int32_t *mask           # -1 alive, 0 not
    cdef uint8_t *alive          # the same as booleans, for NumPy
    cdef uint16_t *generation
    cdef int32_t *spawned        # stamp of the commit that first showed the row; 0 until then
    cdef int32_t *owner          # number of the player that owns the row; 0 for none
    cdef int32_t *dirty          # nonzero: something that all may see was corrected in the newest tick
    cdef int32_t *hidden         # the same for what only owners may see

    cdef int grow(self, int32_t allocated) except -1
    cdef int32_t take(self) noexcept
    cdef int seat(self, int32_t slot, uint16_t generation) noexcept
    cdef int vacate(self, int32_t slot) noexcept
    cdef uint32_t id_of(self, int32_t slot) noexcept
    cdef int32_t slot_of(self, uint32_t id) noexcept


cdef void *grown(void *memory, size_t size) except NULL
cdef void *zeroed(size_t count, size_t itemsize) except NULL
cdef int resize(void **array, size_t itemsize, size_t old, size_t new) except -1
