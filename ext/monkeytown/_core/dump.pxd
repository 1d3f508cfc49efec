cdef enum:
    FORM = 1                     # goes up with every change of what is written
    MARK = 0x01020304            # as it stands in memory: on another kind of machine it is another number
