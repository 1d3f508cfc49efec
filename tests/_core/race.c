// The pool of senders.h under ThreadSanitizer: everything is done exactly once, and the caller sees that it is.
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "senders.h"

enum { CLIENTS = 1000, THREADS = 3, TICKS = 2000, POOLS = 20 };

typedef struct {
    long clients[CLIENTS];  // no lock: a range belongs to one thread
    long lanes[THREADS + 1][MT_APART / sizeof(long)];
} job;

static void work(void *context, int lane, ptrdiff_t first, ptrdiff_t end) {
    job *j = context;
    for (ptrdiff_t i = first; i < end; i++) {
        j->clients[i]++;
        j->lanes[lane][0]++;
    }
}

int main(void) {
    static job j;
    mt_pool *pool = mt_pool_open(THREADS);
    if (!pool) return 2;
    long expected = 0;
    for (int tick = 1; tick <= TICKS; tick++) {
        ptrdiff_t count = tick % 3 ? CLIENTS : tick % 40;
        mt_pool_run(pool, work, &j, count, 1 + tick % 7);
        expected += count;
        long sum = 0, lanes = 0;
        for (int i = 0; i < CLIENTS; i++) sum += j.clients[i];
        for (int i = 0; i <= THREADS; i++) lanes += j.lanes[i][0];
        if (sum != expected || lanes != expected) {
            fprintf(stderr, "tick %d: %ld and %ld of %ld\n", tick, sum, lanes, expected);
            return 1;
        }
        // The caller's turn: joins and leaves.
        memset(j.clients, 0, sizeof j.clients);
        j.clients[tick % CLIENTS] = expected;
    }
    mt_pool_close(pool);
    for (int i = 0; i < POOLS; i++) {
        if (!(pool = mt_pool_open(1 + i % THREADS))) return 2;
        if (i % 2) mt_pool_run(pool, work, &(job) {0}, CLIENTS, 1);
        mt_pool_close(pool);
    }
    return 0;
}
