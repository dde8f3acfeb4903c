/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parent's side: start, watch, abandon. A quarter of the whole timeout is the patience
 * for the first read that hangs, and half as much for each that follows, down to a bound: where
 * much hangs, a dead file system is the reason, and dozens of targets share the time.
 */
#include "base/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define PATIENCE_FIRST 4 /* part of the timeout */
#define PATIENCE_LAST 64
#define CRASHES_MAX 8
#define EXIT_JOB_FAILED 100 /* exit status of a child whose job returned an error: 100 + n */

struct watch *watch_new(struct arena *a)
{
        return arena_new_one(a, struct watch);
}

unsigned watch_hung(const struct watch *w, pid_t pid)
{
        unsigned bits = 0;

        for (size_t i = 0; w && i < w->n_hung; i++)
                if (w->hung[i].pid == pid)
                        bits |= w->hung[i].hang;
        return bits;
}

bool watch_enter(struct watch *w, pid_t pid, enum hang hang)
{
        if (!w)
                return true;
        if (w->n_hung && pid && (watch_hung(w, pid) & hang))
                return false;
        w->pid = pid;
        w->hang = hang;
        __atomic_add_fetch(&w->beat, 1, __ATOMIC_RELEASE);
        return true;
}

void watch_leave(struct watch *w)
{
        if (!w)
                return;
        w->hang = HANG_NONE;
        w->pid = 0;
}

/* True: what hung is known, and will not be asked again. */
static bool watch_blame(struct watch *w)
{
        if (!w->pid || w->n_hung == HUNG_MAX)
                return false;
        w->hung[w->n_hung].pid = w->pid;
        /* A read that was not expected to block did: leave that process alone. */
        w->hung[w->n_hung].hang = w->hang ? w->hang : HANG_ALL;
        w->n_hung++;
        watch_leave(w);
        return true;
}

/* A child that waits for a CPU does not hang: the machine is busy. */
static bool child_wants_cpu(pid_t child)
{
        _cleanup_close_ int fd = -1;
        char path[32], text[512];
        const char *state;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        n = read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return false;
        text[n] = 0;
        state = strrchr(text, ')');
        return state && state[1] == ' ' && state[2] == 'R';
}

/*
 * True: the child has ended. False: it has not moved for patience_ns, or has not been given a
 * CPU for timeout_ns; counted in *spent_ns.
 */
static bool child_watch(
        struct watch *w, pid_t child, int64_t patience_ns, int64_t timeout_ns, int64_t *spent_ns)
{
        _cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, child, 0);
        uint64_t beat = __atomic_load_n(&w->beat, __ATOMIC_ACQUIRE);
        int64_t since = clock_ns(CLOCK_MONOTONIC), moved = since;

        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                int64_t now;
                uint64_t b;

                /* Without pidfds (kernels before 5.3): look every few milliseconds. */
                if (fd >= 0)
                        poll(&p, 1, (int)(patience_ns / NS_PER_MS / 4) + 1);
                else
                        poll(NULL, 0, 2);
                if (fd >= 0 && (p.revents & POLLIN))
                        return true;
                if (fd < 0) {
                        siginfo_t info = { 0 };

                        if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
                                info.si_pid == child)
                                return true;
                }
                now = clock_ns(CLOCK_MONOTONIC);
                b = __atomic_load_n(&w->beat, __ATOMIC_ACQUIRE);
                if (b != beat) {
                        beat = b;
                        since = moved = now;
                } else if (child_wants_cpu(child) && now - moved < timeout_ns) {
                        since = now;
                } else if (now - since >= patience_ns) {
                        *spent_ns += now - moved;
                        return false;
                }
        }
}

static pid_t child_start(int (*job)(void *arg), void *arg)
{
        pid_t parent = getpid(), child;

        child = fork();
        if (child < 0)
                return -errno;
        if (child == 0) {
                int r;

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent)
                        _exit(0);
                r = job(arg);
                _exit(r < 0 ? (-r < 256 - EXIT_JOB_FAILED ? EXIT_JOB_FAILED - r : 255) : 0);
        }
        return child;
}

int worker_run(struct watch *w, int64_t timeout_ns, int (*job)(void *arg), void *arg)
{
        int64_t patience_ns = timeout_ns / PATIENCE_FIRST, spent_ns = 0;
        unsigned crashes = 0;
        bool shrink;

        for (;;) {
                pid_t child = child_start(job, arg);
                int status = 0;

                if (child < 0)
                        return child;
                if (!child_watch(w, child, patience_ns, timeout_ns, &spent_ns)) {
                        kill(child, SIGKILL);
                        /* It may end at once, or when the read ends; do not wait for that. */
                        poll(NULL, 0, 1);
                        waitpid(child, NULL, WNOHANG);
                        shrink = watch_blame(w);
                        if (spent_ns >= timeout_ns)
                                return -ETIMEDOUT;
                        if (shrink && patience_ns / 2 >= timeout_ns / PATIENCE_LAST)
                                patience_ns /= 2;
                        continue;
                }
                /* The program around may have reaped it: then its end is all that is known. */
                if (waitpid(child, &status, 0) < 0)
                        return 0;
                if (WIFEXITED(status))
                        return WEXITSTATUS(status) > EXIT_JOB_FAILED
                                       ? EXIT_JOB_FAILED - WEXITSTATUS(status)
                                       : 0;
                /* It crashed, over what it read last: continue without that. */
                if (++crashes > CRASHES_MAX)
                        return -EIO;
                watch_blame(w);
        }
}
