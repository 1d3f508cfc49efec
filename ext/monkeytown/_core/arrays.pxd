cdef class Array:
    cdef char *data
    cdef Py_ssize_t count
    cdef Py_ssize_t itemsize
    cdef char format[2]
    cdef bint readonly
    cdef Py_ssize_t shape[1]
    cdef Py_ssize_t strides[1]


cdef class Source:
    cdef Py_buffer view
    cdef bint held
    cdef Py_ssize_t count


cdef Array new_array(char format, Py_ssize_t count)
cdef Array adopt_array(char format, Py_ssize_t count, void *data)
cdef Source read_doubles(object values, str name)
cdef Source read_flags(object values, str name)
cdef Source write_numbers(object values, str name, char format)
