from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from monkeytown._core.fields cimport Field, Holder, Kind

cdef enum:
    MAX_INPUT_FIELDS = 24
    MAX_INPUT_MESSAGE = 64    # docs/reference/wire.md, section 6


# What `Queue.push` answers; the front turns the negative ones into numbered errors.
cdef enum Pushed:
    PUSHED = 0
    MALFORMED = -3
    OTHER_SCHEMA = -4


cdef struct Slice:
    Kind kind
    int bits
    uint32_t largest
    double lo
    double step


cdef class Record(Holder):
    cdef double numbers[MAX_INPUT_FIELDS]


cdef class Layout:
    cdef readonly object input_class
    cdef readonly int hash
    cdef readonly int size        # bytes that the fields take
    cdef readonly dict places     # of the fields, by name
    cdef int count
    cdef Slice slices[MAX_INPUT_FIELDS]

    cdef int unpack(self, const uint8_t *source, double *numbers) noexcept
    cdef int squeeze(self, const double *numbers, uint8_t *out) noexcept
    cdef int read(
        self, const uint8_t *message, Py_ssize_t length, uint32_t *number, int64_t *acknowledged, double *numbers) noexcept


cdef struct Entry:
    int32_t player
    uint32_t number
    int64_t acknowledged
    double numbers[MAX_INPUT_FIELDS]


cdef class Queue:
    cdef readonly Layout layout
    cdef readonly int per_player
    cdef Entry *entries
    cdef Py_ssize_t count
    cdef Py_ssize_t capacity
    cdef int32_t *waiting         # by player: how many entries
    cdef Py_ssize_t players
    cdef uint32_t pushed_number
    cdef int64_t pushed_acknowledged
    cdef readonly int64_t dropped

    cdef Entry *place(self, int player) except NULL
    cdef Py_ssize_t take_entry(self, const uint8_t *message, Py_ssize_t length, Py_ssize_t at, Entry *entry) noexcept
    cdef int push(self, int player, const uint8_t *message, Py_ssize_t length) except -2
