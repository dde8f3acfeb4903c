/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that wait on futexes: by the system call itself, and by the C library's locks.
 *
 * The waiter is a thread of a child and the child's main thread is the other party, so that
 * a process with two threads is looked at and the stage is not in it.
 */
#include "scene.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum how {
        WAIT,
        WAIT_TIMEOUT,
        WAIT_BITSET,
        WAITV,
        REQUEUE_PI,
        LOCK_PI,
        MUTEX,
        CONDITION,
        CONDITION_TIMED,
        JOIN,
        SEMAPHORE,
        BARRIER,
        RWLOCK_READ,
        RWLOCK_WRITE,
};

static _Atomic uint32_t word, word2;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t condition_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_t joined;
static sem_t semaphore;

static long futex(_Atomic uint32_t *address, int op, uint32_t value, const struct timespec *timeout)
{
        return syscall(SYS_futex, address, op, value, timeout, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void futex_waitv_two(void)
{
        struct futex_waitv waiters[2] = {
                { .uaddr = (uintptr_t)&word, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG },
                { .uaddr = (uintptr_t)&word2, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG },
        };

        syscall(SYS_futex_waitv, waiters, 2, 0, NULL, CLOCK_MONOTONIC);
}

static void *waiter_main(void *arg)
{
        struct timespec timeout = { .tv_sec = FOREVER_S }, until;

        switch (*(enum how *)arg) {
        case WAIT:
                futex(&word, FUTEX_WAIT, 0, NULL);
                break;
        case WAIT_TIMEOUT:
                futex(&word, FUTEX_WAIT_PRIVATE, 0, &timeout);
                break;
        case WAIT_BITSET:
                clock_gettime(CLOCK_MONOTONIC, &until);
                until.tv_sec += FOREVER_S;
                futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &until);
                break;
        case WAITV:
                futex_waitv_two();
                break;
        case REQUEUE_PI:
                syscall(SYS_futex, &word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &word2, 0);
                break;
        case LOCK_PI:
                futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL);
                break;
        case MUTEX:
                pthread_mutex_lock(&mutex);
                break;
        case CONDITION:
                pthread_mutex_lock(&condition_mutex);
                pthread_cond_wait(&condition, &condition_mutex);
                break;
        case CONDITION_TIMED:
                clock_gettime(CLOCK_REALTIME, &until);
                until.tv_sec += FOREVER_S;
                pthread_mutex_lock(&condition_mutex);
                pthread_cond_timedwait(&condition, &condition_mutex, &until);
                break;
        case JOIN:
                pthread_join(joined, NULL);
                break;
        case SEMAPHORE:
                sem_wait(&semaphore);
                break;
        case BARRIER:
                pthread_barrier_wait(&barrier);
                break;
        case RWLOCK_READ:
                pthread_rwlock_rdlock(&rwlock);
                break;
        case RWLOCK_WRITE:
                pthread_rwlock_wrlock(&rwlock);
                break;
        }
        child_end();
}

static void *pause_main(void *arg)
{
        for (;;)
                pause();
        return arg;
}

/* What the other party does before the waiter comes. */
static pid_t holder_prepare(enum how how)
{
        unsigned long thread;
        pid_t other = gettid();

        switch (how) {
        case LOCK_PI:
                /* The kernel takes a free lock for its caller: it writes the TID. */
                futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL);
                break;
        case MUTEX:
                pthread_mutex_lock(&mutex);
                break;
        case JOIN:
                other = thread_start(pause_main, NULL, NULL, &thread);
                joined = thread;
                break;
        case SEMAPHORE:
                sem_init(&semaphore, 0, 0);
                break;
        case BARRIER:
                pthread_barrier_init(&barrier, NULL, 2);
                break;
        case RWLOCK_READ:
        case RWLOCK_WRITE:
                pthread_rwlock_wrlock(&rwlock);
                break;
        default:
                break;
        }
        return other;
}

/* Of the C library's object; of none, the word that is waited on. */
static uint64_t object_address(enum how how, uint64_t waited)
{
        switch (how) {
        case MUTEX:
                return (uintptr_t)&mutex;
        case CONDITION:
        case CONDITION_TIMED:
                return (uintptr_t)&condition;
        case SEMAPHORE:
                return (uintptr_t)&semaphore;
        case BARRIER:
                return (uintptr_t)&barrier;
        case RWLOCK_READ:
        case RWLOCK_WRITE:
                return (uintptr_t)&rwlock;
        default:
                return waited;
        }
}

static bool futex_waitv_known(void)
{
        /* No waiters at all is an error, but not that one. */
        return syscall(SYS_futex_waitv, NULL, 0, 0, NULL, CLOCK_MONOTONIC) == -1 && errno != ENOSYS;
}

static void futex_run(struct stage *st, int how)
{
        uint64_t expires = monotonic_after(FOREVER_S);
        struct look look;
        pid_t pid, tid;

        if (how == WAITV && !futex_waitv_known())
                stage_skip(st, "no futex_waitv(2)");
        pid = child_start(st);
        if (pid == 0) {
                enum how copy = (enum how)how;

                shared_set(st, 1, (uint64_t)holder_prepare(copy));
                shared_set(st, 0, (uint64_t)thread_start(waiter_main, &copy, NULL, NULL));
                for (;;)
                        pause();
        }
        tid = (pid_t)shared_wait(st, 0);
        look = wait_call(st, tid, how == WAITV ? SYS_futex_waitv : SYS_futex, -1);
        if (how == WAIT_TIMEOUT || how == WAIT_BITSET || how == CONDITION_TIMED)
                stage_ready(st, pid, tid, "address=0x%lx object=0x%lx seconds=%d expires=%lu",
                        look.args[0], object_address((enum how)how, look.args[0]), FOREVER_S,
                        expires);
        else if (how == WAITV)
                stage_ready(st, pid, tid, "address=0x%lx address2=0x%lx", (uintptr_t)&word,
                        (uintptr_t)&word2);
        else
                stage_ready(st, pid, tid, "address=0x%lx object=0x%lx other=%d", look.args[0],
                        object_address((enum how)how, look.args[0]), (int)shared_get(st, 1));
}

/* The wait began at the condition, and goes on at the lock, which the main thread holds. */
static void futex_requeued(struct stage *st, int how)
{
        pid_t pid = child_start(st), tid;

        if (pid == 0) {
                MUST(futex(&word2, FUTEX_LOCK_PI_PRIVATE, 0, NULL));
                tid = thread_start(waiter_main, &how, NULL, NULL);
                wait_call(st, tid, SYS_futex, -1);
                if (NEED(st, syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, INT_MAX,
                                     &word2, 0)) != 1)
                        stage_fail("no waiter was moved");
                shared_set(st, 0, (uint64_t)tid);
                for (;;)
                        pause();
        }
        tid = (pid_t)shared_wait(st, 0);
        wait_call(st, tid, SYS_futex, -1);
        stage_ready(st, pid, tid, "address=0x%lx object=0x%lx other=%d", (uintptr_t)&word,
                (uintptr_t)&word2, pid);
}

/* Stopping and continuing makes the kernel restart a wait with a timeout by another number. */
static void futex_restarted(struct stage *st, int how)
{
        uint64_t expires = monotonic_after(FOREVER_S);
        struct timespec timeout = { .tv_sec = FOREVER_S };
        pid_t pid = child_start(st);

        if (pid == 0) {
                futex(&word, how, 0, &timeout);
                child_end();
        }
        wait_call(st, pid, SYS_futex, -1);
        MUST(kill(pid, SIGSTOP));
        wait_state(st, pid, "T");
        MUST(kill(pid, SIGCONT));
        wait_call(st, pid, SYS_restart_syscall, -1);
        stage_ready(st, pid, pid, "address=0x%lx seconds=%d expires=%lu", (uintptr_t)&word,
                FOREVER_S, expires);
}

static void *crowd_main(void *arg)
{
        futex(arg, FUTEX_WAIT_PRIVATE, 0, NULL);
        child_end();
}

struct crowd {
        pid_t pid;
        int n;
};

/* All of the process's threads but the main one sleep in futex(2). */
static bool crowd_asleep(void *arg)
{
        const struct crowd *c = arg;
        struct dirent *entry;
        struct look look;
        char path[64];
        int asleep = 0;
        DIR *d;

        snprintf(path, sizeof(path), "/proc/%d/task", c->pid);
        d = opendir(path);
        while (d && (entry = readdir(d)))
                if (atoi(entry->d_name) > 0 && thread_look(atoi(entry->d_name), &look))
                        asleep += look.state == 'S' && look.inside && look.nr == SYS_futex;
        if (d)
                closedir(d);
        return asleep == c->n;
}

/* Many threads in one place; the argument says how many. */
static void many_threads(struct stage *st, int count)
{
        pthread_attr_t attr;
        pid_t pid;
        int n = count;

        if (st->arg && (n = atoi(st->arg)) < 1)
                stage_fail("not a number of threads: %s", st->arg);
        pid = child_start(st);
        if (pid == 0) {
                pthread_attr_init(&attr);
                pthread_attr_setstacksize(
                        &attr, PTHREAD_STACK_MIN > 65536 ? PTHREAD_STACK_MIN : 65536);
                for (int i = 0; i < n; i++)
                        shared_set(st, 1, (uint64_t)thread_start(crowd_main, &word, &attr, NULL));
                shared_set(st, 0, 1);
                for (;;)
                        pause();
        }
        shared_wait(st, 0);
        wait_until(st, crowd_asleep, &(struct crowd){ pid, n }, "all asleep");
        stage_ready(
                st, pid, (pid_t)shared_get(st, 1), "threads=%d address=0x%lx", n, (uintptr_t)&word);
}

const struct scene scenes_futex[] = {
        { "futex-wait", futex_run, WAIT, "futex(FUTEX_WAIT)" },
        { "futex-wait-timeout", futex_run, WAIT_TIMEOUT, "futex(FUTEX_WAIT) with a timeout" },
        { "futex-restarted", futex_restarted, FUTEX_WAIT_PRIVATE, "the same, restarted" },
        { "futex-wait-bitset", futex_run, WAIT_BITSET, "futex(FUTEX_WAIT_BITSET) until a time" },
        { "futex-waitv", futex_run, WAITV, "futex_waitv(2) on two futexes" },
        { "futex-requeue-pi", futex_run, REQUEUE_PI, "futex(FUTEX_WAIT_REQUEUE_PI)" },
        { "futex-requeued-pi", futex_requeued, REQUEUE_PI, "the same, moved on to a held lock" },
        { "futex-pi", futex_run, LOCK_PI, "futex(FUTEX_LOCK_PI) held by another thread" },
        { "pthread-mutex", futex_run, MUTEX, "a mutex held by the main thread" },
        { "pthread-cond", futex_run, CONDITION, "a condition variable nobody signals" },
        { "pthread-cond-timed", futex_run, CONDITION_TIMED, "the same, until a wall clock time" },
        { "pthread-join", futex_run, JOIN, "a thread that does not end" },
        { "sem-wait", futex_run, SEMAPHORE, "a semaphore at 0" },
        { "pthread-barrier", futex_run, BARRIER, "a barrier, alone" },
        { "pthread-rwlock-read", futex_run, RWLOCK_READ, "a lock held for writing, to read" },
        { "pthread-rwlock-write", futex_run, RWLOCK_WRITE, "a lock held for writing, to write" },
        { "many-threads", many_threads, 1000, "ARG threads (1000) wait on one futex" },
        { NULL, NULL, 0, NULL },
};
