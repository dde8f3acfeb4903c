/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel may name a thread where it speaks of a process (TracerPid is the TID of whoever
 * called ptrace), so each number is asked whose it is.
 */
#include "target/follow.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procfile.h"
#include "base/procio.h"
#include "model.h"
#include "target/select.h"

/* 1: a target; 0: it has ended, or has too many threads. */
static int owner_target(struct procio *io, const struct owner *o, size_t threads_max,
        struct target *ret, size_t *too_large)
{
        pid_t number = o->tid > 0 ? o->tid : o->pid;
        struct procfile_status status;
        struct procfile_stat stat;
        _cleanup_close_ int dir =
                procio_open_process(io, o->tid > 0 && o->pid > 0 ? o->pid : number);
        const char *text;
        ssize_t n;

        if (dir < 0)
                return 0;
        if (o->tid > 0 && o->pid > 0) {
                *ret = (struct target){ .pid = o->pid, .tid = o->tid };
                return 1;
        }
        n = procio_read(io, dir, "status", number, HANG_NONE, &text);
        if (n <= 0 || procfile_status(text, (size_t)n, &status) <= 0)
                return 0;
        n = procio_read(io, dir, "stat", number, HANG_EXEC, &text);
        if (n <= 0 || procfile_stat(text, (size_t)n, &stat) <= 0)
                return 0;
        if (o->tid > 0) {
                *ret = (struct target){ .pid = status.tgid, .tid = number };
                return 1;
        }
        if (threads_max && stat.n_threads > threads_max) {
                ++*too_large;
                return 0;
        }
        *ret = (struct target){ .pid = status.tgid };
        return 1;
}

static int target_compare(const void *a, const void *b)
{
        const struct target *x = a, *y = b;

        if (x->pid != y->pid)
                return (x->pid > y->pid) - (x->pid < y->pid);
        return (x->tid > y->tid) - (x->tid < y->tid);
}

int follow_targets(struct procio *io, struct arena *a, const struct owner *owners, size_t n,
        size_t threads_max, const pid_t self[2], struct selection *ret, size_t *ret_too_large)
{
        struct target *targets = arena_new_array(a, struct target, n + 1);
        size_t n_found = 0, n_kept = 0, too_large = 0;

        if (!targets)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                pid_t pid = owners[i].pid > 0 ? owners[i].pid : owners[i].tid;

                if (pid == self[0] || pid == self[1])
                        continue;
                n_found += (size_t)owner_target(
                        io, &owners[i], threads_max, &targets[n_found], &too_large);
        }
        qsort(targets, n_found, sizeof(*targets), target_compare);
        for (size_t i = 0; i < n_found; i++) {
                const struct target *last = n_kept ? &targets[n_kept - 1] : NULL;

                /* A process as a whole, TID 0, comes before its threads. */
                if (!last || last->pid != targets[i].pid ||
                        (last->tid != 0 && last->tid != targets[i].tid))
                        targets[n_kept++] = targets[i];
        }
        *ret = (struct selection){ .targets = targets, .n_targets = n_kept };
        *ret_too_large = too_large;
        return 0;
}
