/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What files do not tell is who has a lock of the kernel, and how things stand with a thread that
 * does not sleep. Most threads that somebody asks about wait for something else. That is known by
 * the innermost function of their stacks: mutexes and the like do not show there since Linux 6.17,
 * so the places are listed that sleep themselves, and take locks in no other way than one that
 * shows as state D. For any other place the kernel is asked.
 */
#include "capture/enough.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/procfile.h"
#include "base/procio.h"
#include "capture/about.h"
#include "symbol/stacktext.h"
#include "target/select.h"

/* kernel/futex/, kernel/time/hrtimer.c, kernel/exit.c, kernel/signal.c,
 * fs/{pipe,select,eventpoll}.c, kernel/sched/wait.c, net/ipv4/inet_connection_sock.c,
 * net/unix/af_unix.c, net/core/datagram.c */
static const char waits[] =
        "futex_do_wait|futex_wait_queue|futex_wait_queue_me|"
        "hrtimer_nanosleep|do_nanosleep|"
        "do_wait|do_sigtimedwait|sigsuspend|__do_sys_pause|__x64_sys_pause|__arm64_sys_pause|"
        "anon_pipe_read|anon_pipe_write|pipe_read|pipe_write|pipe_wait|"
        "poll_schedule_timeout*|do_poll|do_sys_poll|do_select|ep_poll|wait_woken|"
        "inet_csk_accept|inet_csk_wait_for_connect|"
        "unix_stream_read_generic|unix_stream_data_wait|__skb_wait_for_more_packets";

struct asking {
        struct procio *io;
        pid_t pid;
        int tasks; /* of its threads */
};

/* "TID/NAME" below the directory of the threads */
static const char *task_path(char path[static 48], pid_t tid, const char *name)
{
        char *end = path_put_number(path, tid);

        *end++ = '/';
        stpcpy(end, name);
        return path;
}

static bool waits_in_place(const struct asking *a, pid_t tid)
{
        char path[48], symbol[64];
        const char *text;
        size_t len;

        if (procio_read(a->io, a->tasks, task_path(path, tid, "stack"), a->pid, HANG_EXEC, &text) <
                0)
                return false;
        if (strncmp(text, "[<", 2) != 0 || !(text = strchr(text, ' ')))
                return false;
        len = strcspn(++text, "+\n");
        if (text[len] != '+' || len >= sizeof(symbol))
                return false;
        memcpy(symbol, text, len);
        symbol[len] = 0;
        return symbol_matches(symbol, waits);
}

static bool thread_is_told(const struct asking *a, pid_t tid)
{
        struct procfile_stat stat;
        char path[48];
        ssize_t n = stat_read(a->io, a->tasks, task_path(path, tid, ""), a->pid, &stat);

        if (n == -ENOENT || n == -ESRCH)
                return true; /* it has ended meanwhile */
        if (n <= 0 || !stat.state)
                return false;
        return stat.state == 'S' ? waits_in_place(a, tid) : strchr("TtZX", stat.state) != NULL;
}

static bool process_is_told(struct asking *a, DIR *d, pid_t only, size_t *n_threads)
{
        struct dirent *e;

        if (only)
                return ++*n_threads <= ENOUGH_THREADS_MAX && thread_is_told(a, only);
        while ((e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): own stream */
                char *end;
                long tid = strtol(e->d_name, &end, 10);

                if (*end || tid <= 0)
                        continue;
                if (++*n_threads > ENOUGH_THREADS_MAX || !thread_is_told(a, (pid_t)tid))
                        return false;
        }
        return true;
}

bool files_are_enough(struct procio *io, const struct target *targets, size_t n)
{
        struct asking a = { .io = io };
        size_t n_threads = 0;
        bool told = n <= ENOUGH_THREADS_MAX;

        for (size_t i = 0; i < n && told; i++) {
                _cleanup_close_ int dir = procio_open_process(io, targets[i].pid);
                _cleanup_closedir_ DIR *d = NULL;

                if (dir < 0)
                        continue;
                a.pid = targets[i].pid;
                a.tasks = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                d = a.tasks < 0 ? NULL : fdopendir(a.tasks);
                if (!d && a.tasks >= 0)
                        close(a.tasks);
                if (d)
                        told = process_is_told(&a, d, targets[i].tid, &n_threads);
        }
        return told;
}
