/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See process.h. */
#include "capture/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procfile.h"
#include "base/procio.h"
#include "base/worker.h"
#include "capture/about.h"
#include "model.h"
#include "query.h"
#include "target/select.h"

#define PF_KTHREAD 0x00200000
#define BLOCK_MAX 255 /* threads that memory is asked for at once */

static void gap_process(
        struct snapshot *s, const struct pwhy_query *query, pid_t pid, const char *why, bool hides)
{
        const char *what = query_takes_all(query) ? "processes"
                                                  : arena_printf(s->arena, "process %d", (int)pid);

        snapshot_gap(s, what ? what : "a process", why, NULL, hides);
}

static bool is_gone(ssize_t r)
{
        return r == -ENOENT || r == -ESRCH;
}

int process_begin(struct procio *io, struct watch *watch, struct snapshot *s,
        const struct pwhy_query *query, const struct target *t, struct process **ret_process,
        int *ret_dir)
{
        _cleanup_close_ int dir = -1;
        struct procfile_stat stat;
        struct process *p;
        ssize_t n;

        if ((watch_hung(watch, t->pid) & HANG_ALL) == HANG_ALL) {
                gap_process(s, query, t->pid, "did not answer in time", true);
                return 0;
        }
        dir = procio_open_process(io, t->pid);
        n = dir < 0 ? dir : stat_read(io, dir, "", t->pid, &stat);
        if (is_gone(n) && !procio_live(io))
                return 0; /* recorded for its name only, as somebody's parent */
        if (n <= 0) {
                gap_process(s, query, t->pid,
                        is_gone(n) ? "ended while it was read" : "cannot be read", !is_gone(n));
                return 0;
        }
        if (t->start_time && stat.start_time && t->start_time != stat.start_time) {
                gap_process(
                        s, query, t->pid, "ended, and its number is another process's now", false);
                return 0;
        }
        p = arena_new_one(s->arena, struct process);
        if (!p)
                return -ENOMEM;
        p->threads_tail = &p->threads;
        p->pid = t->pid;
        p->ppid = stat.ppid;
        p->comm = arena_str(s->arena, stat.comm);
        p->start_time = stat.start_time;
        p->n_alive = stat.n_threads;
        p->kernel = stat.flags & PF_KTHREAD;
        if (!about_read(io, s, query, p, dir))
                return 0;
        *ret_process = p;
        *ret_dir = dir;
        dir = -1;
        return 1;
}

void process_end(struct watch *watch, struct snapshot *s, const struct pwhy_query *query,
        struct process *p, bool filtered)
{
        if (watch_hung(watch, p->pid) & HANG_FILE)
                snapshot_gap(
                        s, "file descriptors", "the file behind one does not answer", NULL, false);
        if (p->threads)
                snapshot_add_process(s, p);
        else if (!filtered)
                gap_process(s, query, p->pid, "ended while it was read", false);
}

/*
 * "kworker/0:1-events", "rcu_tasks_rude_kthread": of kernel threads the name in the task is cut, or
 * only the beginning (proc_task_name(), fs/proc/array.c).
 */
const char *process_kernel_comm(struct procio *io, struct arena *a, pid_t pid)
{
        char path[32];
        const char *text;

        snprintf(path, sizeof(path), "%d/comm", (int)pid);
        if (procio_read(io, procio_root(io), path, pid, HANG_NONE, &text) <= 0)
                return NULL;
        return arena_strn(a, text, strcspn(text, "\n"));
}

struct thread *threadroom_take(struct threadroom *room, struct arena *a)
{
        if (!room->n_left) {
                room->n_block = room->n_block < BLOCK_MAX ? room->n_block * 2 + 1 : BLOCK_MAX;
                room->next = arena_new_array(a, struct thread, room->n_block);
                if (!room->next)
                        return NULL;
                room->n_left = room->n_block;
        }
        room->n_left--;
        return room->next++;
}
