"""Arrays: plain memory on its way between compiled code and whatever reads buffers, without a copy.

`Array` owns what it lends out, so memory that NumPy holds on to is never freed or written to under it. `Source` holds the
memory of somebody else while it is read or written to. Knows nothing of what the numbers mean.
"""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdlib cimport free, malloc
from libc.string cimport strcmp


cdef Py_ssize_t size_of(char format) noexcept:
    return 8 if format in (c"d", c"q") else 4 if format in (c"i", c"I") else 1


cdef Array new_array(char format, Py_ssize_t count):
    """`count` numbers of a format of the `struct` module; not initialised."""
    cdef void *data = malloc(max(count, <Py_ssize_t>1) * size_of(format))
    if data is NULL:
        raise MemoryError
    return adopt_array(format, count, data)


cdef Array adopt_array(char format, Py_ssize_t count, void *data):
    """The same around memory from malloc, which is the array's from now on."""
    cdef Array array = Array.__new__(Array)
    array.data = <char *>data
    array.count, array.itemsize = count, size_of(format)
    array.format[0], array.format[1] = format, 0
    return array


cdef class Array:
    """Numbers side by side. Handed out as a `memoryview`, which has what a sequence has."""

    def __dealloc__(self):
        free(self.data)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        if self.readonly and flags & PyBUF_WRITABLE:
            raise BufferError("the array is read-only")
        self.shape[0], self.strides[0] = self.count, self.itemsize
        buffer.buf = self.data
        buffer.obj = self
        buffer.len = self.count * self.itemsize
        buffer.readonly = self.readonly
        buffer.itemsize = self.itemsize
        buffer.format = self.format if flags & PyBUF_FORMAT else NULL
        buffer.ndim = 1
        buffer.shape = self.shape if flags & PyBUF_ND else NULL
        buffer.strides = self.strides if flags & PyBUF_STRIDES == PyBUF_STRIDES else NULL
        buffer.suboffsets = NULL
        buffer.internal = NULL


cdef class Source:
    """The memory of an argument, held until this object goes."""

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)


cdef Source hold(object values, int flags=PyBUF_FORMAT | PyBUF_ND):
    cdef Source source = Source.__new__(Source)
    PyObject_GetBuffer(values, &source.view, flags)
    source.held = True
    source.count = source.view.len // source.view.itemsize
    return source


cdef Source read_doubles(object values, str name):
    """One-dimensional, contiguous float64; TypeError if it is anything else."""
    cdef Source source
    try:
        source = hold(values)
    except (BufferError, ValueError) as error:
        raise TypeError(f"{name} is not contiguous float64: {error}") from error
    if source.view.ndim != 1 or source.view.format is NULL or source.view.itemsize != 8 or not (
            strcmp(source.view.format, b"d") == 0 or strcmp(source.view.format, b"@d") == 0):
        raise TypeError(f"{name} is one-dimensional float64, contiguous")
    return source


cdef Source read_flags(object values, str name):
    """One-dimensional, contiguous booleans or bytes; TypeError if it is anything else."""
    cdef Source source
    try:
        source = hold(values)
    except (BufferError, ValueError) as error:
        raise TypeError(f"{name} is not contiguous booleans: {error}") from error
    if source.view.ndim != 1 or source.view.itemsize != 1:
        raise TypeError(f"{name} is one-dimensional booleans, contiguous")
    return source


cdef bint same_numbers(const char *format, char wanted) noexcept:
    """Whether a buffer's numbers are those of a format of ours, which NumPy may call by another letter."""
    if format is NULL:
        return wanted == c"B"
    if format[0] == c"@":
        format += 1
    if format[0] == 0 or format[1] != 0:
        return False
    return format[0] == wanted or (wanted == c"q" and format[0] == c"l" and sizeof(long) == 8)


cdef Source write_numbers(object values, str name, char format):
    """One-dimensional, of these numbers, to be written to; TypeError if it is anything else."""
    cdef Source target
    try:
        target = hold(values, PyBUF_FORMAT | PyBUF_STRIDES | PyBUF_WRITABLE)
    except (BufferError, ValueError) as error:
        raise TypeError(f"{name} cannot be written to: {error}") from error
    if target.view.ndim != 1 or not same_numbers(target.view.format, format):
        kinds = {"d": "float64", "q": "int64", "?": "booleans", "B": "bytes"}
        raise TypeError(f"{name} is one-dimensional, of {kinds[chr(format)]}")
    return target
