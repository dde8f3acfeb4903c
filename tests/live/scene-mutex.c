/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks of the C library, of all kinds: within a process, where the waiter is a thread and the
 * main thread holds the lock, and between two processes, each in whichever PID namespace.
 */
#include "scene.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

enum how {
        NORMAL,
        RECURSIVE,
        ERRORCHECK,
        ADAPTIVE,
        ROBUST,
        INHERIT,
        ROBUST_INHERIT,
        PROTECT,
        TIMED,
        READERS,
        STDIO,
        C11,
        C11_RECURSIVE,
        SELF,
};

union lock {
        pthread_mutex_t mutex;
        pthread_rwlock_t rwlock;
        mtx_t c11;
};

static union lock lock;
static FILE *file;

static void mutex_make(pthread_mutex_t *m, enum how how, bool shared)
{
        static const int types[] = { [NORMAL] = PTHREAD_MUTEX_NORMAL,
                [RECURSIVE] = PTHREAD_MUTEX_RECURSIVE,
                [ERRORCHECK] = PTHREAD_MUTEX_ERRORCHECK,
                [ADAPTIVE] = PTHREAD_MUTEX_ADAPTIVE_NP };
        pthread_mutexattr_t attr;

        pthread_mutexattr_init(&attr);
        if (how <= ADAPTIVE)
                pthread_mutexattr_settype(&attr, types[how]);
        if (how == ROBUST || how == ROBUST_INHERIT)
                pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
        if (how == INHERIT || how == ROBUST_INHERIT)
                pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
        if (how == PROTECT) {
                pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_PROTECT);
                pthread_mutexattr_setprioceiling(&attr, 1);
        }
        if (shared)
                pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
        if (pthread_mutex_init(m, &attr) != 0)
                stage_fail("pthread_mutex_init");
}

static void lock_make(enum how how)
{
        switch (how) {
        case READERS:
                pthread_rwlock_init(&lock.rwlock, NULL);
                break;
        case STDIO:
                file = tmpfile();
                break;
        case C11:
                mtx_init(&lock.c11, mtx_plain);
                break;
        case C11_RECURSIVE:
                mtx_init(&lock.c11, mtx_recursive);
                break;
        default:
                mutex_make(&lock.mutex, how, false);
        }
}

static void lock_hold(enum how how)
{
        switch (how) {
        case READERS:
                pthread_rwlock_rdlock(&lock.rwlock);
                pthread_rwlock_rdlock(&lock.rwlock);
                break;
        case STDIO:
                flockfile(file);
                break;
        case C11:
        case C11_RECURSIVE:
                mtx_lock(&lock.c11);
                break;
        case SELF:
                break;
        default:
                if (pthread_mutex_lock(&lock.mutex) != 0)
                        stage_fail("pthread_mutex_lock");
                if (how == RECURSIVE)
                        pthread_mutex_lock(&lock.mutex);
        }
}

static void *waiter_main(void *arg)
{
        enum how how = *(enum how *)arg;
        struct timespec until;

        switch (how) {
        case READERS:
                pthread_rwlock_wrlock(&lock.rwlock);
                break;
        case STDIO:
                putc('x', file);
                break;
        case C11:
        case C11_RECURSIVE:
                mtx_lock(&lock.c11);
                break;
        case TIMED:
                clock_gettime(CLOCK_REALTIME, &until);
                until.tv_sec += FOREVER_S;
                pthread_mutex_timedlock(&lock.mutex, &until);
                break;
        case SELF:
                pthread_mutex_lock(&lock.mutex);
                pthread_mutex_lock(&lock.mutex);
                break;
        default:
                pthread_mutex_lock(&lock.mutex);
        }
        child_end();
}

/* A thread of a child waits for the child's main thread. */
static void within_run(struct stage *st, int how)
{
        uint64_t expires = monotonic_after(FOREVER_S);
        struct look look;
        pid_t pid = child_start(st), tid;

        if (pid == 0) {
                enum how copy = (enum how)how;

                if (how == PROTECT) {
                        struct sched_param p = { .sched_priority = 1 };

                        NEED(st, sched_setscheduler(0, SCHED_FIFO, &p));
                }
                lock_make(copy);
                lock_hold(copy);
                shared_set(st, 0, (uint64_t)thread_start(waiter_main, &copy, NULL, NULL));
                for (;;)
                        pause();
        }
        tid = (pid_t)shared_wait(st, 0);
        look = wait_call(st, tid, SYS_futex, -1);
        stage_ready(st, pid, tid, "address=0x%lx object=0x%lx other=%d expires=%lu", look.args[0],
                how == STDIO ? look.args[0] : (uintptr_t)&lock, how == SELF ? tid : pid, expires);
}

enum where { HERE = 0, HOLDER_INSIDE = 16, WAITER_INSIDE = 32, BOTH_INSIDE = 48 };

/* The next children are in a PID namespace of their own, or again in the scene's. */
static void inside(struct stage *st, bool own)
{
        static int ours = -1;

        if (ours < 0)
                ours = (int)MUST(syscall(SYS_openat, -100, "/proc/self/ns/pid", 02000000));
        if (own)
                NEED(st, unshare(CLONE_NEWPID));
        else
                MUST(setns(ours, CLONE_NEWPID));
}

static pid_t holder_start(struct stage *st, pthread_mutex_t *m, bool own)
{
        pid_t pid;

        if (own)
                inside(st, true);
        pid = child_start(st);
        if (pid == 0) {
                if (pthread_mutex_lock(m) != 0)
                        stage_fail("pthread_mutex_lock");
                shared_set(st, 0, 1);
                for (;;)
                        pause();
        }
        shared_wait(st, 0);
        return pid;
}

/* Two processes and a lock in memory that both have, not at the same address. */
static void between_run(struct stage *st, int how)
{
        int memory = (int)MUST(memfd_create("lock", MFD_CLOEXEC));
        enum how kind = (enum how)(how & 15);
        pthread_mutex_t *m;
        struct look look;
        pid_t holder, pid;

        MUST(ftruncate(memory, 8192));
        m = MUST_MAP(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0));
        m = (pthread_mutex_t *)(void *)((char *)m + 4096);
        mutex_make(m, kind, true);
        holder = holder_start(st, m, how & HOLDER_INSIDE);
        if ((how & BOTH_INSIDE) == HOLDER_INSIDE)
                inside(st, false);
        if ((how & BOTH_INSIDE) == WAITER_INSIDE)
                inside(st, true);
        pid = child_start(st);
        if (pid == 0) {
                m = MUST_MAP(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 4096));
                pthread_mutex_lock(m);
                child_end();
        }
        look = wait_call(st, pid, SYS_futex, -1);
        stage_ready(st, pid, pid, "address=0x%lx holder=%d", look.args[0], holder);
}

/* A lock for reading and writing between two processes: who writes is in it. */
static void rwlock_between(struct stage *st, int to_write)
{
        pthread_rwlock_t *between = MUST_MAP(
                mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
        pthread_rwlockattr_t attributes;
        pid_t holder, pid;

        pthread_rwlockattr_init(&attributes);
        pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        pthread_rwlock_init(between, &attributes);
        holder = child_start(st);
        if (holder == 0) {
                pthread_rwlock_wrlock(between);
                shared_set(st, 0, 1);
                for (;;)
                        pause();
        }
        shared_wait(st, 0);
        pid = child_start(st);
        if (pid == 0) {
                if (to_write)
                        pthread_rwlock_wrlock(between);
                else
                        pthread_rwlock_rdlock(between);
                child_end();
        }
        wait_call(st, pid, SYS_futex, -1);
        stage_ready(st, pid, pid, "address=0x%lx holder=%d", (uintptr_t)between, holder);
}

/* A process in a PID namespace of its own, whose threads call themselves otherwise. */
static void namespace_run(struct stage *st, int how)
{
        struct look look;
        pid_t pid, tid;
        char path[64], text[64];

        inside(st, true);
        pid = child_start(st);
        if (pid == 0) {
                enum how copy = (enum how)how;

                lock_make(copy);
                lock_hold(copy);
                thread_start(waiter_main, &copy, NULL, NULL);
                shared_set(st, 0, 1);
                for (;;)
                        pause();
        }
        shared_wait(st, 0);
        /* The newest thread is the waiter: children are numbered upwards. */
        for (tid = pid + 1;; tid++) {
                snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, tid);
                if (text_read(path, text, sizeof(text)))
                        break;
                if (tid > pid + 5000)
                        stage_fail("no second thread");
        }
        look = wait_call(st, tid, SYS_futex, -1);
        stage_ready(st, pid, tid, "address=0x%lx other=%d", look.args[0], pid);
}

static const char *const musl_kinds[] = { "normal", "recursive", "errorcheck", "robust", "inherit",
        "shared-robust" };

/* A program beside this one, of another C library. */
static void musl_run(struct stage *st, int how)
{
        char program[4096], line[128] = "";
        struct look look;
        unsigned long mutex;
        int output[2], tid;
        ssize_t n;
        pid_t pid;

        n = MUST(readlink("/proc/self/exe", program, sizeof(program) - 16));
        program[n] = 0;
        strcpy(strrchr(program, '/'), "/lock-musl");
        if (access(program, X_OK) < 0)
                stage_skip(st, "no program of musl: musl-gcc was not there");
        MUST(pipe(output));
        pid = child_start(st);
        if (pid == 0) {
                MUST(dup2(output[1], 1));
                execl(program, "lock-musl", musl_kinds[how], NULL);
                child_end();
        }
        MUST(read(output[0], line, sizeof(line) - 1));
        if (sscanf(line, "%d %lx", &tid, &mutex) != 2)
                stage_fail("lock-musl said: %s", line);
        look = wait_call(st, tid, SYS_futex, -1);
        stage_ready(st, pid, tid, "address=0x%lx object=0x%lx other=%d", look.args[0], mutex, pid);
}

const struct scene scenes_mutex[] = {
        { "mutex-recursive", within_run, RECURSIVE, "a recursive mutex, held twice" },
        { "mutex-errorcheck", within_run, ERRORCHECK, "an error-checking mutex" },
        { "mutex-adaptive", within_run, ADAPTIVE, "an adaptive mutex" },
        { "mutex-robust", within_run, ROBUST, "a robust mutex" },
        { "mutex-inherit", within_run, INHERIT, "a mutex with priority inheritance" },
        { "mutex-robust-inherit", within_run, ROBUST_INHERIT, "the same, robust" },
        { "mutex-protect", within_run, PROTECT, "a mutex with a priority ceiling" },
        { "mutex-timed", within_run, TIMED, "pthread_mutex_timedlock(3)" },
        { "mutex-self", within_run, SELF, "a normal mutex that the waiter itself holds" },
        { "rwlock-readers", within_run, READERS, "a lock held by two readers, to write" },
        { "rwlock-shared-read", rwlock_between, 0, "a lock that another process writes under" },
        { "rwlock-shared-write", rwlock_between, 1, "the same, to write" },
        { "stdio-lock", within_run, STDIO, "putc(3) to a file locked by flockfile(3)" },
        { "c11-mutex", within_run, C11, "mtx_lock(3)" },
        { "c11-mutex-recursive", within_run, C11_RECURSIVE, "the same, recursive" },
        { "mutex-shared", between_run, NORMAL, "a mutex of another process" },
        { "mutex-shared-recursive", between_run, RECURSIVE, "the same, recursive" },
        { "mutex-shared-robust", between_run, ROBUST, "the same, robust" },
        { "mutex-shared-inherit", between_run, INHERIT, "the same, priority inheritance" },
        { "mutex-shared-from-inside", between_run, NORMAL | HOLDER_INSIDE,
                "the holder is in a PID namespace of its own" },
        { "mutex-shared-to-inside", between_run, NORMAL | WAITER_INSIDE, "the waiter is" },
        { "mutex-shared-both-inside", between_run, NORMAL | BOTH_INSIDE, "both are, in one" },
        { "mutex-shared-robust-inside", between_run, ROBUST | HOLDER_INSIDE,
                "a robust one, the holder is in a PID namespace of its own" },
        { "mutex-namespace", namespace_run, NORMAL, "threads in a PID namespace of their own" },
        { "mutex-namespace-robust", namespace_run, ROBUST, "the same, robust" },
        { "musl-normal", musl_run, 0, "musl's mutexes: a normal one, which has no owner" },
        { "musl-recursive", musl_run, 1, "a recursive one" },
        { "musl-errorcheck", musl_run, 2, "an error-checking one" },
        { "musl-robust", musl_run, 3, "a robust one" },
        { "musl-inherit", musl_run, 4, "one with priority inheritance" },
        { "musl-shared-robust", musl_run, 5, "a robust one between processes" },
        { NULL, NULL, 0, NULL },
};
