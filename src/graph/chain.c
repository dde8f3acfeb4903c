/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of what graph does, as pipeline.c has it for the stages. */
#include "graph/chain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "graph/context.h"
#include "graph/cycle.h"
#include "graph/deadlocks.h"
#include "graph/proof.h"
#include "graph/roots.h"
#include "graph/waits.h"
#include "model.h"

#define ROUNDS_MAX 32 /* one for each step of a chain */

/* One step further. 1: there was one; 0: all that can be had is there; -ENOMEM. */
static int chain_step(
        struct snapshot *s, const struct looker *l, struct context *c, struct process **from)
{
        struct process *last = *from;
        size_t first, n;
        int r = context_missing(c, s, last, &first, &n);

        if (r < 0 || n == 0)
                return r;
        while (last && last->next)
                last = last->next;
        s->context = true;
        r = l->look(l->arg, s, &c->tried[first], n, NULL);
        s->context = false;
        *from = last ? last->next : s->processes;
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                snapshot_gap(s, "wait chains", "their owners did not answer in time",
                        "give a longer --timeout", false);
        return r == 0 && *from;
}

int chain_follow(struct snapshot *s, const struct looker *l)
{
        int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + l->patience_ns;
        _cleanup_free_ struct context *c = NULL;
        struct process *from = s->processes;
        int r = 1;

        if (!context_has_owners(s))
                return 0;
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        for (int i = 0; r > 0 && !c->bound; i++) {
                c->bound = i == ROUNDS_MAX || clock_ns(CLOCK_MONOTONIC) > end_ns;
                if (!c->bound)
                        r = chain_step(s, l, c, &from);
        }
        if (c->bound)
                snapshot_gap(s, "wait chains",
                        "they lead to more processes than are looked at for that",
                        "look at all of them: pwhy --all", false);
        return r < 0 ? r : 0;
}

/* Look again at what may be a deadlock; leaves in the graph what is true. */
static int deadlocks_prove(
        struct snapshot *s, const struct looker *l, struct graph *g, const bool *behind)
{
        struct snapshot *again = arena_new_one(s->arena, struct snapshot);
        struct owner *owners = NULL;
        struct proof *proof = NULL;
        size_t n = 0;
        int r = again ? proof_new(s, g, behind, &proof) : -ENOMEM;

        if (r == 0)
                r = proof_owners(s, g, behind, &owners, &n);
        if (r < 0)
                return r;
        snapshot_init(again, s->arena);
        r = l->look(l->arg, again, owners, n, proof);
        if (r < 0 && r != -ENOMEM)
                snapshot_gap(s, "deadlocks",
                        "what looks like one could not be looked at a second time in time",
                        "give a longer --timeout", true);
        return r == -ENOMEM ? r : proof_apply(proof, g, behind, again);
}

/* Nodes that are stuck; and all in or behind a deadlock, in *behind. How many, or -ENOMEM. */
static int64_t stuck_find(const struct graph *g, bool *stuck, bool *behind)
{
        int64_t n = cycle_stuck(g, stuck), more;

        memcpy(behind, stuck, g->n_nodes);
        if (n <= 0)
                return n;
        more = cycle_behind(g, behind);
        return more < 0 ? more : n + more;
}

static int deadlocks_find(
        struct snapshot *s, const struct looker *l, struct graph *g, bool *stuck, bool *behind)
{
        int64_t n = stuck_find(g, stuck, behind);
        int r;

        s->has_deadlocks = true;
        if (n <= 0)
                return (int)n;
        r = deadlocks_prove(s, l, g, behind);
        if (r < 0)
                return r;
        n = stuck_find(g, stuck, behind);
        return n <= 0 ? (int)n : deadlocks_set(s, g, stuck, behind);
}

int chain_finish(struct snapshot *s, const struct looker *l)
{
        _cleanup_free_ bool *stuck = NULL, *behind = NULL;
        struct graph *g = NULL;
        int r;

        roots_begin(s);
        s->deadlocks = NULL;
        s->has_deadlocks = l != NULL;
        if (!context_has_owners(s))
                return 0;
        r = graph_new(s, &g);
        if (r < 0)
                return r;
        stuck = calloc((size_t)g->n_nodes + 1, sizeof(*stuck));
        behind = calloc((size_t)g->n_nodes + 1, sizeof(*behind));
        r = stuck && behind ? 0 : -ENOMEM;
        if (r == 0 && l)
                r = deadlocks_find(s, l, g, stuck, behind);
        if (r == 0)
                r = roots_set(g, behind);
        graph_free(g);
        return r;
}
