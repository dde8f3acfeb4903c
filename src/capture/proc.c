/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The proc source: plain files, any kernel, live or recorded.
 *
 * Enters: a selection. Leaves: processes with their threads, each read between two readings
 * of its context-switch count. Can go missing, as gaps: kernel stacks (CAP_SYS_ADMIN), system
 * calls (ptrace access), the time of sleep (CONFIG_SCHED_DEBUG), processes that end.
 *
 * Identity: everything is read through a directory fd of /proc/PID, and the count through an
 * fd of the thread's own file. Both pin the kernel's struct pid, as a pidfd does, and answer
 * ESRCH for ever once it has ended, whoever gets the number next. So a second reading of the
 * count also proves that what was read by number meanwhile (process_vm_readv) was the thread's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/privilege.h"
#include "base/procfile.h"
#include "base/procio.h"
#include "base/worker.h"
#include "capture/abi.h"
#include "capture/about.h"
#include "capture/process.h"
#include "capture/running.h"
#include "capture/source.h"
#include "capture/stackset.h"
#include "query.h"
#include "resolve/syscall.h"
#include "symbol/stacktext.h"

#define ATTEMPTS 4                /* to read a thread while it does not run */
#define RECORDED_THREADS_MAX 1024 /* of a process in a recorded tree */

struct source {
        struct procio *io;
        struct watch *watch;
        struct snapshot *snapshot;
        const struct pwhy_query *query;
        const struct within *within;
        struct privilege privilege;
        struct stackset *stacks;
        enum abi abi; /* of 64-bit programs */
        struct running running;
        struct thread *spare; /* made for a thread that was not wanted */
};

struct reading {           /* of the threads of one process */
        int dir;           /* of the process */
        int tasks;         /* of its threads: shorter paths are found faster */
        int stack_refused; /* errno */
        int call_refused;
        bool sched; /* the kernel has the sched file */
        char comm[COMM_MAX + 1];
        const char *comm_kept; /* the same, in the arena */
};

static void proc_close(struct source *src)
{
        if (!src)
                return;
        running_done(&src->running);
        stackset_free(src->stacks);
        free(src);
}

static int proc_open(struct procio *io, struct watch *watch, struct snapshot *s,
        const struct pwhy_query *query, struct session *session, struct source **ret_source)
{
        struct source *src = calloc(1, sizeof(*src));
        int r = src ? stackset_new(s->arena, &src->stacks) : -ENOMEM;

        if (r < 0) {
                free(src);
                return r;
        }
        (void)session;
        src->io = io;
        src->watch = watch;
        src->snapshot = s;
        src->query = query;
        src->abi = s->host.arch ? abi_from_machine(s->host.arch) : ABI_UNKNOWN;
        privilege_read(&src->privilege, !procio_live(io));
        *ret_source = src;
        return 0;
}

static void gap_refused(struct source *src, const char *what, struct refusal refusal, bool hides)
{
        snapshot_gap(src->snapshot, what, refusal.why, refusal.remedy, hides);
}

static bool is_refusal(ssize_t r)
{
        return r == -EACCES || r == -EPERM;
}

/* The switch count, and when the thread last ran. <0: error; 0: not told; 1: got it. */
static int switches_read(
        struct source *src, int fd, bool sched, uint64_t *ret_switches, uint64_t *ret_exec_start)
{
        struct procfile_status status = { 0 };
        struct procfile_sched s = { 0 };
        const char *text;
        ssize_t n;

        n = procio_reread(src->io, fd, &text);
        if (n < 0)
                return (int)n;
        if (sched) {
                if (procfile_sched(text, (size_t)n, &s) <= 0 || !s.has_switches)
                        return 0;
                *ret_switches = s.switches;
                *ret_exec_start = s.has_exec_start ? s.exec_start_ns : 0;
                return 1;
        }
        if (procfile_status(text, (size_t)n, &status) <= 0 || !status.has_switches)
                return 0;
        *ret_switches = status.switches;
        *ret_exec_start = 0;
        return 1;
}

/* Within the directory of the process's threads: "TID/NAME" */
static const char *task_path(char path[static 48], const struct thread *t, const char *name)
{
        char *end = path_put_number(path, t->tid);

        *end++ = '/';
        stpcpy(end, name);
        return path;
}

static ssize_t call_read(struct source *src, struct thread *t, const struct reading *rd)
{
        struct procfile_syscall call = { 0 };
        char path[48];
        const char *text;
        ssize_t n;

        memset(&t->call, 0, sizeof(t->call));
        n = procio_read(src->io, rd->tasks, task_path(path, t, "syscall"), t->process->pid,
                HANG_EXEC, &text);
        if (n < 0)
                return n;
        if (procfile_syscall(text, (size_t)n, &call) <= 0)
                return 0;
        t->call.sp = call.sp;
        t->call.pc = call.pc;
        if (call.state == SYSCALL_RUNNING) {
                t->call.state = CALL_RUNNING;
                return 1;
        }
        if (call.state == SYSCALL_OUTSIDE || t->process->kernel) {
                t->call.state = CALL_OUTSIDE;
                return 1;
        }
        t->call.state = CALL_INSIDE;
        t->call.nr = call.nr;
        memcpy(t->call.args, call.args, sizeof(t->call.args));
        t->call.abi = abi_detect(src->io, t, rd->dir, &call, src->abi);
        t->call.desc = syscall_find(t->call.abi, call.nr);
        return 1;
}

static ssize_t wchan_read(struct source *src, struct thread *t, const struct reading *rd)
{
        char path[48];
        const char *text;
        ssize_t n;

        n = procio_read(
                src->io, rd->tasks, task_path(path, t, "wchan"), t->process->pid, HANG_EXEC, &text);
        if (n > 0 && strcmp(text, "0") != 0)
                t->wchan = arena_strn(src->snapshot->arena, text, strcspn(text, "\n"));
        return 0;
}

static ssize_t stack_read(struct source *src, struct thread *t, struct reading *rd)
{
        char path[48];
        const char *text = "";
        ssize_t n;

        t->kernel_stack = NULL;
        if (rd->stack_refused) {
                n = -rd->stack_refused;
        } else {
                n = procio_read(src->io, rd->tasks, task_path(path, t, "stack"), t->process->pid,
                        HANG_EXEC, &text);
        }
        if (n >= 0) {
                t->kernel_stack_error = 0;
                t->kernel_stack = stackset_add(src->stacks, text, (size_t)n);
                if (!t->kernel_stack || t->kernel_stack->n_frames || src->query->raw)
                        return t->kernel_stack ? 1 : -ENOMEM;
                /* The kernel printed no frames, as for a thread that runs. */
                return wchan_read(src, t, rd);
        }
        t->kernel_stack_error = (int)-n;
        if (is_refusal(n))
                rd->stack_refused = (int)-n;
        if (!is_refusal(n) && n != -ENOENT && n != -ETIMEDOUT)
                return n;
        return wchan_read(src, t, rd);
}

/* One attempt. 1: read; 0: it ran meanwhile; <0: it is gone, or no memory. */
static int thread_attempt(struct source *src, struct thread *t, struct reading *rd, int fd)
{
        uint64_t before = 0, after = 0, exec_start = 0;
        struct procfile_stat stat;
        char path[48];
        ssize_t n;
        int r;

        r = switches_read(src, fd, rd->sched, &before, &exec_start);
        if (r < 0)
                return r;
        t->has_switches = r > 0;
        n = stat_read(src->io, rd->tasks, task_path(path, t, ""), t->process->pid, &stat);
        if (n < 0)
                return (int)n;
        if (n > 0) {
                t->state = stat.state;
                t->cpu = stat.cpu;
                t->start_time = stat.start_time;
                if (!rd->comm_kept || strcmp(rd->comm, stat.comm) != 0) {
                        memcpy(rd->comm, stat.comm, sizeof(rd->comm));
                        rd->comm_kept = arena_str(src->snapshot->arena, stat.comm);
                }
                t->comm = rd->comm_kept;
        }
        n = stack_read(src, t, rd);
        if (n < 0)
                return (int)n;
        if (!src->query->raw && !rd->call_refused) {
                n = call_read(src, t, rd);
                /* Missing for a thread that has gone, too; then the count is gone as well. */
                if (is_refusal(n) || n == -ENOENT || n == -ETIMEDOUT)
                        rd->call_refused = (int)-n;
                if (src->within)
                        src->within->thread(src->within->arg, t, rd->dir);
                if (src->within && src->within->stacks)
                        src->within->stacks(src->within->arg, &t, 1);
        }
        r = switches_read(src, fd, rd->sched, &after, &exec_start);
        if (r < 0)
                return r;
        t->switches = after;
        t->sleep_start_ns = exec_start;
        /* Awake already, and not yet on a CPU: the call's file says so before the count does. */
        if (t->call.state == CALL_RUNNING && t->state != 'R')
                return 0;
        return before == after;
}

static void gap_thread(struct source *src, const struct thread *t, const struct reading *rd)
{
        if (t->kernel_stack_error)
                gap_refused(src, "kernel stacks",
                        t->kernel_stack_error == ETIMEDOUT
                                ? (struct refusal){ "the process did not answer in time", NULL }
                                : privilege_refusal_stack(&src->privilege, t->kernel_stack_error),
                        src->query->raw || rd->call_refused);
        else if (!src->query->raw && t->kernel_stack->text_len == 0 && strchr("SD", t->state))
                snapshot_gap(
                        src->snapshot, "kernel stacks", "the kernel printed none", NULL, false);
        if (rd->call_refused)
                gap_refused(src, "system calls",
                        rd->call_refused == ETIMEDOUT
                                ? (struct refusal){ "the process did not answer in time", NULL }
                                : privilege_refusal_ptrace(&src->privilege, rd->call_refused),
                        true);
        if (!src->query->raw && !t->has_switches)
                snapshot_gap(src->snapshot, "context-switch counts",
                        "this kernel does not show them, so a thread that ran while it was read is "
                        "not noticed",
                        NULL, false);
        if (!src->query->raw && !rd->sched)
                snapshot_gap(src->snapshot, "how long threads have been blocked",
                        "this kernel has no /proc/PID/sched (CONFIG_SCHED_DEBUG)", NULL, false);
}

/* 1: in ret_thread; 0: not wanted, or gone; -ENOMEM. */
static int thread_read(struct source *src, struct process *p, pid_t tid, struct reading *rd,
        struct thread **ret_thread)
{
        struct thread *t =
                src->spare ? src->spare : arena_new_one(src->snapshot->arena, struct thread);
        const char *states = src->query->filter.states;
        _cleanup_close_ int fd = -1;
        char path[48];
        int r = 0;

        if (!t)
                return -ENOMEM;
        src->spare = t; /* until it is known to be wanted */
        memset(t, 0, sizeof(*t));
        t->process = p;
        t->tid = tid;
        t->from_files = true;
        t->cpu = -1;
        if (rd->sched) {
                fd = procio_open(src->io, rd->tasks, task_path(path, t, "sched"));
                rd->sched = fd >= 0 || fd == -ESRCH;
        }
        if (!rd->sched)
                fd = procio_open(src->io, rd->tasks, task_path(path, t, "status"));
        if (fd < 0)
                return 0;
        for (int i = 0; i < ATTEMPTS && r == 0; i++)
                r = thread_attempt(src, t, rd, fd);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                snapshot_gap(src->snapshot, "threads", "ended while they were read", NULL, false);
                return 0;
        }
        if (*states && !strchr(states, t->state))
                return 0;
        t->moved = r == 0;
        if (t->state == 'R')
                running_add(&src->running, src->io, t, rd->dir);
        gap_thread(src, t, rd);
        src->spare = NULL;
        *ret_thread = t;
        return 1;
}

static int thread_add(struct source *src, struct process *p, pid_t tid, struct reading *rd)
{
        struct thread *thread;
        int r = thread_read(src, p, tid, rd, &thread);

        if (r > 0)
                process_add_thread(src->snapshot, p, thread);
        return r < 0 ? r : 0;
}

static int compare_tids(const void *a, const void *b)
{
        return (*(const pid_t *)a > *(const pid_t *)b) - (*(const pid_t *)a < *(const pid_t *)b);
}

static int threads_read(
        struct source *src, struct process *p, struct reading *rd, const struct target *t, size_t n)
{
        _cleanup_closedir_ DIR *d = NULL;
        pid_t sorted[RECORDED_THREADS_MAX];
        size_t n_sorted = 0;
        struct dirent *e;
        int fd, r;

        fd = openat(rd->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        d = fd < 0 ? NULL : fdopendir(fd);
        if (!d) {
                if (fd >= 0)
                        close(fd);
                return 0;
        }
        rd->tasks = fd;
        if (t->tid) {
                for (size_t i = 0; i < n; i++) {
                        r = thread_add(src, p, t[i].tid, rd);
                        if (r < 0)
                                return r;
                }
                return 0;
        }
        while ((e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): own stream */
                char *end;
                long tid = strtol(e->d_name, &end, 10);

                if (*end || tid <= 0 || tid > INT32_MAX)
                        continue;
                /* A live kernel lists them in order; a recorded tree is as its file system likes.
                 */
                if (!procio_live(src->io)) {
                        if (n_sorted == RECORDED_THREADS_MAX)
                                break;
                        sorted[n_sorted++] = (pid_t)tid;
                        continue;
                }
                r = thread_add(src, p, (pid_t)tid, rd);
                if (r < 0)
                        return r;
        }
        qsort(sorted, n_sorted, sizeof(*sorted), compare_tids);
        for (size_t i = 0; i < n_sorted; i++) {
                r = thread_add(src, p, sorted[i], rd);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int process_read(struct source *src, const struct target *t, size_t n_targets)
{
        struct reading rd = { .sched = true };
        struct process *p = NULL;
        _cleanup_close_ int dir = -1;
        int r;

        r = process_begin(src->io, src->watch, src->snapshot, src->query, t, &p, &dir);
        if (r <= 0)
                return r;
        rd.dir = dir;
        if (src->within && !src->query->raw)
                src->within->process(src->within->arg, p, dir);
        r = threads_read(src, p, &rd, t, n_targets);
        if (r < 0)
                return r;
        process_end(src->watch, src->snapshot, src->query, p, *src->query->filter.states);
        return 0;
}

static int proc_capture(struct source *src, const struct selection *selection, size_t *next,
        const struct within *within)
{
        src->within = within;
        while (*next < selection->n_targets) {
                const struct target *t = &selection->targets[*next];
                size_t n = 1;
                int r;

                while (*next + n < selection->n_targets && t[n].pid == t->pid)
                        n++;
                r = process_read(src, t, n);
                if (r < 0)
                        return r;
                *next += n;
        }
        running_watch(&src->running, src->io);
        return arena_failed(src->snapshot->arena) ? -ENOMEM : 0;
}

const struct source_ops source_proc = {
        .name = "proc",
        .open = proc_open,
        .capture = proc_capture,
        .close = proc_close,
};
