from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t

from monkeytown._core.columns cimport Column
from monkeytown._core.fields cimport Field, Holder
from monkeytown._core.rows cimport Rows


# A row that is gone: who was there from when to when, so that a reader who stands between the two can be told.
cdef struct Tombstone:
    int32_t slot
    uint32_t id
    int64_t spawned
    int64_t gone


cdef class Table:
    cdef readonly str name
    cdef readonly object entity
    cdef readonly bint single
    cdef readonly bint has_private
    cdef Rows rows
    cdef readonly tuple columns
    cdef list handles              # Row by slot, made when first asked for
    cdef bint pinned               # memory was lent out: the arrays must no longer move
    cdef int32_t *fresh            # scratch for the quantised values of one lane
    cdef int64_t origin            # what stamps count from
    cdef readonly int64_t tick     # of the newest commit
    cdef readonly int64_t changed_tick      # newest tick in which anything was corrected, entered or gone
    cdef readonly int64_t changed_before    # the same without the newest tick
    cdef int64_t entered_tick      # newest tick in which a row entered
    cdef readonly bint moving      # some predicted value is in motion
    cdef set entered               # slots spawned since the last commit
    cdef list departed             # (slot, id, spawned tick) of rows gone since the last commit
    cdef Tombstone *tombstones     # oldest first
    cdef int32_t tombstone_count
    cdef int64_t forgotten         # who departed up to this tick is no longer all known
    cdef set reassigned            # owners whose rows changed hands since the last commit
    cdef list reassignments        # (tick, owner), oldest first
    cdef int64_t reassignments_forgotten
    cdef readonly uint64_t bytes_encoded     # of this table in all state frames: its columns, and which rows they are of

    cdef int grow(self, int32_t wanted) except -1
    cdef Row handle(self, int32_t slot)
    cdef int32_t slot_for(self, object key) except -1
    cdef int remove(self, int32_t slot) except -1
    cdef int32_t stamp_of(self, int64_t tick) noexcept
    cdef int64_t tick_of(self, int32_t stamp) noexcept
    cdef int rebase(self, int64_t tick) noexcept
    cdef int begin(self, int64_t tick) except -1
    cdef int finish(self, int64_t tick, bint changed, bint moving) except -1
    cdef int commit(self, int64_t tick) except -1
    cdef int bury(self, int64_t tick) except -1
    cdef int own(self, int32_t slot, int32_t owner) except -1
    cdef bint remembers(self, int64_t base) noexcept


cdef class Row(Holder):
    cdef Table table_
    cdef int32_t slot_
    cdef bint live
    cdef object __weakref__
