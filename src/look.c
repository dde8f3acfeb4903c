/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each look is a run of the worker into a snapshot of its own: what is in the first one is
 * finished, and must not be read anew.
 */
#include "look.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/worker.h"
#include "capture/session.h"
#include "capture/taskiter.h"
#include "explain/explain.h"
#include "job.h"
#include "model.h"
#include "resolve/fdscan.h"

/* What all processes have open is read once for a chain, unless that takes long. */
#define SCAN_AGE_NS NS_PER_S

/* What was captured by another look becomes part of s. */
static void snapshot_join(struct snapshot *s, const struct snapshot *part)
{
        struct process *next;

        for (struct process *p = part->processes; p; p = next) {
                next = p->next;
                p->context = true;
                snapshot_add_process(s, p);
        }
        for (const struct gap *g = part->gaps; g; g = g->next)
                snapshot_gap(s, g->what, g->why, g->remedy, g->hides);
}

/*
 * What the kernel tells of threads that were not asked for: no filter of the query holds for them.
 * Where it has some, another session without them is made when it is first needed. What a look had
 * to load in its worker will be wanted again, and is loaded here then.
 */
static int look_sample(struct look *l, const struct owner *owners, size_t n)
{
        struct job *j = l->job;
        _cleanup_free_ pid_t *pids = calloc(n + 1, sizeof(*pids));
        size_t n_pids = 0;
        int r = 0;

        if (!session_table(j->session) && !session_is_later(j->session))
                return 0;
        if (l->woken && session_is_later(l->session)) {
                session_free(l->session);
                l->session = NULL;
        }
        if (!l->session)
                r = session_new_beside(j->session, &l->query, !l->woken, &l->session);
        if (!pids)
                r = -ENOMEM;
        for (size_t i = 0; r == 0 && i < n; i++)
                /* A tracer may be named by a TID (target/follow.c), which is no process. */
                if (owners[i].role == ROLE_TRACER)
                        pids[n_pids++] = 0;
                else if (!n_pids || pids[n_pids - 1] != owners[i].pid)
                        pids[n_pids++] = owners[i].pid;
        if (r == 0)
                r = session_sample_processes(l->session, pids, n_pids);
        if (r > 0)
                j->watch->n_keep = taskiter_fds(session_iter(l->session), j->watch->keep);
        return r < 0 ? r : 0;
}

/* What a wait chain leads to, or once more what may be a deadlock: struct looker. */
int look_run(
        void *arg, struct snapshot *s, const struct owner *owners, size_t n, struct proof *proof)
{
        struct look *l = arg;
        struct snapshot *first = l->job->snapshot;
        struct job *j = arena_dup(s->arena, l->job, sizeof(*j));
        struct snapshot *part = arena_new_one(s->arena, struct snapshot);
        struct selection *selection = arena_new_one(s->arena, struct selection);
        int r = j && part && selection ? look_sample(l, owners, n) : -ENOMEM;

        if (r < 0)
                return r;
        snapshot_init(part, s->arena);
        part->host = first->host;
        part->captured_at = first->captured_at;
        part->monotonic_ns = first->monotonic_ns;
        part->boottime_ns = first->boottime_ns;
        part->has_clocks = first->has_clocks;
        if (!proof && first->fd_scan &&
                clock_ns(CLOCK_MONOTONIC) - first->fd_scan->at_ns < SCAN_AGE_NS)
                part->fd_scan = first->fd_scan;
        j->snapshot = part;
        j->query = &l->query;
        if (l->session)
                j->session = l->session;
        j->selection = selection;
        j->owners = owners;
        j->n_owners = n;
        j->proof = proof;
        j->selected = j->captured = false;
        j->next = 0;
        j->sockets = NULL;
        j->unwound = (struct unwind_progress){ 0 };
        j->wake = WAKE_UNDECIDED;
        r = worker_run(j->watch, l->query.timeout_ns, job_run, j);
        l->woken |= j->wake == WAKE_NEEDED;
        if (r < 0 && r != -ETIMEDOUT && r != -EIO)
                return r;
        first->fd_scan = part->fd_scan ? part->fd_scan : first->fd_scan;
        /* What was captured before it ran out of time is whole, too. */
        job_times(j, part);
        if (explain_snapshot(part) < 0)
                return -ENOMEM;
        snapshot_join(s, part);
        return r;
}
