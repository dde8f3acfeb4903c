/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parent's side: start, watch, abandon. A quarter of the whole timeout is the patience
 * for the first read that hangs, and half as much for each that follows, down to a bound: where
 * much hangs, a dead file system is the reason, and about a dozen targets share the time.
 *
 * The program around may be anything: it may ignore SIGCHLD or reap every child it finds (so
 * what the job returned is told through shared memory, and the child is named by a pidfd,
 * which no other process inherits as a PID may be), have signal handlers (the child must not
 * run them) and descriptors (the child must not keep them open when it gets stuck).
 */
#include "base/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
#define PATIENCE_LAST 16
#define CRASHES_MAX 8
#define KILL_MS 20 /* most children end sooner than this when they are killed */

struct child {
        pid_t pid;
        int fd; /* pidfd; -1: kernel before 5.3, or no descriptor left */
};

struct watch *watch_new(struct arena *a)
{
        return arena_new_one(a, struct watch);
}

unsigned watch_hung(const struct watch *w, pid_t pid)
{
        unsigned bits = 0;

        for (size_t i = 0; w && i < w->n_hung; i++)
                bits |= w->hung[i].pid == pid ? w->hung[i].hang
                                              : w->hung[i].hang & (unsigned)HANG_CGROUP;
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

/*
 * Its stat would hang where it hangs itself: in execve(2), which closes a file on a dead server.
 */
bool worker_wants_cpu(pid_t child)
{
        static const char state[] = "\nState:\t";
        _cleanup_close_ int fd = -1;
        char path[32], text[512];
        const char *at;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)child);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        n = read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return false;
        text[n] = 0;
        at = strstr(text, state);
        return at && at[strlen(state)] == 'R';
}

/* Has it ended (or is it nobody's child of ours any more: reaped by the program around)? */
static bool child_ended(const struct child *c)
{
        siginfo_t info = { 0 };
        int r = c->fd >= 0 ? waitid(P_PIDFD, (id_t)c->fd, &info, WEXITED | WNOHANG | WNOWAIT)
                           : waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT);

        return r < 0 ? errno == ECHILD : info.si_pid == c->pid;
}

/* Sleep until it ends, at most so long; see whether it has. */
static bool child_poll(const struct child *c, int64_t ns)
{
        struct pollfd p = { .fd = c->fd, .events = POLLIN };

        /* Without a pidfd: look every few milliseconds. */
        poll(&p, c->fd >= 0, c->fd >= 0 ? (int)(ns / NS_PER_MS) + 1 : 2);
        return c->fd >= 0 ? p.revents & POLLIN : child_ended(c);
}

/*
 * True: the child has ended. False: it has not moved for patience_ns, or has not been given a
 * CPU for timeout_ns; counted in *spent_ns.
 */
static bool child_watch(struct watch *w, const struct child *c, int64_t patience_ns,
        int64_t timeout_ns, int64_t *spent_ns)
{
        uint64_t beat = __atomic_load_n(&w->beat, __ATOMIC_ACQUIRE);
        int64_t since = clock_ns(CLOCK_MONOTONIC), moved = since;

        /* Reaped before there was a pidfd: that may even be of another process by now. */
        if (child_ended(c))
                return true;
        while (!child_poll(c, patience_ns / 4)) {
                int64_t now = clock_ns(CLOCK_MONOTONIC);
                uint64_t b = __atomic_load_n(&w->beat, __ATOMIC_ACQUIRE);

                if (b != beat) {
                        beat = b;
                        since = moved = now;
                } else if (worker_wants_cpu(c->pid) && now - moved < timeout_ns) {
                        since = now;
                } else if (now - since >= patience_ns) {
                        *spent_ns += now - moved;
                        return false;
                }
        }
        return true;
}

/* A child that is stuck must not keep the program's sockets, pipes and terminals open. */
static void child_drop_fds(const struct watch *w)
{
        int null;

#ifdef SYS_close_range /* since 5.9; without it, the standard streams at least */
        unsigned from = 3;

        for (;;) {
                unsigned kept = UINT_MAX;

                for (size_t i = 0; i < w->n_keep; i++)
                        if ((unsigned)w->keep[i] >= from && (unsigned)w->keep[i] < kept)
                                kept = (unsigned)w->keep[i];
                if (kept > from)
                        syscall(SYS_close_range, from, kept == UINT_MAX ? kept : kept - 1, 0);
                if (kept == UINT_MAX)
                        break;
                from = kept + 1;
        }
#endif
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null < 0)
                return;
        for (int fd = 0; fd < 3; fd++)
                dup2(null, fd);
        if (null > 2)
                close(null);
}

static _Noreturn void child_run(struct watch *w, pid_t parent, int (*job)(void *arg), void *arg)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent) {
                child_drop_fds(w);
                w->result = job(arg);
                __atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
        }
        _exit(0);
}

/*
 * The child starts with all signals blocked, and leaves them so: the program's handlers are no
 * business of a copy of it. A crash and SIGKILL end it all the same. sigprocmask() is about
 * this thread alone on Linux, and needs no libpthread in older C libraries.
 */
static int child_start(struct watch *w, int (*job)(void *arg), void *arg, struct child *ret_child)
{
        pid_t parent = getpid(), pid;
        sigset_t all, before;
        int error;

        w->done = false;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before);
        pid = fork();
        error = errno;
        if (pid == 0)
                child_run(w, parent, job, arg);
        sigprocmask(SIG_SETMASK, &before, NULL);
        if (pid < 0)
                return -error;
        *ret_child = (struct child){ pid, (int)syscall(SYS_pidfd_open, pid, 0) };
        return 0;
}

/* It has ended: do not leave a zombie, unless the program around was faster. */
static void child_reap(struct child *c)
{
        siginfo_t info;
        int r;

        do
                r = c->fd >= 0 ? waitid(P_PIDFD, (id_t)c->fd, &info, WEXITED) : -1;
        while (r < 0 && errno == EINTR);
        /* P_PIDFD is known since 5.4. */
        if (c->fd < 0 || (r < 0 && errno == EINVAL))
                while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        if (c->fd >= 0)
                close(c->fd);
}

/* It ends at once, or when the read ends; do not wait for that, but remember to reap it. */
static void child_abandon(struct watch *w, struct child *c)
{
        if (c->fd < 0) {
                if (!child_ended(c))
                        kill(c->pid, SIGKILL);
                poll(NULL, 0, KILL_MS);
                waitpid(c->pid, NULL, WNOHANG);
                return;
        }
        syscall(SYS_pidfd_send_signal, c->fd, SIGKILL, NULL, 0);
        /* Where one is stuck, the next one likely is. */
        if (child_poll(c, w->n_left ? 0 : KILL_MS * NS_PER_MS))
                child_reap(c);
        else if (w->n_left < LEFT_MAX)
                w->left[w->n_left++] = c->fd;
        else
                close(c->fd);
}

void watch_reap(struct watch *w, bool last)
{
        size_t n = 0;

        for (size_t i = 0; w && i < w->n_left; i++) {
                siginfo_t info = { 0 };
                int r = waitid(P_PIDFD, (id_t)w->left[i], &info, WEXITED | WNOHANG);

                if (last || r < 0 || info.si_pid)
                        close(w->left[i]);
                else
                        w->left[n++] = w->left[i];
        }
        if (w)
                w->n_left = n;
}

int worker_run(struct watch *w, int64_t timeout_ns, int (*job)(void *arg), void *arg)
{
        int64_t patience_ns = timeout_ns / PATIENCE_FIRST, spent_ns = 0;
        unsigned crashes = 0;
        bool shrink;

        for (;;) {
                struct child child = { .pid = -1, .fd = -1 };
                int r = child_start(w, job, arg, &child);

                if (r < 0)
                        return r;
                if (!child_watch(w, &child, patience_ns, timeout_ns, &spent_ns)) {
                        child_abandon(w, &child);
                        watch_reap(w, false);
                        /* All is done, and only its end hangs: it closes a dead file. */
                        if (__atomic_load_n(&w->done, __ATOMIC_ACQUIRE))
                                return w->result;
                        shrink = watch_blame(w);
                        if (spent_ns >= timeout_ns)
                                return -ETIMEDOUT;
                        if (shrink && patience_ns / 2 >= timeout_ns / PATIENCE_LAST)
                                patience_ns /= 2;
                        continue;
                }
                child_reap(&child);
                if (__atomic_load_n(&w->done, __ATOMIC_ACQUIRE))
                        return w->result;
                /* It crashed, over what it read last: continue without that. */
                if (++crashes > CRASHES_MAX)
                        return -EIO;
                watch_blame(w);
        }
}
