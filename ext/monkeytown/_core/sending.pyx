"""The loop of sends: what goes out to each client of a range, and what becomes of it.

Knows clients, sockets and one cohort's frame; not who is in which cohort (that is `fanout`), nor which thread runs it (that
is `senders`). Runs without the GIL.
"""

from libc.errno cimport errno

from monkeytown._core.connection cimport MT_SEND_FLAGS, c_send, would_block
from monkeytown._core.outgoing cimport nothing_planned, outgoing, sent

cdef extern from *:
    void prefetch "__builtin_prefetch" (const void* address, int write) noexcept nogil


cdef void send_range(void* context, int number, Py_ssize_t first, Py_ssize_t end) noexcept nogil:
    """The loop, on any thread. Who needs a transport keeps its cohort, for the caller."""
    cdef Job* job = <Job*> context
    cdef Lane* lane = &job.lanes[number]
    cdef Py_ssize_t i, n, done
    cdef Client* client
    cdef const unsigned char* data
    for i in range(first, end):
        client = job.clients[job.slots[i]]
        if i + 2 < end:
            # What the last tick has left of it is not in the processor's caches. It arrives while the kernel sends.
            prefetch(job.clients[job.slots[i + 2]], 1)
            prefetch(<const char*> job.clients[job.slots[i + 2]] + 64, 1)
        if client == NULL or client.cohort != job.cohort or nothing_planned(client, job.length):
            continue
        if client.fd < 0:
            lane.others += 1
            continue
        n = outgoing(client, job.frame, job.length, lane.scratch, &data)
        if data == job.frame:
            lane.shared += 1
        else:
            lane.staged += 1
        done = c_send(client.fd, data, n, MT_SEND_FLAGS)
        if 0 < done < n:
            lane.bytes_sent += done
            lane.partial += 1
            lane.others += 1
            client.partial = done
            continue
        client.cohort = NOBODY
        if done == n:
            lane.bytes_sent += n
            lane.count += 1
            sent(client, job.length != 0, job.epoch, job.tick)
        elif done < 0 and would_block(errno):
            lane.full += 1
            client.full = True
            client.cohort = REFUSED
            if client.held_since == 0:
                client.held_since = job.now
        else:
            client.broken = True
