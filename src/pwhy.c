/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The public functions about snapshots. Those about queries are in query.c. */
#include "pwhy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/worker.h"
#include "capture/session.h"
#include "pipeline.h"
#include "query.h"
#include "render/render.h"
#include "unwind/stackcache.h"

struct pwhy_capture {
        const struct pwhy_query *query;
        struct session *session;
        bool once; /* nothing is kept for a next time */
};

const char *pwhy_version(void)
{
        return PWHY_VERSION;
}

static int capture_new(const struct pwhy_query *query, bool once, struct pwhy_capture **ret_capture)
{
        struct pwhy_capture *c;
        int r;

        if (!query->n_targets && !query->all)
                return -EINVAL;
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->query = query;
        c->once = once;
        r = session_new(query, once, &c->session);
        if (r < 0) {
                free(c);
                return r;
        }
        *ret_capture = c;
        return 0;
}

int pwhy_snapshot_take(const struct pwhy_query *query, struct pwhy_snapshot **ret_snapshot)
{
        struct pwhy_capture *capture;
        int r = capture_new(query, true, &capture);

        if (r < 0)
                return r;
        r = pwhy_capture_take(capture, ret_snapshot);
        pwhy_capture_free(capture);
        return r;
}

int pwhy_capture_new(const struct pwhy_query *query, struct pwhy_capture **ret_capture)
{
        return capture_new(query, false, ret_capture);
}

int pwhy_capture_take(struct pwhy_capture *capture, struct pwhy_snapshot **ret_snapshot)
{
        int r = pipeline_run(capture->query, capture->session, ret_snapshot);

        if (r == 0 && !capture->once)
                stackcache_keep(session_stacks(capture->session), &(*ret_snapshot)->model);
        return r;
}

void pwhy_capture_free(struct pwhy_capture *capture)
{
        if (!capture)
                return;
        session_free(capture->session);
        free(capture);
}

int pwhy_explain_text(const struct pwhy_query *query, const char *text, size_t len,
        struct pwhy_snapshot **ret_snapshot)
{
        if (!text && len > 0)
                return -EINVAL;
        return pipeline_run_text(query, text, len, ret_snapshot);
}

void pwhy_snapshot_free(struct pwhy_snapshot *snapshot)
{
        if (!snapshot)
                return;
        watch_reap(snapshot->watch, true);
        arena_free(snapshot->model.arena);
}

size_t pwhy_snapshot_count(const struct pwhy_snapshot *snapshot)
{
        return snapshot->model.n_matched;
}

bool pwhy_snapshot_incomplete(const struct pwhy_snapshot *snapshot)
{
        for (const struct gap *g = snapshot->model.gaps; g; g = g->next)
                if (g->hides)
                        return true;
        if (!snapshot->raw)
                return false;
        for_each_process(p, &snapshot->model)
                for_each_thread(t, p)
                        if (t->matched && !t->kernel_stack)
                                return true;
        return false;
}

bool pwhy_snapshot_blind(const struct pwhy_snapshot *snapshot)
{
        return snapshot->blind;
}

size_t pwhy_snapshot_unmatched(const struct pwhy_snapshot *snapshot)
{
        return snapshot->selection.n_unmatched;
}

const char *pwhy_snapshot_unmatched_text(const struct pwhy_snapshot *snapshot, size_t index)
{
        return index < snapshot->selection.n_unmatched ? snapshot->selection.unmatched[index]
                                                       : NULL;
}

size_t pwhy_snapshot_gaps(const struct pwhy_snapshot *snapshot)
{
        size_t n = 0;

        for (const struct gap *g = snapshot->model.gaps; g; g = g->next)
                n++;
        return n;
}

const char *pwhy_snapshot_gap_text(const struct pwhy_snapshot *snapshot, size_t index)
{
        const struct gap *g = NULL;
        char times[32] = "";

        for (int hides = 1; hides >= 0 && !g; hides--)
                for (g = snapshot->model.gaps; g; g = g->next)
                        if (g->hides == hides && index-- == 0)
                                break;
        if (!g)
                return NULL;
        if (g->count > 1)
                snprintf(times, sizeof(times), " (%u times)", g->count);
        return arena_printf(snapshot->model.arena, "%s%s: %s%s%s", g->what, times, g->why,
                g->remedy ? "; " : "", g->remedy ? g->remedy : "");
}

bool pwhy_snapshot_deadlocks_known(const struct pwhy_snapshot *snapshot)
{
        return snapshot->model.has_deadlocks;
}

size_t pwhy_snapshot_deadlocks(const struct pwhy_snapshot *snapshot)
{
        size_t n = 0;

        for (const struct deadlock *d = snapshot->model.deadlocks; d; d = d->next)
                n++;
        return n;
}

static const struct deadlock *deadlock_at(const struct pwhy_snapshot *snapshot, size_t index)
{
        const struct deadlock *d = snapshot->model.deadlocks;

        while (d && index-- > 0)
                d = d->next;
        return d;
}

size_t pwhy_snapshot_deadlock_members(const struct pwhy_snapshot *snapshot, size_t index)
{
        const struct deadlock *d = deadlock_at(snapshot, index);

        return d ? d->n_members : 0;
}

pid_t pwhy_snapshot_deadlock_pid(const struct pwhy_snapshot *snapshot, size_t index, size_t member)
{
        const struct deadlock *d = deadlock_at(snapshot, index);

        return d && member < d->n_members ? d->members[member]->process->pid : 0;
}

pid_t pwhy_snapshot_deadlock_tid(const struct pwhy_snapshot *snapshot, size_t index, size_t member)
{
        const struct deadlock *d = deadlock_at(snapshot, index);

        return d && member < d->n_members ? d->members[member]->tid : 0;
}

int pwhy_snapshot_render(
        const struct pwhy_snapshot *snapshot, FILE *out, const struct pwhy_render *how)
{
        const struct snapshot *previous = how->previous ? &how->previous->model : NULL;

        switch (how->format) {
        case PWHY_TEXT:
                return render_text(out, &snapshot->model, previous, how->colour, how->columns);
        case PWHY_JSON:
                return render_json(out, &snapshot->model);
        case PWHY_RAW:
                return render_raw(out, &snapshot->model);
        case PWHY_GRAPH:
                return render_graph(out, &snapshot->model, how->colour, how->columns);
        case PWHY_ROOTS:
                return render_roots(out, &snapshot->model, how->colour, how->columns);
        case PWHY_DEADLOCKS:
                return render_deadlocks(out, &snapshot->model, how->colour, how->columns);
        case PWHY_DOT:
                return render_dot(out, &snapshot->model);
        }
        return -EINVAL;
}
