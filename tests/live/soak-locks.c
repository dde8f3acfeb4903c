/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that take, hand over and give up locks of all kinds, thousands a second, in an order in
 * which they can never deadlock. The program keeps a record of who held what when, and answers
 * questions: "TID ADDRESS OWNER BEGIN END", could OWNER have been seen as the holder of the lock
 * at ADDRESS while TID waited for it, at some moment between the two (CLOCK_MONOTONIC, ns)?
 *
 *      soak-locks THREADS LOCKS
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define RECORDS 16384 /* the last ones kept, of a lock and of a thread */
#define PAUSE_NS 2000000

enum kind { NORMAL, RECURSIVE, ERRORCHECK, ROBUST, INHERIT, RWLOCK, KINDS };

struct hold {                                                     /* of a lock */
        _Atomic int64_t before_lock, before_unlock, after_unlock; /* 0: not yet */
        _Atomic pid_t tid;
};

struct wait { /* of a thread */
        _Atomic int64_t begin, end;
        _Atomic unsigned lock;
};

struct lock {
        union {
                pthread_mutex_t mutex;
                pthread_rwlock_t rwlock;
        } u;
        enum kind kind;
        atomic_ulong n_holds; /* grows under the lock */
        struct hold *holds;
};

struct worker {
        pthread_t thread;
        _Atomic pid_t tid;
        uint64_t seed;
        atomic_ulong n_waits;
        struct wait *waits;
};

static struct lock *locks;
static struct worker *workers;
static unsigned n_locks, n_workers;
static atomic_ulong n_taken;

static int64_t now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static unsigned chance(struct worker *w, unsigned n)
{
        w->seed = w->seed * 6364136223846793005U + 1442695040888963407U;
        return (unsigned)(w->seed >> 33) % n;
}

static void rest(struct worker *w, unsigned most_ns)
{
        struct timespec t = { 0, (long)chance(w, most_ns) };

        nanosleep(&t, NULL);
}

static void lock_init(struct lock *l, enum kind kind)
{
        pthread_mutexattr_t attr;

        l->kind = kind;
        l->holds = calloc(RECORDS, sizeof(*l->holds));
        if (kind == RWLOCK) {
                pthread_rwlock_init(&l->u.rwlock, NULL);
                return;
        }
        pthread_mutexattr_init(&attr);
        if (kind == RECURSIVE || kind == ERRORCHECK)
                pthread_mutexattr_settype(&attr,
                        kind == RECURSIVE ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_ERRORCHECK);
        if (kind == ROBUST)
                pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
        if (kind == INHERIT)
                pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
        pthread_mutex_init(&l->u.mutex, &attr);
}

static struct hold *lock_take(struct worker *w, unsigned number)
{
        struct lock *l = &locks[number];
        struct wait *wait = &w->waits[w->n_waits % RECORDS];
        int64_t begin = now();
        struct hold *h;

        wait->end = 0;
        wait->lock = number;
        wait->begin = begin;
        w->n_waits++;
        if (l->kind == RWLOCK)
                pthread_rwlock_wrlock(&l->u.rwlock);
        else
                pthread_mutex_lock(&l->u.mutex);
        wait->end = now();
        h = &l->holds[l->n_holds % RECORDS];
        h->tid = w->tid;
        h->before_lock = begin;
        h->before_unlock = h->after_unlock = 0;
        l->n_holds++;
        n_taken++;
        return h;
}

static void lock_give(unsigned number, struct hold *h)
{
        struct lock *l = &locks[number];

        h->before_unlock = now();
        if (l->kind == RWLOCK)
                pthread_rwlock_unlock(&l->u.rwlock);
        else
                pthread_mutex_unlock(&l->u.mutex);
        h->after_unlock = now();
}

/* One lock, or two in the order of their numbers, which all keep: no cycle can close. */
static void *worker_main(void *arg)
{
        struct worker *w = arg;

        w->tid = gettid();
        for (;;) {
                unsigned first = chance(w, n_locks), second = first + 1 + chance(w, n_locks);
                struct hold *a = lock_take(w, first), *b;

                rest(w, PAUSE_NS);
                if (second < n_locks) {
                        b = lock_take(w, second);
                        if (chance(w, 2))
                                rest(w, PAUSE_NS);
                        lock_give(second, b);
                }
                lock_give(first, a);
                if (chance(w, 4) == 0)
                        rest(w, PAUSE_NS);
        }
        return NULL;
}

/* Held by that thread at some moment between? Unknown (-1) if the record does not go back so far.
 */
static int held_between(const struct lock *l, pid_t owner, int64_t begin, int64_t end)
{
        unsigned long n = l->n_holds, first = n > RECORDS - 64 ? n - (RECORDS - 64) : 0;
        int64_t released = 0; /* by whom it was held before */

        if (first && l->holds[first % RECORDS].before_lock > begin)
                return -1;
        for (unsigned long i = first; i < n; i++) {
                const struct hold *h = &l->holds[i % RECORDS];
                int64_t from = h->before_lock > released ? h->before_lock : released;
                int64_t to = h->after_unlock ? h->after_unlock : INT64_MAX;

                released = h->before_unlock;
                if (h->tid == owner && from <= end && to >= begin)
                        return 1;
        }
        return 0;
}

static const char *question_answer(pid_t tid, uint64_t address, pid_t owner, int64_t t0, int64_t t1)
{
        const struct worker *w = NULL;
        const struct lock *l = NULL;
        bool unknown = false;
        unsigned long n;

        for (unsigned i = 0; i < n_workers; i++)
                if (workers[i].tid == tid)
                        w = &workers[i];
        for (unsigned i = 0; i < n_locks; i++)
                if ((uintptr_t)&locks[i].u == address)
                        l = &locks[i];
        if (!w || !l)
                return "wrong: no such thread or lock";
        n = w->n_waits;
        for (unsigned long i = n > RECORDS - 64 ? n - (RECORDS - 64) : 0; i < n; i++) {
                const struct wait *wait = &w->waits[i % RECORDS];
                int64_t end = wait->end ? wait->end : INT64_MAX;
                int r;

                if (wait->lock != (unsigned)(l - locks) || wait->begin > t1 || end < t0)
                        continue;
                r = held_between(
                        l, owner, wait->begin > t0 ? wait->begin : t0, end < t1 ? end : t1);
                if (r > 0)
                        return "right";
                unknown |= r < 0;
        }
        return unknown ? "unknown" : "wrong: it did not hold it while the other waited";
}

int main(int argc, char **argv)
{
        char line[256];

        n_workers = argc > 1 ? (unsigned)atoi(argv[1]) : 64;
        n_locks = argc > 2 ? (unsigned)atoi(argv[2]) : 24;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        locks = calloc(n_locks, sizeof(*locks));
        workers = calloc(n_workers, sizeof(*workers));
        if (!locks || !workers || !n_locks || !n_workers)
                return 1;
        for (unsigned i = 0; i < n_locks; i++)
                lock_init(&locks[i], (enum kind)(i % KINDS));
        for (unsigned i = 0; i < n_workers; i++) {
                workers[i].seed = i + 1;
                workers[i].waits = calloc(RECORDS, sizeof(struct wait));
                if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0)
                        return 1;
        }
        printf("ready pid=%d\n", getpid());
        fflush(stdout);
        while (fgets(line, sizeof(line), stdin)) {
                long long t0, t1;
                unsigned long address;
                int tid, owner;

                if (sscanf(line, "%d %lx %d %lld %lld", &tid, &address, &owner, &t0, &t1) == 5)
                        puts(question_answer(tid, address, owner, t0, t1));
                else
                        printf("%lu\n", (unsigned long)n_taken);
                fflush(stdout);
        }
        return 0;
}
