// A pool of threads that share out ranges of one piece of work with the thread that has it, and know nothing of it.
//
// The caller hands out, takes part, and does not return before every range is done: while the others work it does
// nothing else. A thread that wakes too late finds the work closed and goes back to sleep; nobody waits for it.
// No thread holds or needs the GIL. All signals are blocked in them, so they stay Python's.
#ifndef MONKEYTOWN_SENDERS_H
#define MONKEYTOWN_SENDERS_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

// What different threads write stands so far apart (two lines of 64 bytes are fetched as one; Apple's have 128).
#define MT_APART 128

// How often the caller looks whether the last range is done before it blocks: about 20 us, the time of a few sends.
#define MT_LOOKS 4000

#if defined(__x86_64__) || defined(__i386__)
#define mt_pause() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define mt_pause() __asm__ __volatile__("yield")
#else
#define mt_pause() ((void) 0)
#endif

typedef void (*mt_work)(void *context, int lane, ptrdiff_t first, ptrdiff_t end);

typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
    // Under the mutex.
    mt_work work;
    void *context;
    ptrdiff_t count, grain;
    uint64_t turn;  // counts the pieces of work, so that nobody takes part in one twice
    int open, stop, started, begun;
    pthread_t *threads;
    pid_t process;
    _Alignas(MT_APART) atomic_ptrdiff_t next;  // the first that nobody has taken
    _Alignas(MT_APART) atomic_int active;      // threads that take part now; written under the mutex
} mt_pool;

static void mt_pool_take_part(mt_pool *pool, int lane, mt_work work, void *context, ptrdiff_t count, ptrdiff_t grain) {
    ptrdiff_t first;
    while ((first = atomic_fetch_add_explicit(&pool->next, grain, memory_order_relaxed)) < count)
        work(context, lane, first, first + grain < count ? first + grain : count);
}

static void *mt_pool_thread(void *argument) {
    mt_pool *pool = argument;
    uint64_t seen = 0;
#ifdef __linux__
    pthread_setname_np(pthread_self(), "mt-sender");
#endif
    pthread_mutex_lock(&pool->mutex);
    int lane = ++pool->begun;
    for (;;) {
        while (!pool->stop && (!pool->open || pool->turn == seen)) pthread_cond_wait(&pool->wake, &pool->mutex);
        if (pool->stop) break;
        seen = pool->turn;
        mt_work work = pool->work;
        void *context = pool->context;
        ptrdiff_t count = pool->count, grain = pool->grain;
        atomic_fetch_add(&pool->active, 1);
        pthread_mutex_unlock(&pool->mutex);
        mt_pool_take_part(pool, lane, work, context, count, grain);
        pthread_mutex_lock(&pool->mutex);
        if (atomic_fetch_sub(&pool->active, 1) == 1 && !pool->open) pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

// Joins the threads. In a child of fork() there are none: only the memory is given back.
static void mt_pool_close(mt_pool *pool) {
    if (pool->process == getpid()) {
        pthread_mutex_lock(&pool->mutex);
        pool->stop = 1;
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->mutex);
        for (int i = 0; i < pool->started; i++) pthread_join(pool->threads[i], NULL);
        pthread_cond_destroy(&pool->wake);
        pthread_cond_destroy(&pool->done);
        pthread_mutex_destroy(&pool->mutex);
    }
    free(pool->threads);
    free(pool);
}

// NULL: no memory or no threads to be had.
static mt_pool *mt_pool_open(int threads) {
    mt_pool *pool = NULL;
    if (posix_memalign((void **) &pool, MT_APART, sizeof(mt_pool))) return NULL;
    *pool = (mt_pool) {.process = getpid()};
    pool->threads = malloc(threads * sizeof(pthread_t));
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->threads && pool->started < threads) {
        if (pthread_create(&pool->threads[pool->started], NULL, mt_pool_thread, pool)) break;
        pool->started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pool->started < threads) {
        mt_pool_close(pool);
        return NULL;
    }
    return pool;
}

// Has `work` done for all of [0, count), in ranges of `grain`, by the caller (lane 0) and the threads (lanes 1, 2 ...).
static void mt_pool_run(mt_pool *pool, mt_work work, void *context, ptrdiff_t count, ptrdiff_t grain) {
    pthread_mutex_lock(&pool->mutex);
    pool->work = work;
    pool->context = context;
    pool->count = count;
    pool->grain = grain;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    pool->turn++;
    pool->open = 1;
    pthread_mutex_unlock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    mt_pool_take_part(pool, 0, work, context, count, grain);
    pthread_mutex_lock(&pool->mutex);
    pool->open = 0;
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < MT_LOOKS && atomic_load_explicit(&pool->active, memory_order_relaxed); i++) mt_pause();
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load_explicit(&pool->active, memory_order_relaxed)) pthread_cond_wait(&pool->done, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

#endif
