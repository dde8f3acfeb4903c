/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of the data; the only file that knows the order:
 *
 *      select → capture (with resolve within) → sockets      in the worker, which may be
 *                                                            abandoned and started again
 *      → times → explain → filter → graph                    here, from memory alone
 *
 * A wait chain may lead to processes that were not asked for: these are captured and explained
 * the same way, as context. And what may be a deadlock is looked at a second time (graph/chain.h).
 *
 * The two sides share the arena and nothing else. A worker that starts again finds there what
 * the one before it has done, and goes on.
 *
 * A pasted text is read here: it cannot hang, and nothing of this machine belongs to it.
 */
#include "pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/procio.h"
#include "base/worker.h"
#include "capture/paste.h"
#include "capture/schedclock.h"
#include "capture/source.h"
#include "explain/explain.h"
#include "graph/chain.h"
#include "graph/proof.h"
#include "query.h"
#include "resolve/timeout.h"
#include "resolve/resolver.h"
#include "resolve/sockets.h"
#include "target/follow.h"
#include "target/textselect.h"

/* The first that opens is used. */
static const struct source_ops *const sources[] = { &source_proc };

struct job { /* in shared memory */
        struct snapshot *snapshot;
        const struct pwhy_query *query;
        struct watch *watch;
        pid_t caller;
        const struct owner *owners; /* whom to look at; NULL: what the query says */
        size_t n_owners;
        struct proof *proof; /* to be filled at the end; NULL: none */
        struct selection *selection;
        bool selected; /* the selection is whole */
        size_t next;   /* target to capture */
        bool captured; /* all of them are */
        struct schedclock *clock;
        struct socket_query *sockets;
};

/* First line of a file of the tree, for facts about the host. */
static const char *fact_read(struct procio *io, struct arena *a, const char *path)
{
        const char *text;

        if (procio_read(io, procio_root(io), path, 0, HANG_NONE, &text) <= 0)
                return NULL;
        return arena_strn(a, text, strcspn(text, "\n"));
}

static void host_read(struct procio *io, struct snapshot *s, bool raw)
{
        struct utsname u;

        if (procio_live(io) && uname(&u) == 0) {
                s->host.name = arena_str(s->arena, u.nodename);
                s->host.kernel = arena_str(s->arena, u.release);
                s->host.arch = arena_str(s->arena, u.machine);
        } else {
                s->host.name = fact_read(io, s->arena, "sys/kernel/hostname");
                s->host.kernel = fact_read(io, s->arena, "sys/kernel/osrelease");
                s->host.arch = fact_read(io, s->arena, "sys/kernel/arch");
        }
        if (!raw)
                s->host.boot_id = fact_read(io, s->arena, "sys/kernel/random/boot_id");
}

/* A recorded tree has its clocks in "captured": realtime, monotonic, boottime, in ns. */
static void clocks_read(struct procio *io, struct snapshot *s)
{
        const char *text;
        long long realtime, monotonic, boottime;

        if (procio_live(io)) {
                s->captured_at = clock_ns(CLOCK_REALTIME);
                s->monotonic_ns = clock_ns(CLOCK_MONOTONIC);
                s->boottime_ns = clock_ns(CLOCK_BOOTTIME);
                s->has_clocks = true;
                return;
        }
        if (procio_read(io, procio_root(io), "captured", 0, HANG_NONE, &text) <= 0 ||
                sscanf(text, "%lld %lld %lld", &realtime, &monotonic, &boottime) != 3)
                return;
        s->captured_at = realtime;
        s->monotonic_ns = monotonic;
        s->boottime_ns = boottime;
        s->has_clocks = true;
}

static int job_select_owners(struct job *j, struct procio *io)
{
        struct snapshot *s = j->snapshot;
        size_t too_large;
        int r = follow_targets(io, s->arena, j->owners, j->n_owners,
                j->proof ? 0 : FOLLOW_THREADS_MAX, j->selection, &too_large);

        if (r == 0 && too_large)
                snapshot_gap(s, "wait chains", "one leads to a process with very many threads",
                        "look at that process, too: pwhy PID PID", true);
        j->selected = r == 0;
        return r;
}

static int job_select(struct job *j, struct procio *io)
{
        struct snapshot *s = j->snapshot;
        const bool live = procio_live(io);
        const pid_t self[2] = { live ? j->caller : 0, live ? getpid() : 0 };
        int r;

        host_read(io, s, j->query->raw);
        clocks_read(io, s);
        if (!j->query->raw)
                schedclock_new(io, s->arena, &j->clock);
        r = select_targets(io, s->arena, j->query, self, j->selection);
        if (r == 0)
                j->selected = true;
        return r;
}

static int job_capture(struct job *j, struct procio *io, struct resolver *resolver)
{
        struct snapshot *s = j->snapshot;
        const struct within within = { resolver, resolver_process, resolver_thread };
        int r = -ENOSYS;

        for (size_t i = 0; i < sizeof(sources) / sizeof(*sources) && r < 0; i++) {
                struct source *source = NULL;

                r = sources[i]->open(io, j->watch, s, j->query, &source);
                if (r < 0)
                        continue;
                s->source = sources[i]->name;
                r = sources[i]->capture(source, j->selection, &j->next, &within);
                sources[i]->close(source);
        }
        if (r == 0)
                j->captured = true;
        return r;
}

static int job_run(void *arg)
{
        struct job *j = arg;
        struct resolver *resolver = NULL;
        struct procio *io;
        int r;

        r = procio_new(j->query->proc, j->watch, &io);
        if (r < 0)
                return r;
        if (!j->selected)
                r = j->owners ? job_select_owners(j, io) : job_select(j, io);
        if (r == 0)
                r = resolver_new(io, j->snapshot, &j->sockets, &resolver);
        if (r == 0 && !j->captured)
                r = job_capture(j, io, resolver);
        if (r == 0 && j->clock)
                schedclock_visit(j->clock, io, j->watch, j->snapshot);
        if (r == 0)
                resolver_finish(resolver);
        if (r == 0 && j->proof)
                proof_read(io, j->proof);
        resolver_free(resolver);
        procio_free(io);
        return r;
}

static void times_apply(const struct job *j, struct snapshot *s)
{
        if (j->clock)
                schedclock_apply(j->clock, s);
        timeout_deadlines(s);
}

static bool thread_matches(const struct pwhy_query *query, const struct thread *t)
{
        if (query->has_reasons && !query->reasons[t->wait.reason])
                return false;
        if (query->blocked_for_ns && (!t->has_for || t->for_ns < query->blocked_for_ns))
                return false;
        return true;
}

static void filter_apply(const struct pwhy_query *query, struct snapshot *s)
{
        s->n_processes = s->n_threads = s->n_matched = s->n_idle = 0;
        for_each_process(p, s) {
                if (p->context)
                        continue;
                s->n_processes++;
                p->n_threads = 0;
                for_each_thread(t, p) {
                        p->n_threads++;
                        t->matched = thread_matches(query, t);
                        if (t->matched && query->all && !query->idle &&
                                !query->reasons[REASON_IDLE] && p->kernel &&
                                t->wait.reason == REASON_IDLE) {
                                t->matched = false;
                                s->n_idle++;
                        }
                        s->n_matched += t->matched;
                }
                s->n_threads += p->n_threads;
        }
}

/* What the worker could not finish. */
static void gap_worker(struct job *j, int r)
{
        struct snapshot *s = j->snapshot;

        if (r == -ETIMEDOUT)
                snapshot_gap(s, "part of the snapshot", "too many files did not answer in time",
                        "give a longer --timeout", true);
        else
                snapshot_gap(
                        s, "part of the snapshot", "its worker process ended early", NULL, true);
        if (j->selected && j->next < j->selection->n_targets)
                s->n_lost += j->selection->n_targets - j->next;
}

/* What a wait chain leads to, or once more what may be a deadlock: struct looker. */
static int job_look(
        void *arg, struct snapshot *s, const struct owner *owners, size_t n, struct proof *proof)
{
        const struct job *first = arg;
        struct arena *a = s->arena;
        struct job *j = arena_dup(a, first, sizeof(*first));
        struct pwhy_query *query = arena_new_one(a, struct pwhy_query);
        struct selection *selection = arena_new_one(a, struct selection);
        struct process *last = s->processes;
        int r;

        if (!j || !query || !selection)
                return -ENOMEM;
        *query = (struct pwhy_query){ .proc = first->query->proc,
                .timeout_ns = first->query->timeout_ns / 4 };
        j->snapshot = s;
        j->query = query;
        j->selection = selection;
        j->owners = owners;
        j->n_owners = n;
        j->proof = proof;
        j->selected = j->captured = false;
        j->next = 0;
        j->sockets = NULL;
        if (s != first->snapshot) {
                s->host = first->snapshot->host;
                s->captured_at = first->snapshot->captured_at;
                s->monotonic_ns = first->snapshot->monotonic_ns;
                s->boottime_ns = first->snapshot->boottime_ns;
                s->has_clocks = first->snapshot->has_clocks;
        }
        while (last && last->next)
                last = last->next;
        r = worker_run(j->watch, query->timeout_ns, job_run, j);
        last = last ? last->next : s->processes;
        for (struct process *p = last; p; p = p->next)
                p->context = true;
        /* What was captured before it ran out of time is whole, too. */
        if (r < 0 && r != -ETIMEDOUT && r != -EIO)
                return r;
        times_apply(j, s);
        return explain_processes(s, last) < 0 ? -ENOMEM : r;
}

/* A filter on what the graph says: the last of all. */
static void filter_deadlocked(struct snapshot *s)
{
        for_each_process(p, s) {
                for_each_thread(t, p) {
                        s->n_matched -= t->matched && !t->deadlocked;
                        t->matched &= t->deadlocked;
                }
        }
}

/* From captured threads to verdicts, and from these to chains. */
static int job_explain(struct job *j, const struct pwhy_query *query, bool in_time)
{
        struct snapshot *s = j->snapshot;
        const struct looker looker = { j, job_look, query->timeout_ns };
        int r = 0;

        times_apply(j, s);
        if (!j->query->raw || query->all)
                r = explain_snapshot(s);
        if (r == 0 && !j->query->raw && in_time)
                r = chain_follow(s, &looker);
        filter_apply(query, s);
        if (r == 0 && !j->query->raw)
                r = chain_finish(s, query->proc || !in_time ? NULL : &looker);
        if (r == 0 && query->deadlocked)
                filter_deadlocked(s);
        return r;
}

int pipeline_run(const struct pwhy_query *query, struct pwhy_snapshot **ret_snapshot)
{
        struct arena *a = arena_new();
        struct pwhy_query light = *query;
        struct pwhy_snapshot *snapshot;
        int64_t start = clock_ns(CLOCK_MONOTONIC);
        struct job *j;
        int r;

        if (!a)
                return -ENOMEM;
        snapshot = arena_new_one(a, struct pwhy_snapshot);
        j = arena_new_one(a, struct job);
        if (j)
                j->watch = watch_new(a);
        if (!snapshot || !j || !j->watch) {
                arena_free(a);
                return -ENOMEM;
        }
        /* Filters on verdicts need all that verdicts need. */
        light.raw =
                query->raw && !query->has_reasons && !query->blocked_for_ns && !query->deadlocked;
        snapshot_init(&snapshot->model, a);
        snapshot->raw = query->raw;
        j->snapshot = &snapshot->model;
        j->selection = &snapshot->selection;
        j->query = &light;
        snapshot->watch = j->watch;
        j->caller = getpid();

        r = worker_run(j->watch, query->timeout_ns, job_run, j);
        if (r == -ETIMEDOUT || r == -EIO)
                gap_worker(j, r);
        else if (r < 0)
                goto fail;
        r = job_explain(j, query, r == 0);
        if (r < 0)
                goto fail;
        snapshot->model.duration_ns = clock_ns(CLOCK_MONOTONIC) - start;
        if (arena_failed(a)) {
                r = -ENOMEM;
                goto fail;
        }
        *ret_snapshot = snapshot;
        return 0;
fail:
        watch_reap(j->watch, true);
        arena_free(a);
        return r;
}

int pipeline_run_text(const struct pwhy_query *query, const char *text, size_t len,
        struct pwhy_snapshot **ret_snapshot)
{
        struct arena *a = arena_new();
        struct pwhy_snapshot *snapshot = a ? arena_new_one(a, struct pwhy_snapshot) : NULL;
        int64_t start = clock_ns(CLOCK_MONOTONIC);
        int r;

        if (!snapshot) {
                arena_free(a);
                return -ENOMEM;
        }
        snapshot_init(&snapshot->model, a);
        snapshot->model.source = "text";
        snapshot->raw = query->raw;
        r = paste_read(&snapshot->model, text, len);
        if (r == 0)
                r = explain_snapshot(&snapshot->model);
        if (r == 0) {
                filter_apply(query, &snapshot->model);
                r = textselect_apply(query, &snapshot->model, &snapshot->selection);
        }
        if (r == 0)
                r = chain_finish(&snapshot->model, NULL);
        snapshot->model.duration_ns = clock_ns(CLOCK_MONOTONIC) - start;
        if (r == 0 && arena_failed(a))
                r = -ENOMEM;
        if (r < 0)
                arena_free(a);
        else
                *ret_snapshot = snapshot;
        return r;
}
