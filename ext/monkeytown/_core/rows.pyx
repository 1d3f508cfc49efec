"""Which slots of a table are in use: the allocator of slots and generations, and what is known of each row beside its fields.

Knows nothing of fields. Slots are given out lowest first, so that tables stay dense; a slot's generation goes up at each
use, so that an id never names two entities within 4,095 uses.
"""

from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset


cdef void *grown(void *memory, size_t size) except NULL:
    """Memory of another size; what was given stays valid when it fails."""
    memory = realloc(memory, size)
    if memory is NULL:
        raise MemoryError
    return memory


cdef void *zeroed(size_t count, size_t itemsize) except NULL:
    cdef void *memory = calloc(count, itemsize)
    if memory is NULL:
        raise MemoryError
    return memory


cdef int resize(void **array, size_t itemsize, size_t old, size_t new) except -1:
    """Grows an array and zeroes what is new. The old array stays valid when it fails."""
    array[0] = grown(array[0], itemsize * new)
    memset(<char *>array[0] + itemsize * old, 0, itemsize * (new - old))
    return 0


cdef class Rows:

    def __cinit__(self, int32_t capacity):
        self.capacity = capacity

    def __dealloc__(self):
        free(self.mask)
        free(self.alive)
        free(self.generation)
        free(self.spawned)
        free(self.owner)
        free(self.dirty)
        free(self.hidden)

    cdef int grow(self, int32_t allocated) except -1:
        cdef size_t old = self.allocated, new = allocated
        resize(<void **>&self.mask, sizeof(int32_t), old, new)
        resize(<void **>&self.alive, 1, old, new)
        resize(<void **>&self.generation, sizeof(uint16_t), old, new)
        resize(<void **>&self.spawned, sizeof(int32_t), old, new)
        resize(<void **>&self.owner, sizeof(int32_t), old, new)
        resize(<void **>&self.dirty, sizeof(int32_t), old, new)
        resize(<void **>&self.hidden, sizeof(int32_t), old, new)
        self.allocated = allocated
        return 0

    cdef int32_t take(self) noexcept:
        """The lowest free slot, now in use; -1 when the arrays are full."""
        cdef int32_t slot = self.lowest_free
        while slot < self.extent and self.mask[slot]:
            slot += 1
        if slot >= self.allocated:
            return -1
        self.seat(slot, self.generation[slot] % MAX_GENERATION + 1)
        self.lowest_free = slot + 1
        return slot

    cdef int seat(self, int32_t slot, uint16_t generation) noexcept:
        self.mask[slot] = -1
        self.alive[slot] = 1
        self.generation[slot] = generation
        self.spawned[slot] = 0
        self.owner[slot] = 0
        self.dirty[slot] = 0
        self.size += 1
        if slot >= self.extent:
            self.extent = slot + 1
        return 0

    cdef int vacate(self, int32_t slot) noexcept:
        self.mask[slot] = 0
        self.alive[slot] = 0
        self.owner[slot] = 0
        self.dirty[slot] = 0
        self.size -= 1
        if slot < self.lowest_free:
            self.lowest_free = slot
        while self.extent and not self.mask[self.extent - 1]:
            self.extent -= 1
        return 0

    cdef uint32_t id_of(self, int32_t slot) noexcept:
        return (<uint32_t>self.generation[slot] << SLOT_BITS) | <uint32_t>slot

    cdef int32_t slot_of(self, uint32_t id) noexcept:
        """The slot that an id names, or -1 if nobody of that id is alive."""
        cdef int32_t slot = id & (MAX_ROWS - 1)
        if slot >= self.extent or not self.mask[slot] or self.generation[slot] != id >> SLOT_BITS:
            return -1
        return slot
