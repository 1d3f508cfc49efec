from libc.stdint cimport int64_t, uint32_t

from monkeytown._core.sections cimport SectionWriter
from monkeytown._core.state cimport Table


cdef class TableWriter(SectionWriter):
    cdef bint put_gone(self, Table table, int64_t base) except -1
    cdef bint put_entered(self, Table table, int64_t base, bint all_rows) except -1
    cdef bint put_changed(self, Table table) except -1
    cdef bint put_corrections(self, Table table, int64_t base) except -1
    cdef int put_section(self, Table table, int number, int64_t base, bint snapshot, bint corrections) except -1
    cdef bytes frame(self, tuple tables, uint32_t epoch, int64_t base, int64_t tick, bint snapshot)


cdef TableWriter encoder

cdef int check_settled(Table table) except -1
