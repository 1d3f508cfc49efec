"""One epoll set for the sockets of all players: a message costs a recv(), and no call from the event loop into Python.

Knows sockets by their numbers and readers by what they do with bytes. The set is itself a file descriptor, on which the event
loop waits. Where there is no epoll (macOS), `AVAILABLE` is false and transports read as they always do.

A slot is a place in the set. A socket's number may be given to the next connection as soon as it is closed, which takes it
out of the set; its old slot then waits, mute, until it is removed.
"""

from cpython.object cimport PyObject
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free
from posix.unistd cimport close

from monkeytown._core.frames cimport FrameReader, ReadBuffer
from monkeytown._core.rows cimport grown

cdef extern from * nogil:
    """
    #include <errno.h>
    #include <sys/socket.h>
    #ifdef __linux__
    #include <sys/epoll.h>
    #define MT_HAS_EPOLL 1
    static int mt_set_open(void) { return epoll_create1(EPOLL_CLOEXEC); }
    static int mt_set_add(int set, int fd, uint64_t slot) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = slot};
        return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    }
    static int mt_set_remove(int set, int fd) { return epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL); }
    static int mt_set_ready(int set, uint64_t *slots, int most) {
        struct epoll_event events[512];
        int count = epoll_wait(set, events, most < 512 ? most : 512, 0);
        for (int i = 0; i < count; i++) slots[i] = events[i].data.u64;
        return count;
    }
    #else
    #define MT_HAS_EPOLL 0
    static int mt_set_open(void) { errno = ENOSYS; return -1; }
    static int mt_set_add(int set, int fd, uint64_t slot) { (void) set; (void) fd; (void) slot; errno = ENOSYS; return -1; }
    static int mt_set_remove(int set, int fd) { (void) set; (void) fd; errno = ENOSYS; return -1; }
    static int mt_set_ready(int set, uint64_t *slots, int most) { (void) set; (void) slots; (void) most; return 0; }
    #endif
    """
    const bint MT_HAS_EPOLL
    int mt_set_open()
    int mt_set_add(int set, int fd, uint64_t slot)
    int mt_set_remove(int set, int fd)
    int mt_set_ready(int set, uint64_t* slots, int most)
    ssize_t c_recv "recv" (int fd, void* buffer, size_t length, int flags)
    const int MSG_DONTWAIT

AVAILABLE = bool(MT_HAS_EPOLL)

# Sockets looked at in one go; the others are still ready afterwards.
cdef enum:
    BATCH = 256
    # Readers who may end in one go: that takes much longer than to read what others say.
    ENDS = 16


cdef struct Place:
    PyObject* reader            # kept alive by `_readers`; NULL: nobody
    int fd


cdef class Intake:
    """Reads the sockets that are in it, for readers that share one buffer."""

    cdef int _set
    cdef ReadBuffer _shared
    cdef Place* _places         # by slot
    cdef Py_ssize_t _capacity
    cdef list _readers          # by slot, or None
    cdef list _free
    cdef dict _slots            # by socket's number: who has it now

    def __init__(self, ReadBuffer shared not None) -> None:
        self._shared = shared
        self._readers, self._free, self._slots = [], [], {}
        self._set = mt_set_open()
        if self._set < 0:
            raise OSError(errno, "there is no epoll set to be had")

    def __dealloc__(self):
        if self._set > 0:
            close(self._set)
        free(self._places)

    def __len__(self) -> int:
        return len(self._readers) - len(self._free)

    def fileno(self) -> int:
        """Readable when some socket in the set is."""
        return self._set

    def add(self, FrameReader reader not None, int fd) -> int:
        """From now on the socket is read here, and nowhere else. Returns its slot."""
        cdef uint64_t slot
        if self._free:
            slot = self._free.pop()
        else:
            slot = len(self._readers)
            if <Py_ssize_t> slot == self._capacity:
                self._capacity = max(64, 2 * self._capacity)
                self._places = <Place*> grown(self._places, self._capacity * sizeof(Place))
            self._places[slot] = Place(NULL, -1)
            self._readers.append(None)
        if mt_set_add(self._set, fd, slot) < 0:
            self._free.append(slot)
            raise OSError(errno, f"socket {fd} cannot be waited for")
        self._readers[slot] = reader
        self._places[slot] = Place(<PyObject*> reader, fd)
        self._slots[fd] = slot
        return slot

    def remove(self, int64_t slot) -> None:
        """The socket is read no more; nothing happens if it was removed already."""
        cdef int fd
        if not 0 <= slot < len(self._readers) or self._readers[slot] is None:
            return
        fd = self._places[slot].fd
        self._places[slot] = Place(NULL, -1)
        self._readers[slot] = None
        self._free.append(slot)
        if self._slots.get(fd) == slot:
            # It fails if the socket is closed, and then it is out of the set already.
            mt_set_remove(self._set, fd)
            del self._slots[fd]

    def run(self, int most=BATCH) -> int:
        """Reads every socket that is ready, or `most` of them, once, and gives its reader what came; fewer if many end.

        Returns how many were ready. Those that were not looked at come first the next time.
        """
        cdef uint64_t slots[BATCH]
        cdef int count, i
        cdef Place place
        cdef Py_ssize_t free_before = len(self._free)
        most = min(max(most, 1), BATCH)
        with nogil:
            count = mt_set_ready(self._set, slots, most)
        for i in range(count):
            place = self._places[slots[i]]
            if place.reader != NULL:
                self._read(<FrameReader> place.reader, place.fd, slots[i])
                if len(self._free) >= free_before + ENDS:
                    break
        return max(count, 0)

    cdef int _read(self, FrameReader reader, int fd, int64_t slot) except -1:
        cdef ssize_t length = c_recv(fd, self._shared._start, self._shared._size, MSG_DONTWAIT)
        try:
            if length > 0:
                reader._received(length)
            elif length == 0:
                self.remove(slot)
                reader.reading_ended()
            elif errno != EAGAIN and errno != EINTR:
                self.remove(slot)
                reader.reading_failed(OSError(errno, "the connection is lost"))
        except Exception as error:
            # One reader's trouble is not the others': as a transport would, it ends that connection.
            self.remove(slot)
            reader.reading_failed(error)
        return 0
