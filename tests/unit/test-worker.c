/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/worker.c: jobs that hang, crash, fail and are slow, and what is remembered of them. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/procio.h"
#include "base/procmem.h"
#include "base/worker.h"

#define STEPS 20

struct job { /* in the arena, as the position of a job must be */
        struct watch *watch;
        int step;   /* next to do */
        int starts; /* children so far */
        int done[STEPS];
        int bad; /* step that goes wrong; -1: all of them */
        enum hang hang;
        int result;
        pid_t child;
};

struct fixture {
        struct arena *arena;
        struct job *job;
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        f->arena = arena_new();
        if (!f->arena)
                return -1;
        f->job = arena_new_one(f->arena, struct job);
        f->job->watch = watch_new(f->arena);
        *state = f;
        return f->job->watch ? 0 : -1;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        arena_free(f->arena);
        free(f);
        /* Children that were killed and did not end at once. */
        while (waitpid(-1, NULL, 0) > 0)
                ;
        return 0;
}

static struct job *job_of(void **state)
{
        return ((struct fixture *)*state)->job;
}

/* Steps that are left; step i is about process 1000 + i. go_wrong does not return, if so. */
static int steps_run(struct job *j, void (*go_wrong)(void))
{
        j->starts++;
        j->child = getpid();
        for (; j->step < STEPS; j->step++) {
                if (!watch_enter(j->watch, 1000 + j->step, j->hang))
                        continue; /* it went wrong before */
                if (j->bad == j->step || j->bad < 0)
                        go_wrong();
                j->done[j->step]++;
                watch_leave(j->watch);
        }
        return j->result;
}

static void hang(void)
{
        for (;;)
                pause();
}

static void be_killed(void)
{
        raise(SIGKILL);
}

static void crash_abort(void)
{
        struct rlimit none = { 0, 0 };

        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        abort();
}

static void nothing(void)
{
}

static int job_good(void *arg)
{
        return steps_run(arg, nothing);
}

static int job_hangs(void *arg)
{
        return steps_run(arg, hang);
}

/* What remains to be seen of a job that has returned in a process that cannot end. */
static int job_cannot_end(void *arg)
{
        struct job *j = arg;

        j->starts++;
        j->watch->result = -EDOM;
        __atomic_store_n(&j->watch->done, true, __ATOMIC_RELEASE);
        for (;;)
                pause();
        return 0;
}

static int job_aborts(void *arg)
{
        return steps_run(arg, crash_abort);
}

static int job_killed(void *arg)
{
        return steps_run(arg, be_killed);
}

static void test_good(void **state)
{
        struct job *j = job_of(state);

        j->bad = STEPS;
        assert_int_equal(worker_run(j->watch, 2 * NS_PER_S, job_good, j), 0);
        assert_int_equal(j->starts, 1);
        assert_int_not_equal(j->child, getpid());
        for (int i = 0; i < STEPS; i++)
                assert_int_equal(j->done[i], 1);
        assert_int_equal(j->watch->n_hung, 0);
        assert_int_equal(j->watch->beat, STEPS);
        /* Reaped. */
        assert_int_equal(waitpid(j->child, NULL, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
}

/* Abandoned within its patience, blamed, started again, and it goes on where it was. */
static void test_hang(void **state)
{
        struct job *j = job_of(state);
        int64_t start = clock_ns(CLOCK_MONOTONIC), took;

        j->bad = 7;
        j->hang = HANG_MM;
        assert_int_equal(worker_run(j->watch, 800 * NS_PER_MS, job_hangs, j), 0);
        took = clock_ns(CLOCK_MONOTONIC) - start;
        assert_true(took >= 200 * NS_PER_MS);
        assert_true(took < 5 * NS_PER_S);
        assert_int_equal(j->starts, 2);
        for (int i = 0; i < STEPS; i++)
                assert_int_equal(j->done[i], i == 7 ? 0 : 1);
        assert_int_equal(j->watch->n_hung, 1);
        assert_int_equal(j->watch->hung[0].pid, 1007);
        assert_int_equal(j->watch->hung[0].hang, HANG_MM);
        assert_int_equal(watch_hung(j->watch, 1007), HANG_MM);
        assert_int_equal(watch_hung(j->watch, 1006), 0);
}

/* Only the class that hung is left alone. */
static void test_hang_class(void **state)
{
        struct job *j = job_of(state);

        j->bad = 3;
        j->hang = HANG_FILE;
        assert_int_equal(worker_run(j->watch, 200 * NS_PER_MS, job_hangs, j), 0);
        assert_false(watch_enter(j->watch, 1003, HANG_FILE));
        assert_true(watch_enter(j->watch, 1003, HANG_MM));
        assert_true(watch_enter(j->watch, 1003, HANG_NONE));
        assert_true(watch_enter(j->watch, 1004, HANG_FILE));
        assert_true(watch_enter(j->watch, 0, HANG_FILE));
}

/* A lock of the machine that nobody gets costs one patience, not one for each process. */
static void test_hang_machine(void **state)
{
        struct job *j = job_of(state);

        j->bad = -1;
        j->hang = HANG_CGROUP;
        assert_int_equal(worker_run(j->watch, 400 * NS_PER_MS, job_hangs, j), 0);
        assert_int_equal(j->starts, 2);
        assert_int_equal(j->watch->n_hung, 1);
        assert_int_equal(watch_hung(j->watch, 1019), HANG_CGROUP);
        assert_true(watch_enter(j->watch, 1000, HANG_ALL));
        assert_true(watch_enter(j->watch, 1019, HANG_NONE));
}

/* Where nothing was expected to block, nothing of that process is asked again. */
static void test_hang_unexpected(void **state)
{
        struct job *j = job_of(state);

        j->bad = 3;
        j->hang = HANG_NONE;
        j->result = 0;
        /* A step without a class is not refused, so step 3 hangs until the time is used up. */
        assert_int_equal(worker_run(j->watch, 200 * NS_PER_MS, job_hangs, j), -ETIMEDOUT);
        assert_int_equal(watch_hung(j->watch, 1003), HANG_ALL);
        assert_false(watch_enter(j->watch, 1003, HANG_EXEC));
}

/* Everything hangs: the time is used up, and no more. */
static void test_hang_all(void **state)
{
        struct job *j = job_of(state);
        int64_t start = clock_ns(CLOCK_MONOTONIC), took;

        j->bad = -1;
        j->hang = HANG_EXEC;
        assert_int_equal(worker_run(j->watch, 400 * NS_PER_MS, job_hangs, j), -ETIMEDOUT);
        took = clock_ns(CLOCK_MONOTONIC) - start;
        assert_true(took >= 400 * NS_PER_MS);
        assert_true(took < 8 * NS_PER_S);
        assert_in_range(j->starts, 1, 12);
        assert_int_equal(j->watch->n_hung, j->starts);
        assert_int_equal(j->step, j->starts - 1);
        for (int i = 0; i < STEPS; i++)
                assert_int_equal(j->done[i], 0);
}

/* Hangs without a word about whom: nobody is blamed, and it ends all the same. */
static int job_hangs_nameless(void *arg)
{
        struct job *j = arg;

        j->starts++;
        hang();
        return 0;
}

static void test_hang_nameless(void **state)
{
        struct job *j = job_of(state);

        assert_int_equal(worker_run(j->watch, 100 * NS_PER_MS, job_hangs_nameless, j), -ETIMEDOUT);
        assert_in_range(j->starts, 1, 4);
        assert_int_equal(j->watch->n_hung, 0);
}

static void test_no_time(void **state)
{
        struct job *j = job_of(state);

        j->bad = 0;
        j->hang = HANG_MM;
        assert_int_equal(worker_run(j->watch, 0, job_hangs, j), -ETIMEDOUT);
}

/* A close(2) that hangs at the end is no reason to do the job again. */
static void test_cannot_end(void **state)
{
        const struct fixture *f = *state;

        assert_int_equal(worker_run(f->job->watch, 400 * NS_PER_MS, job_cannot_end, f->job), -EDOM);
        assert_int_equal(f->job->starts, 1);
        watch_reap(f->job->watch, true);
}

static void test_crash(void **state)
{
        struct job *j = job_of(state);

        j->bad = 5;
        j->hang = HANG_MM;
        assert_int_equal(worker_run(j->watch, 2 * NS_PER_S, job_aborts, j), 0);
        assert_int_equal(j->starts, 2);
        assert_int_equal(j->done[5], 0);
        assert_int_equal(j->done[4], 1);
        assert_int_equal(j->done[STEPS - 1], 1);
        assert_int_equal(watch_hung(j->watch, 1005), HANG_MM);
}

/* As the out-of-memory killer does. */
static void test_killed(void **state)
{
        struct job *j = job_of(state);

        j->bad = 5;
        j->hang = HANG_EXEC;
        assert_int_equal(worker_run(j->watch, 2 * NS_PER_S, job_killed, j), 0);
        assert_int_equal(j->starts, 2);
        assert_int_equal(watch_hung(j->watch, 1005), HANG_EXEC);
}

static int job_only_crashes(void *arg)
{
        struct job *j = arg;

        j->starts++;
        crash_abort();
        return 0;
}

static void test_crash_bounded(void **state)
{
        struct job *j = job_of(state);

        assert_int_equal(worker_run(j->watch, 2 * NS_PER_S, job_only_crashes, j), -EIO);
        assert_in_range(j->starts, 2, 20);
}

static void test_errors(void **state)
{
        static const int errors[] = { 0, -1, -ENOMEM, -EIO, -EACCES, -ETIMEDOUT, -EOVERFLOW };
        struct job *j = job_of(state);

        for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
                j->step = j->starts = 0;
                j->bad = STEPS;
                j->result = errors[i];
                assert_int_equal(worker_run(j->watch, 2 * NS_PER_S, job_good, j), errors[i]);
                assert_int_equal(j->starts, 1);
        }
        /* One that does not fit into an exit status is still an error. */
        j->result = -4000;
        assert_true(worker_run(j->watch, 2 * NS_PER_S, job_good, j) < 0);
}

/* Not a move and not a read for longer than the patience, but at work: not blamed. */
static int job_spins(void *arg)
{
        struct job *j = arg;
        int64_t end = clock_ns(CLOCK_MONOTONIC) + 1200 * NS_PER_MS;

        j->starts++;
        watch_enter(j->watch, 4242, HANG_MM);
        while (clock_ns(CLOCK_MONOTONIC) < end)
                ;
        watch_leave(j->watch);
        return -ENODATA;
}

static void test_busy(void **state)
{
        struct job *j = job_of(state);

        assert_int_equal(worker_run(j->watch, 2 * NS_PER_S, job_spins, j), -ENODATA);
        assert_int_equal(j->starts, 1);
        assert_int_equal(j->watch->n_hung, 0);
}

/* Busy for ever: that is over when the whole time is. */
static int job_spins_on(void *arg)
{
        struct job *j = arg;

        j->starts++;
        watch_enter(j->watch, 4242, HANG_MM);
        for (;;)
                __asm__ volatile("");
        return 0;
}

static void test_busy_for_ever(void **state)
{
        struct job *j = job_of(state);

        assert_int_equal(worker_run(j->watch, 300 * NS_PER_MS, job_spins_on, j), -ETIMEDOUT);
        assert_int_equal(j->starts, 1);
}

/* Sleeps a little in each of many reads: each moves the beat, so it is never abandoned. */
static int job_slow(void *arg)
{
        struct job *j = arg;

        j->starts++;
        for (; j->step < STEPS; j->step++) {
                watch_enter(j->watch, 1000 + j->step, HANG_MM);
                usleep(30000);
                watch_leave(j->watch);
        }
        return 0;
}

static void test_slow(void **state)
{
        struct job *j = job_of(state);

        assert_int_equal(worker_run(j->watch, 2 * NS_PER_S, job_slow, j), 0);
        assert_int_equal(j->starts, 1);
        assert_int_equal(j->watch->n_hung, 0);
}

/* A program that lets the kernel reap its children. */
static void test_reaped_elsewhere(void **state)
{
        struct job *j = job_of(state);
        void (*before)(int) = signal(SIGCHLD, SIG_IGN);

        j->bad = STEPS;
        assert_int_equal(worker_run(j->watch, 2 * NS_PER_S, job_good, j), 0);
        assert_int_equal(j->step, STEPS);

        /* What it returned is known all the same, and that it crashed is, too. */
        j->step = 0;
        j->result = -ENOENT;
        assert_int_equal(worker_run(j->watch, 2 * NS_PER_S, job_good, j), -ENOENT);
        j->step = 0;
        j->bad = -1;
        j->hang = HANG_NONE;
        assert_int_equal(worker_run(j->watch, 2 * NS_PER_S, job_killed, j), -EIO);
        signal(SIGCHLD, before);
}

/* The child has all signals blocked, and none of the program's descriptors. */
static int job_looks(void *arg)
{
        int pipe_end = *(int *)arg;
        sigset_t mask;

        sigprocmask(SIG_BLOCK, NULL, &mask);
        if (!sigismember(&mask, SIGTERM) || !sigismember(&mask, SIGUSR1))
                return -EINTR;
        if (fcntl(pipe_end, F_GETFD) >= 0)
                return -EBUSY;
        return 0;
}

static void test_apart(void **state)
{
        sigset_t before, after;
        int ends[2];

        assert_int_equal(pipe(ends), 0);
        sigprocmask(SIG_BLOCK, NULL, &before);
        assert_int_equal(worker_run(job_of(state)->watch, 2 * NS_PER_S, job_looks, &ends[1]), 0);
        sigprocmask(SIG_BLOCK, NULL, &after);
        for (int i = 1; i < SIGRTMIN; i++)
                assert_int_equal(sigismember(&before, i), sigismember(&after, i));
        assert_true(fcntl(ends[1], F_GETFD) >= 0);
        close(ends[0]);
        close(ends[1]);
}

static void test_no_watch(void **state)
{
        (void)state;
        assert_true(watch_enter(NULL, 1, HANG_ALL));
        watch_leave(NULL);
        assert_int_equal(watch_hung(NULL, 1), 0);
}

static void test_hung_bits(void **state)
{
        struct watch *w = job_of(state)->watch;

        w->hung[0].pid = 5;
        w->hung[0].hang = HANG_MM;
        w->hung[1].pid = 6;
        w->hung[1].hang = HANG_ALL;
        w->hung[2].pid = 5;
        w->hung[2].hang = HANG_EXEC;
        w->n_hung = 3;
        assert_int_equal(watch_hung(w, 5), HANG_MM | HANG_EXEC);
        assert_int_equal(watch_hung(w, 6), HANG_ALL);
        assert_true(watch_enter(w, 5, HANG_FILE));
        assert_false(watch_enter(w, 5, HANG_EXEC));
}

/* A read announced to the watch and refused is an error like any other. */
static void test_procio(void **state)
{
        struct watch *w = job_of(state)->watch;
        struct procio *io;
        const char *text;
        uint64_t beat;
        int dir;

        assert_int_equal(procio_new(NULL, w, &io), 0);
        dir = procio_open_process(io, getpid());
        assert_true(dir >= 0);
        beat = w->beat;
        assert_true(procio_read(io, dir, "cmdline", getpid(), HANG_MM, &text) > 0);
        assert_true(w->beat > beat);
        assert_int_equal(w->pid, 0);
        w->hung[0].pid = getpid();
        w->hung[0].hang = HANG_MM;
        w->n_hung = 1;
        assert_int_equal(procio_read(io, dir, "cmdline", getpid(), HANG_MM, &text), -ETIMEDOUT);
        assert_true(procio_read(io, dir, "stat", getpid(), HANG_NONE, &text) > 0);
        assert_int_equal(
                procio_memory(io, dir, getpid(), (uintptr_t)w, &beat, sizeof(beat)), -ETIMEDOUT);
        close(dir);
        procio_free(io);
}

int main(void)
{
#define WITH_JOB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                WITH_JOB(test_good),
                WITH_JOB(test_hang),
                WITH_JOB(test_hang_class),
                WITH_JOB(test_hang_machine),
                WITH_JOB(test_hang_unexpected),
                WITH_JOB(test_hang_all),
                WITH_JOB(test_hang_nameless),
                WITH_JOB(test_no_time),
                WITH_JOB(test_cannot_end),
                WITH_JOB(test_crash),
                WITH_JOB(test_killed),
                WITH_JOB(test_crash_bounded),
                WITH_JOB(test_errors),
                WITH_JOB(test_busy),
                WITH_JOB(test_busy_for_ever),
                WITH_JOB(test_slow),
                WITH_JOB(test_reaped_elsewhere),
                WITH_JOB(test_apart),
                cmocka_unit_test(test_no_watch),
                WITH_JOB(test_hung_bits),
                WITH_JOB(test_procio),
        };

        return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
