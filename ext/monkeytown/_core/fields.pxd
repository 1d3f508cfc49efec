from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t


cdef enum Kind:
    FIXED
    ANGLE
    UINT
    SINT
    BOOL
    ENUM
    REF
    TEXT
    BLOB


# How the game's side of a column is stored.
cdef enum Storage:
    REAL      # double
    INTEGER   # int64_t
    BYTE      # uint8_t
    OBJECT    # str or bytes, in a list


cdef class Field:
    cdef Kind kind
    cdef Storage storage
    cdef readonly str name
    cdef readonly str owner
    cdef readonly str type
    cdef readonly bint linear
    cdef readonly bint owner_only
    cdef readonly bint raises
    cdef readonly int bits
    cdef readonly int count
    cdef readonly double lo
    cdef readonly double hi
    cdef readonly double step
    cdef readonly int max
    cdef readonly tuple values
    cdef readonly object enum_class
    cdef readonly object target
    cdef readonly object default
    cdef readonly int index      # place among the fields of its class
    cdef double scale            # REAL: wire values per unit
    cdef double limit            # FIXED: the largest value, in wire values
    cdef int64_t int_lo          # INTEGER and BYTE: the range
    cdef int64_t int_hi
    cdef uint32_t largest        # the largest wire value as an unsigned number
    cdef dict lookup             # ENUM: what the game writes -> wire value
    cdef tuple members           # ENUM: wire value -> what the game reads

    cdef object refuse(self, object value, str why)
    cdef double real(self, object value) except? -1.0
    cdef int64_t integer(self, object value) except? -1
    cdef object content(self, object value)
    cdef int64_t real_to_wire(self, double value) noexcept
    cdef double wire_to_real(self, int32_t wire) noexcept
    cdef int64_t wire_to_integer(self, int32_t wire) noexcept
    cdef object integer_to_python(self, int64_t value)
    cdef object wire_to_python(self, int32_t wire)


cdef class Holder:
    cdef object read_field(self, Field field)
    cdef int write_field(self, Field field, object value) except -1
