"""Fields: what one attribute of an entity or an input may hold, and how it becomes an integer on the wire.

A `Field` is a descriptor. What it reads from and writes to is a `Holder` (a row of a table, an input record), of which this
module knows only that it can be read and written.
"""

from operator import index

from libc.math cimport INFINITY, M_PI, isnan, rint

from monkeytown.errors import FieldError, SchemaError

cdef extern from "kernels.h" nogil:
    double MT_ROUND_LIMIT
    int32_t mt_wrap(uint32_t value, unsigned bits)

cdef dict KINDS = {
    "fixed": FIXED, "angle": ANGLE, "uint": UINT, "sint": SINT, "bool": BOOL, "enum": ENUM, "ref": REF,
    "text": TEXT, "blob": BLOB,
}


cdef class Holder:
    """Something with fields. Rows and input records derive from it."""

    cdef object read_field(self, Field field):
        raise NotImplementedError

    cdef int write_field(self, Field field, object value) except -1:
        raise NotImplementedError


cdef class Field:
    """One attribute of an entity or an input. Made by the functions of `monkeytown.schema`, which document the parameters."""

    def __init__(
        self, str type not None, *, double lo=0, double hi=0, double step=1, int bits=0, int max=0, int count=0,
        values=(), enum_class=None, target=None, predict="hold", overflow="clamp", bint owner_only=False, default=None,
    ):
        if type not in KINDS:
            raise SchemaError(f"there is no field type {type!r}")
        if predict not in ("hold", "linear"):
            raise SchemaError(f"predict is 'hold' or 'linear', not {predict!r}")
        if overflow not in ("clamp", "raise"):
            raise SchemaError(f"overflow is 'clamp' or 'raise', not {overflow!r}")
        self.kind = KINDS[type]
        self.type = type
        self.name = ""
        self.owner = ""
        self.linear = predict == "linear"
        self.raises = overflow == "raise"
        self.owner_only = owner_only
        self.count = count
        self.bits = bits
        self.max = max
        self.lo, self.hi, self.step = lo, hi, step
        self.values = tuple(values)
        self.enum_class = enum_class
        self.target = target
        self.index = -1
        self.measure()
        if self.linear and self.kind not in (FIXED, ANGLE, UINT, SINT):
            raise SchemaError(f"a {type} cannot be predicted: predict='linear' is for numbers")
        if self.linear and owner_only:
            raise SchemaError("an owner_only field cannot be predicted")
        self.default = self.initial(default)

    def measure(self):
        """Fills in what follows from the parameters."""
        if self.kind == FIXED:
            self.storage = REAL
            if not (self.hi > self.lo and self.step > 0) or self.hi - self.lo == INFINITY:
                raise SchemaError("fixed(lo, hi, step) needs lo < hi and step > 0, all finite")
            self.scale = 1.0 / self.step
            self.limit = (self.hi - self.lo) * self.scale
            if not rint(self.limit) < 2147483648.0:
                raise SchemaError("fixed(lo, hi, step) has more than 2**31 steps")
            self.largest = <uint32_t>rint(self.limit)
            self.bits = int(self.largest).bit_length() or 1
        elif self.kind == ANGLE:
            self.storage = REAL
            self.check_bits(31)
            self.scale = <double>(<int64_t>1 << self.bits) / (2 * M_PI)
            self.largest = (1u << self.bits) - 1
        elif self.kind in (UINT, REF):
            self.storage = INTEGER
            if self.kind == REF:
                self.bits = 32
            self.check_bits(32)
            self.int_hi = (<int64_t>1 << self.bits) - 1
            self.largest = <uint32_t>self.int_hi
        elif self.kind == SINT:
            self.storage = INTEGER
            self.check_bits(32)
            self.int_lo = -(<int64_t>1 << (self.bits - 1))
            self.int_hi = -self.int_lo - 1
            self.largest = <uint32_t>((<int64_t>1 << self.bits) - 1)
        elif self.kind == BOOL:
            self.storage = BYTE
            self.bits = 1
            self.int_hi = self.largest = 1
        elif self.kind == ENUM:
            self.storage = BYTE
            self.measure_enum()
        else:
            self.storage = OBJECT
            if not 1 <= self.max <= 65535:
                raise SchemaError(f"{self.type}(max) takes 1 to 65535")

    def check_bits(self, int most):
        if not 1 <= self.bits <= most:
            raise SchemaError(f"{self.type}(bits) takes 1 to {most}")

    def measure_enum(self):
        if self.enum_class is not None:
            self.members = tuple(self.enum_class)
            self.values = tuple(member.name for member in self.members)
        else:
            self.members = self.values
        if not 1 <= len(self.values) <= 256 or len(set(self.values)) != len(self.values):
            raise SchemaError("enum takes 1 to 256 different names")
        if not all(isinstance(value, str) for value in self.values):
            raise SchemaError("enum takes names, or one Enum class")
        self.lookup = {member: place for place, member in enumerate(self.members)}
        if self.enum_class is not None:
            self.lookup.update({name: place for place, name in enumerate(self.values)})
        self.bits = (len(self.values) - 1).bit_length() or 1
        self.int_hi = self.largest = len(self.values) - 1

    def initial(self, default):
        """The value of a new row: what was asked for, else 0 (or the nearest that fits), empty, or none."""
        if self.kind == TEXT:
            return self.content("" if default is None else default)
        if self.kind == BLOB:
            return self.content(b"" if default is None else default)
        if self.kind == REF:
            if default is not None:
                raise SchemaError("a ref has no default")
            return None
        if default is not None:
            if self.storage == REAL:
                return self.real(default)
            return self.integer_to_python(self.integer(default))
        if self.kind == FIXED:
            return min(max(0.0, self.lo), self.hi)
        if self.kind == ANGLE:
            return 0.0
        return self.integer_to_python(0)

    def __set_name__(self, owner, name):
        if not self.name:
            self.name = name
            self.owner = owner.__name__

    def __get__(self, holder, owner):
        if holder is None:
            return self
        return (<Holder?>holder).read_field(self)

    def __set__(self, holder, value):
        (<Holder?>holder).write_field(self, value)

    def __repr__(self):
        return f"<{self.type} field {self.owner}.{self.name}>"

    def bind(self, str owner not None, str name not None, int place):
        """Called once by the class that the field belongs to."""
        self.owner, self.name, self.index = owner, name, place

    def repeated(self, int count):
        """The same field as an array of `count` places."""
        return Field(
            self.type, lo=self.lo, hi=self.hi, step=self.step, bits=self.bits, count=count, values=self.values,
            enum_class=self.enum_class, target=self.target, predict="linear" if self.linear else "hold",
            overflow="raise" if self.raises else "clamp", owner_only=self.owner_only, default=self.default)

    cdef object refuse(self, object value, str why):
        raise FieldError(f"{self.owner}.{self.name} cannot be {value!r}: {why}")

    cdef double real(self, object value) except? -1.0:
        """A game value from Python: never NaN, clamped or refused as the field says."""
        cdef double number = value
        if isnan(number):
            self.refuse(value, "it is not a number")
        if self.kind == ANGLE:
            if not -MT_ROUND_LIMIT < number * self.scale < MT_ROUND_LIMIT:
                self.refuse(value, "the angle is too large")
            return number
        if number < self.lo or number > self.hi:
            if self.raises:
                self.refuse(value, f"it goes from {self.lo:g} to {self.hi:g}")
            return self.lo if number < self.lo else self.hi
        return number

    cdef int64_t integer(self, object value) except? -1:
        if self.kind == ENUM:
            place = self.lookup.get(value)
            if place is None:
                self.refuse(value, f"it is one of {', '.join(self.values)}")
            return place
        if self.kind == BOOL:
            return 1 if value else 0
        try:
            number = index(value)
        except TypeError:
            self.refuse(value, "it is a whole number")
        if number < self.int_lo or number > self.int_hi:
            if self.raises:
                self.refuse(value, f"it goes from {self.int_lo} to {self.int_hi}")
            return self.int_lo if number < self.int_lo else self.int_hi
        return number

    cdef object content(self, object value):
        """A text or blob, cut or refused at its maximum."""
        wanted = str if self.kind == TEXT else bytes
        if not isinstance(value, wanted):
            self.refuse(value, f"it is a {wanted.__name__}")
        if self.kind == TEXT and not value.isascii():
            # A lone surrogate has no UTF-8; refused here, where the line in the game is still known.
            try:
                value.encode()
            except UnicodeEncodeError:
                self.refuse(value, "it has no UTF-8 form")
        if len(value) > self.max:
            if self.raises:
                self.refuse(value, f"its length is at most {self.max}")
            return value[:self.max]
        return value

    cdef int64_t real_to_wire(self, double value) noexcept:
        """The wire value of a game value that `real` has let through."""
        if self.kind == ANGLE:
            return <int64_t>rint(value * self.scale) & self.largest
        return <int64_t>rint((value - self.lo) * self.scale)

    cdef double wire_to_real(self, int32_t wire) noexcept:
        if self.kind == ANGLE:
            return wire / self.scale
        return self.lo + wire * self.step

    cdef int64_t wire_to_integer(self, int32_t wire) noexcept:
        if self.kind == SINT:
            return wire
        return <uint32_t>wire

    cdef object integer_to_python(self, int64_t value):
        if self.kind == BOOL:
            return value != 0
        if self.kind == ENUM:
            return self.members[value]
        return value

    cdef object wire_to_python(self, int32_t wire):
        if self.storage == REAL:
            return self.wire_to_real(wire)
        return self.integer_to_python(self.wire_to_integer(wire))
