/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that sleep until a time or wait for a signal. */
#include "scene.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#ifdef SYS_pause
#define PAUSE_CALLS SYS_pause, SYS_ppoll
#else
#define PAUSE_CALLS SYS_ppoll
#endif

static void sleep_ready(struct stage *st, pid_t pid, uint64_t expires)
{
        stage_ready(st, pid, pid, "seconds=%d expires=%lu", FOREVER_S, expires);
}

static pid_t nanosleep_start(struct stage *st)
{
        struct timespec time = { .tv_sec = FOREVER_S };
        pid_t pid = child_start(st);

        if (pid == 0) {
                /* glibc's nanosleep() is clock_nanosleep(2). */
                syscall(SYS_nanosleep, &time, NULL);
                child_end();
        }
        wait_call(st, pid, SYS_nanosleep, -1);
        return pid;
}

static void nanosleep_plain(struct stage *st, int how)
{
        uint64_t expires = monotonic_after(FOREVER_S);

        (void)how;
        sleep_ready(st, nanosleep_start(st), expires);
}

/* Stopping and continuing makes the kernel restart the call under another number. */
static void nanosleep_restarted(struct stage *st, int how)
{
        uint64_t expires = monotonic_after(FOREVER_S);
        pid_t pid = nanosleep_start(st);

        (void)how;
        MUST(kill(pid, SIGSTOP));
        wait_state(st, pid, "T");
        MUST(kill(pid, SIGCONT));
        wait_call(st, pid, SYS_restart_syscall, -1);
        sleep_ready(st, pid, expires);
}

static void clock_nanosleep_absolute(struct stage *st, int clock)
{
        uint64_t expires = monotonic_after(FOREVER_S);
        struct timespec until;
        pid_t pid;

        MUST(clock_gettime(clock, &until));
        until.tv_sec += FOREVER_S;
        pid = child_start(st);
        if (pid == 0) {
                clock_nanosleep(clock, TIMER_ABSTIME, &until, NULL);
                child_end();
        }
        wait_call(st, pid, SYS_clock_nanosleep, -1);
        sleep_ready(st, pid, expires);
}

/* Until the process has used so much CPU time: when that is, nobody can tell. */
static void clock_nanosleep_cpu(struct stage *st, int clock)
{
        struct timespec time = { .tv_sec = FOREVER_S };
        pid_t pid = child_start(st);

        if (pid == 0) {
                clock_nanosleep(clock, 0, &time, NULL);
                child_end();
        }
        wait_call(st, pid, SYS_clock_nanosleep, -1);
        stage_ready(st, pid, pid, "cpu-seconds=%d", FOREVER_S);
}

/* In a time namespace the clock since boot reads otherwise, by more than a day here. */
static void clock_nanosleep_namespace(struct stage *st, int clock)
{
        uint64_t expires = monotonic_after(FOREVER_S);
        pid_t outer = child_start(st), pid;

        if (outer == 0) {
                NEED(st, unshare(CLONE_NEWTIME));
                if (!text_write("/proc/self/timens_offsets", "monotonic 100000 0\n"))
                        stage_skip(st, "/proc/self/timens_offsets cannot be written");
                pid = child_start(st);
                if (pid == 0) {
                        struct timespec until;

                        MUST(clock_gettime(clock, &until));
                        until.tv_sec += FOREVER_S;
                        clock_nanosleep(clock, TIMER_ABSTIME, &until, NULL);
                        child_end();
                }
                shared_set(st, 0, (uint64_t)pid);
                for (;;)
                        pause();
        }
        pid = (pid_t)shared_wait(st, 0);
        wait_call(st, pid, SYS_clock_nanosleep, -1);
        sleep_ready(st, pid, expires);
}

static void sleep_libc(struct stage *st, int how)
{
        uint64_t expires = monotonic_after(FOREVER_S);
        pid_t pid = child_start(st);

        (void)how;
        if (pid == 0) {
                sleep(FOREVER_S);
                child_end();
        }
        wait_call(st, pid, SYS_clock_nanosleep, SYS_nanosleep, -1);
        sleep_ready(st, pid, expires);
}

enum signal_wait { PAUSE, SUSPEND, WAITINFO, TIMEDWAIT };

static void signal_actor(int how)
{
        struct timespec timeout = { .tv_sec = FOREVER_S };
        sigset_t set;

        sigemptyset(&set);
        if (how == PAUSE)
                pause();
        if (how == SUSPEND)
                sigsuspend(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        if (how == WAITINFO)
                sigwaitinfo(&set, NULL);
        if (how == TIMEDWAIT)
                sigtimedwait(&set, NULL, &timeout);
        child_end();
}

static void signal_run(struct stage *st, int how)
{
        uint64_t expires = monotonic_after(FOREVER_S);
        pid_t pid = child_start(st);

        if (pid == 0)
                signal_actor(how);
        if (how == PAUSE)
                wait_call(st, pid, PAUSE_CALLS, -1);
        else if (how == SUSPEND)
                wait_call(st, pid, SYS_rt_sigsuspend, -1);
        else
                wait_call(st, pid, SYS_rt_sigtimedwait, -1);
        if (how == TIMEDWAIT)
                stage_ready(st, pid, pid, "signal=%d seconds=%d expires=%lu", SIGUSR1, FOREVER_S,
                        expires);
        else
                stage_ready(st, pid, pid, "signal=%d", how == WAITINFO ? SIGUSR1 : 0);
}

const struct scene scenes_time[] = {
        { "nanosleep", nanosleep_plain, 0, "nanosleep(2)" },
        { "nanosleep-restarted", nanosleep_restarted, 0, "the same, stopped and continued" },
        { "sleep", sleep_libc, 0, "sleep(3)" },
        { "clock-nanosleep-realtime", clock_nanosleep_absolute, CLOCK_REALTIME,
                "clock_nanosleep(2) until a wall clock time" },
        { "clock-nanosleep-monotonic", clock_nanosleep_absolute, CLOCK_MONOTONIC,
                "clock_nanosleep(2) until a time since boot" },
        { "clock-nanosleep-cpu", clock_nanosleep_cpu, CLOCK_PROCESS_CPUTIME_ID,
                "clock_nanosleep(2) for some CPU time" },
        { "clock-nanosleep-namespace", clock_nanosleep_namespace, CLOCK_MONOTONIC,
                "clock_nanosleep(2) in a time namespace" },
        { "pause", signal_run, PAUSE, "pause(2)" },
        { "sigsuspend", signal_run, SUSPEND, "sigsuspend(2)" },
        { "sigwaitinfo", signal_run, WAITINFO, "sigwaitinfo(2)" },
        { "sigtimedwait", signal_run, TIMEDWAIT, "sigtimedwait(2) with a timeout" },
        { NULL, NULL, 0, NULL },
};
