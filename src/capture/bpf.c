/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bpf source: threads as the program inside the kernel told them (taskiter.h), which is all of
 * them at about one moment.
 *
 * Enters: a session with its table of threads, sampled by the caller. Leaves: the same processes
 * and threads as the proc source, with the registers of user space and the kernel lock that a
 * thread sleeps on, which files do not tell. Can go missing: processes that end.
 *
 * What lies in files (fds, memory, command lines) is read after the sample. So the table is
 * sampled again at the end, and what of a thread that ran meanwhile does not belong together is
 * read anew, a few times.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procio.h"
#include "base/worker.h"
#include "capture/abi.h"
#include "capture/kernellock.h"
#include "capture/process.h"
#include "capture/session.h"
#include "capture/source.h"
#include "capture/stackset.h"
#include "capture/taskorder.h"
#include "capture/taskregs.h"
#include "capture/tasktable.h"
#include "query.h"
#include "resolve/syscall.h"

#define STACKS_BATCH 1000 /* IOV_MAX at most; what is copied of so many fits into a large page */
#define CROWD 2048
#define ROUNDS 4 /* of reading what ran meanwhile */

struct source {
        struct procio *io;
        struct watch *watch;
        struct snapshot *snapshot;
        const struct pwhy_query *query;
        const struct within *within;
        struct tasktable *table;
        struct stackset *stacks;
        enum abi abi; /* of 64-bit programs */
        struct taskorder *order;
        uint64_t now_ns;      /* queue clock at the sample */
        const char *comm;     /* the last one, which the next often shares */
        struct process *last; /* process whose directory is open */
        int dir;
        bool sampled;         /* some of what was captured is from the table */
        bool whole;           /* the table has all that is wanted, and nothing else is read */
        bool filtered;        /* the table has what passes the filters alone, and who does not */
        struct source *files; /* the proc source, for what the pass did not meet */
        struct threadroom room;
};

static void bpf_close(struct source *src)
{
        if (!src)
                return;
        source_proc.close(src->files);
        if (src->dir >= 0)
                close(src->dir);
        stackset_free(src->stacks);
        taskorder_free(src->order);
        free(src);
}

static int bpf_open(struct procio *io, struct watch *watch, struct snapshot *s,
        const struct pwhy_query *query, struct session *session, struct source **ret_source)
{
        struct source *src;
        int r;

        if (!session_table(session))
                return -ENOSYS;
        src = calloc(1, sizeof(*src));
        r = src ? stackset_new(s->arena, &src->stacks) : -ENOMEM;
        if (r < 0) {
                free(src);
                return r;
        }
        src->io = io;
        src->watch = watch;
        src->snapshot = s;
        src->query = query;
        src->table = session_table(session);
        src->now_ns = taskiter_now_ns(session_iter(session));
        src->abi = s->host.arch ? abi_from_machine(s->host.arch) : ABI_UNKNOWN;
        src->filtered = session_is_filtered(session);
        src->dir = -1;
        *ret_source = src;
        return 0;
}

static const char *comm_keep(struct source *src, const struct wire_task *w)
{
        size_t len = strnlen(w->comm, WIRE_COMM - 1);
        const char *comm = NULL;

        if (w->flags & WIRE_KERNEL &&
                (len == WIRE_COMM - 1 || strncmp(w->comm, "kworker/", 8) == 0))
                comm = process_kernel_comm(src->io, src->snapshot->arena, w->pid);
        if (comm)
                return comm;
        if (!src->comm || strlen(src->comm) != len || memcmp(src->comm, w->comm, len) != 0)
                src->comm = arena_strn(src->snapshot->arena, w->comm, len);
        return src->comm;
}

/* A call's number and arguments say what they do in /proc/PID/syscall. */
static void call_fill(const struct source *src, struct thread *t, const struct taskentry *e)
{
        const struct wire_task *w = &e->task;
        struct call *c = &t->call;

        if (t->state == 'R') {
                c->state = CALL_RUNNING;
                return;
        }
        c->state = CALL_OUTSIDE;
        if (!(w->flags & WIRE_REGS))
                return;
        c->sp = w->sp;
        c->pc = w->pc;
        if (w->nr < 0)
                return;
        c->state = CALL_INSIDE;
        c->nr = w->nr;
        memcpy(c->args, w->args, sizeof(c->args));
        c->abi = !(w->flags & WIRE_COMPAT) ? src->abi
                 : src->abi == ABI_X86_64  ? ABI_I386
                                           : ABI_UNKNOWN;
        c->desc = syscall_find(c->abi, c->nr);
}

static int stack_fill(struct source *src, struct thread *t, const struct taskentry *e)
{
        const char *text;
        size_t len;

        /* One that runs has left its stack: the kernel prints none, either. */
        if (e->task.flags & WIRE_ON_CPU || !e->stack->n_frames) {
                t->kernel_stack = stackset_add(src->stacks, "", 0);
                return t->kernel_stack ? 0 : -ENOMEM;
        }
        t->kernel_stack = stackset_recall(src->stacks, e->stack);
        if (t->kernel_stack)
                return 0;
        text = tasktable_stack_text(src->table, e->stack, &len);
        t->kernel_stack = text ? stackset_add(src->stacks, text, len) : NULL;
        stackset_remember(src->stacks, e->stack, t->kernel_stack);
        return t->kernel_stack ? 0 : -ENOMEM;
}

static int thread_fill(struct source *src, struct thread *t, const struct taskentry *e)
{
        const struct wire_task *w = &e->task;

        t->tid = w->tid;
        t->comm = comm_keep(src, w);
        t->state = task_state_letter(w->state);
        t->cpu = (int)w->cpu;
        t->has_on_cpu = t->state == 'R';
        t->on_cpu = w->flags & WIRE_ON_CPU;
        t->throttled = w->flags & WIRE_THROTTLED;
        t->switches = w->switches;
        t->has_switches = true;
        if (t->state == 'R' && !t->on_cpu && w->queued_ns && !t->throttled) {
                int64_t ns = (int64_t)(src->now_ns - w->queued_ns);

                t->has_ready_for = true;
                t->ready_for_ns = ns > 0 ? ns : 0;
        }
        t->sleep_start_ns = w->exec_start;
        static_assert((int)NS_MAX == WIRE_NS_MAX, "the same order");
        memcpy(t->ns, w->ns, sizeof(t->ns));
        t->moved = w->flags & WIRE_MOVED;
        if (!src->query->raw) {
                call_fill(src, t, e);
                taskregs_fill(src->snapshot, src->table, e, t);
                t->blocker = kernellock_object(src->snapshot, w);
        }
        return stack_fill(src, t, e);
}

static bool is_wanted(
        const struct source *src, const struct target *t, size_t n, pid_t tid, char state)
{
        const char *states = src->query->filter.states;

        if (*states && !strchr(states, state))
                return false;
        if (!t || !t->tid)
                return true;
        for (size_t i = 0; i < n; i++)
                if (t[i].tid == tid)
                        return true;
        return false;
}

/* Copies of user stacks, of as many threads at once as the kernel takes. */
static void stacks_copy(struct source *src, const struct process *p)
{
        struct thread *threads[STACKS_BATCH];
        size_t n = 0;

        if (!src->within || !src->within->stacks)
                return;
        for_each_thread(t, p) {
                threads[n++] = t;
                if (n == STACKS_BATCH || !t->next) {
                        src->within->stacks(src->within->arg, threads, n);
                        n = 0;
                }
        }
}

/* Of a crowd of which stacks alone are wanted no worker will write to a thread. */
static struct thread *thread_new(struct source *src)
{
        struct arena *a = src->snapshot->arena;

        return src->whole && tasktable_count(src->table) >= CROWD
                       ? arena_alloc_own(a, sizeof(struct thread))
                       : threadroom_take(&src->room, a);
}

static int threads_read(struct source *src, struct process *p, const struct target *t, size_t n)
{
        const struct taskentry *e;

        for (size_t i = taskorder_first(src->order, p->pid); (e = taskorder_entry(src->order, i));
                i++) {
                struct thread *thread;
                int r;

                if (e->task.pid != p->pid)
                        break;
                if (!is_wanted(src, t, n, e->task.tid, task_state_letter(e->task.state)))
                        continue;
                thread = thread_new(src);
                if (!thread)
                        return -ENOMEM;
                thread->process = p;
                r = thread_fill(src, thread, e);
                if (r < 0)
                        return r;
                if (src->within)
                        src->within->thread(src->within->arg, thread, src->dir);
                process_add_thread(src->snapshot, p, thread);
        }
        stacks_copy(src, p);
        return 0;
}

/* For stacks alone, all that is shown of a process is its number and its name. */
static struct process *process_of_entry(struct source *src, const struct taskentry *e)
{
        struct process *p = arena_new_one(src->snapshot->arena, struct process);

        if (!p)
                return NULL;
        p->threads_tail = &p->threads;
        p->pid = e->task.pid;
        p->comm = comm_keep(src, &e->task);
        p->kernel = e->task.flags & WIRE_KERNEL;
        return p;
}

/*
 * The pass did not meet it: it is younger, or hidden from such programs (a kernel may guard a
 * process from them). Its files may tell.
 */
static int process_from_files(struct source *src, const struct target *t, size_t n)
{
        const struct selection one = { .targets = (struct target *)t, .n_targets = n };
        size_t next = 0;
        int r = 0;

        if (!src->files)
                r = source_proc.open(
                        src->io, src->watch, src->snapshot, src->query, NULL, &src->files);
        return r < 0 ? r : source_proc.capture(src->files, &one, &next, src->within);
}

static int process_read(struct source *src, const struct target *t, size_t n)
{
        const struct taskentry *e =
                taskorder_entry(src->order, taskorder_first(src->order, t->pid));
        bool met = e && e->task.pid == t->pid;
        struct process *p = NULL;
        int dir = -1, r;

        if (src->whole) { /* nothing here may wait for a file */
                if (!met)
                        return 0;
                p = process_of_entry(src, e);
                if (!p)
                        return -ENOMEM;
        } else if (!met) {
                return tasktable_left_out(src->table, t->pid) ? 0 : process_from_files(src, t, n);
        } else {
                r = process_begin(src->io, src->watch, src->snapshot, src->query, t, &p, &dir);
                if (r <= 0)
                        return r;
        }
        if (src->dir >= 0)
                close(src->dir);
        src->dir = dir;
        src->last = p;
        src->sampled = true;
        if (src->within)
                src->within->process(src->within->arg, p, dir);
        r = threads_read(src, p, t, n);
        if (r < 0)
                return r;
        process_end(src->watch, src->snapshot, src->query, p, src->filtered);
        return 0;
}

/* It ran since it was read: read what is in files again. */
static int thread_again(struct source *src, struct thread *t, const struct taskentry *e)
{
        struct process *p = t->process;
        struct thread *next = t->next;
        int r;

        if (src->last != p) {
                if (src->dir >= 0)
                        close(src->dir);
                src->dir = procio_open_process(src->io, p->pid);
                src->last = p;
                if (src->dir >= 0 && src->within)
                        src->within->process(src->within->arg, p, src->dir);
        }
        memset(t, 0, sizeof(*t));
        t->next = next;
        t->process = p;
        r = thread_fill(src, t, e);
        if (r < 0)
                return r;
        /* Should this hang, what there is does not belong together. */
        t->moved = true;
        if (src->dir >= 0 && src->within)
                src->within->thread(src->within->arg, t, src->dir);
        if (src->within && src->within->stacks)
                src->within->stacks(src->within->arg, &t, 1);
        t->moved = e->task.flags & WIRE_MOVED;
        return 0;
}

/* *ret_left: how many of its threads had run since the sample before. */
static int process_again(struct source *src, struct process *p, bool last, size_t *ret_left)
{
        struct thread **link = &p->threads;
        size_t n_ended = 0;
        int r = 0;

        while (*link && r == 0) {
                struct thread *t = *link;
                const struct taskentry *e = tasktable_find(src->table, t->tid);

                if (t->from_files) {
                        link = &t->next;
                        continue;
                }
                if (!e || e->task.pid != p->pid) {
                        *link = t->next;
                        n_ended++;
                        continue;
                }
                link = &t->next;
                if (e->task.switches == t->switches && !t->moved)
                        continue;
                /* Of one that did not sleep, nothing was read but the sample. */
                if (t->state == 'R' && !t->moved)
                        continue;
                ++*ret_left;
                if (last)
                        t->moved = true;
                else
                        r = thread_again(src, t, e);
        }
        p->n_threads -= n_ended;
        p->threads_tail = link;
        for (; n_ended && p->threads; n_ended--)
                snapshot_gap(src->snapshot, "threads", "ended while they were read", NULL, false);
        return r;
}

/* Sample again; what ran meanwhile is read again, what ended is dropped. */
static int round_run(struct source *src, bool last, size_t *ret_left)
{
        struct snapshot *s = src->snapshot;
        struct process **link = &s->processes;
        pid_t *pids = NULL;
        size_t n = 0;
        int r;

        for_each_process(p, s)
                n++;
        pids = calloc(n + 1, sizeof(*pids));
        if (!pids)
                return -ENOMEM;
        n = 0;
        for_each_process(p, s)
                pids[n++] = p->pid;
        r = tasktable_sample_processes(src->table, pids, n);
        stackset_forget(src->stacks); /* the table may have, too */
        free(pids);
        *ret_left = 0;
        while (*link && r == 0) {
                struct process *p = *link;

                r = process_again(src, p, last, ret_left);
                if (p->threads) {
                        link = &p->next;
                        continue;
                }
                *link = p->next;
                if (src->last == p)
                        src->last = NULL;
                process_end(src->watch, s, src->query, p, false); /* says that it has ended */
        }
        if (r == 0)
                s->processes_tail = link;
        return r;
}

/* Is anything to be read again? Of what was sampled and nothing else, what ran during that. */
static bool is_doubtful(const struct source *src)
{
        if (!src->whole)
                return src->sampled;
        for_each_process(p, src->snapshot)
                for_each_thread(t, p)
                        if (t->moved)
                                return true;
        return false;
}

static int bpf_capture(struct source *src, const struct selection *selection, size_t *next,
        const struct within *within)
{
        int r = taskorder_new(src->table, &src->order);
        size_t left;

        src->within = within;
        src->whole = !within;
        while (r == 0 && *next < selection->n_targets) {
                const struct target *t = &selection->targets[*next];
                size_t n = 1;

                while (*next + n < selection->n_targets && t[n].pid == t->pid)
                        n++;
                r = process_read(src, t, n);
                if (r == 0)
                        *next += n;
        }
        left = is_doubtful(src);
        for (int round = 0; r == 0 && left && round < ROUNDS; round++)
                r = round_run(src, round + 1 == ROUNDS, &left);
        return r < 0 ? r : arena_failed(src->snapshot->arena) ? -ENOMEM : 0;
}

const struct source_ops source_bpf = {
        .name = "bpf",
        .open = bpf_open,
        .capture = bpf_capture,
        .close = bpf_close,
};
