/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of the data; the only file that knows the order:
 *
 *      sample of the threads, where the kernel can be asked   here: it cannot hang
 *      select → capture (with resolve and copies of stacks   in the worker, which may be
 *      within) → sockets → unwind                            abandoned and started again
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
#include <unistd.h>

#include "askkernel.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/procio.h"
#include "base/worker.h"
#include "capture/host.h"
#include "capture/paste.h"
#include "capture/profile.h"
#include "capture/schedclock.h"
#include "capture/session.h"
#include "capture/source.h"
#include "capture/taskiter.h"
#include "capture/tasktable.h"
#include "explain/explain.h"
#include "explain/userplace.h"
#include "graph/behind.h"
#include "graph/chain.h"
#include "graph/proof.h"
#include "job.h"
#include "look.h"
#include "query.h"
#include "resolve/timeout.h"
#include "resolve/resolver.h"
#include "resolve/sockets.h"
#include "target/follow.h"
#include "target/textselect.h"
#include "unwind/unwinder.h"

/* The first that opens is used. */
static const struct source_ops *const sources[] = { &source_bpf, &source_proc };

/* What happens while a thread holds still. */
struct still {
        struct resolver *resolver; /* NULL: kernel stacks alone are wanted */
        struct unwinder *unwinder; /* NULL: no user stacks are wanted */
};

static int job_select_owners(struct job *j, struct procio *io)
{
        struct snapshot *s = j->snapshot;
        const bool live = procio_live(io);
        const pid_t self[2] = { live ? j->caller : 0, live ? getpid() : 0 };
        size_t too_large;
        int r = follow_targets(io, s->arena, j->owners, j->n_owners,
                j->proof ? 0 : FOLLOW_THREADS_MAX, self, j->selection, &too_large);

        if (r == 0 && too_large)
                snapshot_gap(s, "wait chains", "one leads to a process with very many threads",
                        "look at that process, too: pwhy PID PID", true);
        j->selected = r == 0;
        return r;
}

/* What is true of the machine. */
static void job_begin(struct job *j, struct procio *io)
{
        struct snapshot *s = j->snapshot;

        if (!procio_live(io) && !j->query->proc)
                snapshot_gap(s, "memory of processes, and what else is asked by number",
                        "/proc shows another PID namespace than pwhy's own",
                        "mount a proc file system of this namespace", true);
        host_read(io, s, j->query->raw);
        host_clocks(io, s);
        if (!j->query->raw)
                schedclock_new(io, s->arena, &j->clock);
}

static int job_select(struct job *j, struct procio *io)
{
        const bool live = procio_live(io);
        const pid_t self[2] = { live ? j->caller : 0, live ? getpid() : 0 };
        int r = select_targets(io, j->snapshot->arena, j->query, self, j->selection);
        if (r == 0)
                j->selected = true;
        return r;
}

static void still_process(void *arg, struct process *p, int dir)
{
        struct still *still = arg;

        if (still->resolver)
                resolver_process(still->resolver, p, dir);
}

static void still_thread(void *arg, struct thread *t, int dir)
{
        struct still *still = arg;

        if (still->resolver)
                resolver_thread(still->resolver, t, dir);
}

static void still_stacks(void *arg, struct thread *const *threads, size_t n)
{
        struct still *still = arg;

        if (still->unwinder)
                unwinder_copy(still->unwinder, threads, n);
}

/* still NULL: nothing but kernel stacks is wanted. */
static int job_capture(struct job *j, struct procio *io, struct still *still)
{
        struct snapshot *s = j->snapshot;
        const struct within within = { still, still_process, still_thread, still_stacks };
        int r = -ENOSYS;

        if (session_is_forced(j->session) && !session_table(j->session)) {
                s->source = source_bpf.name;
                *j->blind = true;
                return 0; /* a gap says why */
        }

        for (size_t i = 0; i < sizeof(sources) / sizeof(*sources) && r < 0; i++) {
                struct source *source = NULL;

                r = sources[i]->open(io, j->watch, s, j->query, j->session, &source);
                if (r < 0)
                        continue;
                s->source = sources[i]->name;
                r = sources[i]->capture(source, j->selection, &j->next, still ? &within : NULL);
                sources[i]->close(source);
        }
        if (r == 0)
                j->captured = true;
        return r;
}

static void job_give(void *arg, struct thread *t, uint64_t start, const void *bytes, uint32_t len)
{
        unwinder_give(arg, t, start, bytes, len);
}

int job_run(void *arg)
{
        struct job *j = arg;
        const struct recheck recheck = askkernel_recheck(j);
        struct still still = { 0 };
        struct procio *io;
        int r;

        r = procio_new(j->query->proc, j->watch, &io);
        if (r < 0)
                return r;
        if (!j->selected && !j->owners)
                job_begin(j, io);
        if (!j->query->raw && !j->query->no_user)
                r = unwinder_new(io, j->watch, j->snapshot, j->query->timeout_ns, &j->unwound,
                        &recheck, session_stacks(j->session), &still.unwinder);
        if (r == 0 && still.unwinder && (j->owners || j->query->brief))
                unwinder_only(still.unwinder, user_place_wanted);
        else if (r == 0 && still.unwinder && procio_live(io))
                unwinder_warm(still.unwinder);
        if (r == 0 && !j->selected)
                r = j->owners ? job_select_owners(j, io) : job_select(j, io);
        if (r == 0 && !j->query->raw)
                r = resolver_new(io, j->snapshot, &j->sockets, &still.resolver);
        if (r == 0 && !j->captured)
                r = askkernel_decide(j, io);
        if (r == 0 && !j->captured)
                r = job_capture(j, io, &still);
        if (r == 0 && j->clock)
                schedclock_visit(j->clock, io, j->watch, j->snapshot);
        if (r == 0 && still.resolver)
                resolver_finish(still.resolver);
        if (r == 0 && still.unwinder) {
                const struct profile_ops ops = { job_give, still.unwinder };

                if (procio_live(io)) /* of a recorded tree, numbers are nobody's */
                        profile_run(j->snapshot, j->session, j->query->profile_ns, &ops);
                r = unwinder_finish(still.unwinder);
                profile_fold(j->snapshot);
        }
        if (r == 0 && j->proof)
                proof_read(io, j->snapshot, j->proof);
        unwinder_free(still.unwinder);
        resolver_free(still.resolver);
        procio_free(io);
        return r;
}

/* Stacks of everything are in what the caller has sampled. */
static int job_run_whole(struct job *j)
{
        struct procio *io;
        int r = procio_new(NULL, NULL, &io);

        if (r < 0)
                return r;
        job_begin(j, io);
        r = job_select(j, io);
        if (r == 0)
                r = job_capture(j, io, NULL);
        procio_free(io);
        return r;
}

/* Leaves the targets that the sample did not meet; processes are in the order of PIDs, too. */
static void selection_reduce(
        struct selection *selection, const struct snapshot *s, const struct tasktable *table)
{
        const struct process *p = s->processes;
        size_t n = 0;

        for (size_t i = 0; i < selection->n_targets; i++) {
                pid_t pid = selection->targets[i].pid;

                while (p && p->pid < pid)
                        p = p->next;
                if ((!p || p->pid != pid) && !tasktable_left_out(table, pid))
                        selection->targets[n++] = selection->targets[i];
        }
        selection->n_targets = n;
}

void job_times(const struct job *j, struct snapshot *s)
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

static void filter_apply(
        const struct pwhy_query *query, const struct selection *selection, struct snapshot *s)
{
        if (selection->named)
                selection_ask(selection, s);
        s->n_processes = s->n_threads = s->n_matched = s->n_idle = 0;
        for_each_process(p, s) {
                if (p->context)
                        continue;
                s->n_processes++;
                p->n_threads = 0;
                for_each_thread(t, p) {
                        p->n_threads++;
                        t->matched = thread_matches(query, t) && (!selection->named || t->asked);
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

/* And who waits for those that were asked for. */
static int waiters_match(const struct pwhy_query *query, struct snapshot *s)
{
        int r = behind_find(s);

        if (r < 0)
                return r;
        for_each_process(p, s) {
                for_each_thread(t, p) {
                        if (t->asked || t->behind == BEHIND_NOBODY || !thread_matches(query, t))
                                continue;
                        t->matched = true;
                        s->n_matched++;
                }
        }
        return 0;
}

/* From captured threads to verdicts, and from these to chains. */
static int job_explain(struct job *j, const struct pwhy_query *query, bool in_time)
{
        struct snapshot *s = j->snapshot;
        struct look look = {
                .job = j,
                .woken = j->wake == WAKE_NEEDED,
                .query = { .proc = query->proc,
                        .source = query->source,
                        .no_user = query->no_user,
                        .timeout_ns = query->timeout_ns / 4 },
        };
        const struct looker looker = { &look, look_run, query->timeout_ns };
        int r = 0;

        job_times(j, s);
        if (!j->query->raw)
                r = explain_snapshot(s);
        else if (query->all) /* for which of them are idle */
                r = explain_kernel(s);
        if (r == 0 && !j->query->raw && in_time)
                r = chain_follow(s, &looker);
        filter_apply(query, j->selection, s);
        if (r == 0 && !j->query->raw)
                r = chain_finish(s, query->proc || !in_time ? NULL : &looker);
        if (r == 0 && j->selection->named && s->n_matched)
                r = waiters_match(query, s);
        if (r == 0 && query->deadlocked)
                filter_deadlocked(s);
        session_free(look.session);
        return r;
}

/* What the sample did not meet is left to a worker: its files may hang. */
static int job_start_whole(struct job *j)
{
        struct selection *selection = j->selection;
        int r = job_run_whole(j);

        if (r < 0)
                return r;
        selection_reduce(selection, j->snapshot, session_table(j->session));
        j->next = 0;
        j->captured = !selection->n_targets;
        return !j->captured;
}

/* Here what cannot hang; then, in a worker, the rest. */
static int job_start(struct job *j, const struct pwhy_query *query)
{
        int r = session_sample(j->session);

        if (r > 0) {
                j->watch->n_keep = taskiter_fds(session_iter(j->session), j->watch->keep);
                if (j->query->raw && session_is_whole(j->session)) {
                        r = job_start_whole(j);
                        if (r == 0)
                                return 0;
                }
        }
        if (r < 0)
                return r;
        r = worker_run(j->watch, query->timeout_ns, job_run, j);
        if (r == -ETIMEDOUT || r == -EIO)
                gap_worker(j, r);
        else if (r < 0)
                return r;
        return 0;
}

int pipeline_run(const struct pwhy_query *query, struct session *session,
        struct pwhy_snapshot **ret_snapshot)
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
        snapshot->model.no_kernel = query->no_kernel;
        snapshot->model.some = query->n_targets > 0 && !query_takes_all(query);
        snapshot->model.all = query->all && !query->proc;
        j->snapshot = &snapshot->model;
        j->selection = &snapshot->selection;
        j->blind = &snapshot->blind;
        j->query = &light;
        j->session = session;
        snapshot->watch = j->watch;
        j->caller = getpid();

        r = job_start(j, query);
        if (r < 0)
                goto fail;
        session_gaps(session, &snapshot->model);
        r = job_explain(j, query, j->captured);
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
        snapshot->model.no_kernel = query->no_kernel;
        snapshot->model.some = query->n_targets > 0 && !query->all;
        r = paste_read(&snapshot->model, text, len);
        if (r == 0)
                r = explain_snapshot(&snapshot->model);
        if (r == 0) {
                filter_apply(query, &snapshot->selection, &snapshot->model);
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
