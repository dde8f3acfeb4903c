/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why the mappings, which are read after the threads, are those that the threads had: a thread
 * that has not run since has not called execve, and if another one of its process had, it would
 * be gone. One such thread proves it for all; what dlclose() unmapped meanwhile is no code then.
 */
#include "unwind/unwinder.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/privilege.h"
#include "base/procfile.h"
#include "base/procio.h"
#include "base/worker.h"
#include "unwind/arch.h"
#include "unwind/chains.h"
#include "unwind/copies.h"
#include "unwind/pieces.h"
#include "unwind/recorded.h"
#include "unwind/space.h"
#include "unwind/stackcache.h"
#include "unwind/unwinder-parts.h"

#define BELOW 128U /* below the stack pointer: the red zone of x86-64 */
#define ATTEMPTS_MAX 3U

int unwinder_new(struct procio *io, struct watch *watch, struct snapshot *s, int64_t budget_ns,
        struct unwind_progress *progress, const struct recheck *recheck, struct stackcache *cache,
        struct unwinder **ret_unwinder)
{
        struct unwinder *u = calloc(1, sizeof(*u));

        if (!u)
                return -ENOMEM;
        u->io = io;
        u->watch = watch;
        u->snapshot = s;
        u->budget_ns = budget_ns;
        u->progress = progress;
        u->recheck = recheck;
        u->cache = cache;
        u->arch = arch_find(s->host.arch);
        privilege_read(&u->privilege, !procio_live(io));
        *ret_unwinder = u;
        return 0;
}

/* At the first thread that has a stack, if not before. */
static int server_start(struct unwinder *u)
{
        int r;

        if (u->modules)
                return 0;
        r = elfserver_new(u->watch, u->budget_ns, &u->server);
        if (r == 0)
                r = modules_new(u->io, u->watch, u->server, u->snapshot->arena, &u->progress->dead,
                        u->budget_ns, &u->modules);
        if (r == 0 && u->wanted)
                modules_without_lines(u->modules);
        if (r == 0)
                elfserver_warm(u->server);
        return r;
}

void unwinder_warm(struct unwinder *u)
{
        if (u->arch && !u->progress->done)
                server_start(u);
}

void unwinder_only(struct unwinder *u, bool (*wanted)(const struct thread *t))
{
        u->wanted = wanted;
}

void unwinder_free(struct unwinder *u)
{
        if (!u)
                return;
        copies_done(&u->copies);
        modules_free(u->modules);
        elfserver_free(u->server);
        free(u);
}

/* The first half: copies */

uint64_t unwinder_sp(const struct unwinder *u, const struct thread *t)
{
        const struct user_regs *regs = t->regs;

        if (regs && regs->known >> u->arch->sp & 1)
                return regs->value[u->arch->sp];
        return t->call.sp;
}

uint64_t unwinder_pc(const struct unwinder *u, const struct thread *t)
{
        const struct user_regs *regs = t->regs;

        if (regs && regs->known >> u->arch->pc & 1)
                return regs->value[u->arch->pc];
        return t->call.pc;
}

/* Does it hold still, outside of the kernel's own threads, and where? */
static bool thread_has_stack(const struct unwinder *u, const struct thread *t)
{
        return u->arch && !t->process->kernel && (t->regs || procio_live(u->io)) &&
               (!u->wanted || u->wanted(t)) && t->state != 'R' && t->state != 'Z' &&
               t->state != 'X' && t->call.state != CALL_RUNNING && unwinder_sp(u, t) &&
               unwinder_pc(u, t);
}

uint64_t unwinder_copy_start(uint64_t sp)
{
        return sp > BELOW ? (sp - BELOW) & ~UINT64_C(15) : 0;
}

void unwinder_give(
        struct unwinder *u, const struct thread *t, uint64_t start, const void *bytes, uint32_t len)
{
        uint64_t below = start - unwinder_copy_start(start);
        struct piece *piece = calloc(1, sizeof(*piece) + below + len);

        if (!piece)
                return;
        piece->start = unwinder_copy_start(start);
        piece->asked = piece->len = (uint32_t)below + len;
        memcpy(piece->bytes + below, bytes, len);
        copies_keep(&u->copies, t, piece);
}

/*
 * What has not run since the look before is known, if its count of switches is already. From files
 * the last reading of that is still to come, and so is the stack.
 */
static bool copy_wanted(struct unwinder *u, struct thread *t)
{
        if (!thread_has_stack(u, t))
                return false;
        if (!u->cache)
                return true;
        if (t->from_files)
                return !stackcache_has(u->cache, t);
        t->user_stack = stackcache_find(u->cache, u->snapshot->arena, t);
        return !t->user_stack;
}

void unwinder_copy(struct unwinder *u, struct thread *const *threads, size_t n)
{
        _cleanup_free_ struct piece_request *requests = calloc(n + 1, sizeof(*requests));
        _cleanup_free_ size_t *whose = calloc(n + 1, sizeof(*whose));
        size_t m = 0;

        if (!requests || !whose || !procio_live(u->io))
                return;
        for (size_t i = 0; i < n; i++) {
                if (!copy_wanted(u, threads[i])) {
                        copies_keep(&u->copies, threads[i], NULL);
                        continue;
                }
                whose[m] = i;
                requests[m++] = (struct piece_request){
                        .start = unwinder_copy_start(unwinder_sp(u, threads[i])),
                        .len = u->wanted ? FIRST_PLACE : FIRST,
                };
        }
        /* What cannot be had now is a matter of the second half. */
        if (m && server_start(u) == 0)
                pieces_read(u->watch, threads[0]->process->pid,
                        process_memory_tid(threads[0]->process), requests, m);
        for (size_t i = 0; i < m; i++)
                copies_keep(&u->copies, threads[whose[i]], requests[i].piece);
}

/* The second half: does it still hold still? */

bool unwinder_unmoved(struct unwinder *u, const struct thread *t, int dir)
{
        struct procfile_status status = { 0 };
        struct procfile_sched sched = { 0 };
        char path[48];
        const char *text;
        ssize_t n;

        if (!t->has_switches)
                return false;
        snprintf(path, sizeof(path), "task/%d/sched", (int)t->tid);
        n = procio_read(u->io, dir, path, 0, HANG_NONE, &text);
        if (n > 0 && procfile_sched(text, (size_t)n, &sched) > 0 && sched.has_switches)
                return sched.switches == t->switches;
        snprintf(path, sizeof(path), "task/%d/status", (int)t->tid);
        n = procio_read(u->io, dir, path, 0, HANG_NONE, &text);
        return n > 0 && procfile_status(text, (size_t)n, &status) > 0 && status.has_switches &&
               status.switches == t->switches;
}

static bool any_unmoved(struct unwinder *u, struct thread *const *threads, size_t n, int dir)
{
        for (size_t i = 0; i < n && i < CREW; i++)
                if (unwinder_unmoved(u, threads[i], dir))
                        return true;
        return false;
}

/* Processes */

void unwinder_gap_process(struct unwinder *u, int error)
{
        struct refusal why = { "the process ended meanwhile", NULL };

        if (error == -EACCES || error == -EPERM)
                why = privilege_refusal_ptrace(&u->privilege, -error);
        else if (error == -ETIMEDOUT)
                why.why = "the process's memory is locked";
        else if (error == -ESTALE)
                why.why = "the process ran on before its mappings were read";
        else if (error != -ENOENT && error != -ESRCH)
                why.why = "its mappings cannot be read";
        snapshot_gap(u->snapshot, "user stacks", why.why, why.remedy, false);
}

/* /proc/PID again, if it is still the same process: <0: it is not. */
static int process_open(struct unwinder *u, const struct process *p)
{
        struct procfile_stat stat;
        int dir = procio_open_process(u->io, p->pid);
        const char *text;
        ssize_t n;

        if (dir < 0)
                return dir;
        n = procio_read(u->io, dir, "stat", p->pid, HANG_EXEC, &text);
        if (n <= 0 || procfile_stat(text, (size_t)n, &stat) <= 0 ||
                stat.start_time != p->start_time) {
                close(dir);
                return n < 0 ? (int)n : -ESRCH;
        }
        if (process_memory_tid(p) == p->pid || !procio_live(u->io))
                return dir;
        /* A main thread that has exited has no maps. /proc has each thread under its number, too.
         */
        close(dir);
        return procio_open_process(u->io, process_memory_tid(p));
}

static int threads_unwind(struct unwinder *u, const struct process *p, int dir, struct space *s,
        struct thread *const *threads, size_t n)
{
        _cleanup_free_ int *numbers = calloc(n, sizeof(*numbers));
        struct chains *chains = NULL;
        int r = numbers ? chains_new(u->snapshot->arena, &chains) : -ENOMEM;

        for (size_t i = 0; i < n && r == 0; i += CREW)
                r = crew_walk(
                        u, s, chains, dir, threads + i, n - i < CREW ? n - i : CREW, numbers + i);
        if (r == 0)
                r = chains_finish(chains, s, u->watch, p, procio_live(u->io) ? dir : -1);
        for (size_t i = 0; i < n && r == 0; i++)
                threads[i]->user_stack = chains_stack(chains, numbers[i]);
        chains_free(chains);
        return r;
}

/* One that is known already: it has not run since the look before. */
static bool stack_known(struct unwinder *u, struct thread *t)
{
        if (!t->user_stack && u->cache)
                t->user_stack = stackcache_find(u->cache, u->snapshot->arena, t);
        return t->user_stack;
}

/* Threads that lack one, and places where they were when they ran: at most so many. */
static size_t stacks_count(struct unwinder *u, const struct process *p)
{
        size_t n = 0;

        for_each_thread(t, p) {
                if (t->moved)
                        t->user_stack = NULL;
                n += !t->moved && !t->user_stack && thread_has_stack(u, t);
                n += t->profile ? t->profile->n_hots : 0;
        }
        return n;
}

static int process_unwind(struct unwinder *u, struct process *p)
{
        size_t n = stacks_count(u, p), n_sampled = 0;
        _cleanup_free_ struct thread **threads = NULL;
        _cleanup_close_ int dir = -1;
        struct space space;
        int r;

        if (!n)
                return 0;
        threads = calloc(n, sizeof(struct thread *));
        n = 0;
        if (!threads)
                return -ENOMEM;
        for_each_thread(t, p) {
                for (size_t i = 0; t->profile && i < t->profile->n_hots; i++) {
                        struct thread *at = t->profile->hots[i].at;

                        if (!at || !thread_has_stack(u, at))
                                continue;
                        threads[n++] = at;
                        n_sampled++;
                }
                if (!t->moved && thread_has_stack(u, t) && !stack_known(u, t))
                        threads[n++] = t;
        }
        if (!n)
                return 0;
        r = server_start(u);
        if (r < 0)
                return r;
        dir = process_open(u, p);
        r = dir < 0 ? dir : space_init(&space, u->io, u->watch, u->modules, dir, p);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                unwinder_gap_process(u, r);
                return 0;
        }
        /* Of one that runs all the time, there is no such proof: it is as near as can be. */
        if (n_sampled || any_unmoved(u, threads, n, dir))
                r = threads_unwind(u, p, dir, &space, threads, n);
        else
                unwinder_gap_process(u, -ESTALE);
        space_done(&space);
        return r;
}

/* False: a worker ended over it, again and again. */
static bool process_begin(struct unwinder *u, const struct process *p)
{
        struct unwind_progress *progress = u->progress;

        progress->attempts = progress->begun == p ? progress->attempts + 1 : 1;
        progress->begun = p;
        if (progress->attempts <= ATTEMPTS_MAX)
                return true;
        snapshot_gap(u->snapshot, "user stacks", "pwhy failed over them", NULL, false);
        return false;
}

int unwinder_finish(struct unwinder *u)
{
        struct unwind_progress *progress = u->progress;
        bool behind = progress->last; /* of what another worker has done */

        if (!u->arch || progress->done)
                return 0;
        for_each_process(p, u->snapshot) {
                int r = 0;

                if (behind) {
                        behind = p != progress->last;
                        continue;
                }
                if (!procio_live(u->io))
                        r = recorded_regs(u->io, u->snapshot->arena, p);
                if (r == 0 && !p->kernel && process_begin(u, p))
                        r = process_unwind(u, p);
                if (r < 0)
                        return r;
                progress->last = p;
        }
        progress->done = true;
        return 0;
}
