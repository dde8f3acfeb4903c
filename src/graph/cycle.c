/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stuck is what is left when everything that could go on has been taken away: a node that does
 * not wait for its edges alone, an OR with an edge to one that could go on, an AND all of whose
 * edges are. Each edge is looked at once for that, with a count for each AND.
 */
#include "graph/cycle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "graph/waits.h"

#define ROUNDS_MAX 64 /* of taking away what only waits behind a deadlock */

/* Tarjan's algorithm (1972), with a stack of its own instead of recursion. */
struct tarjan {
        const struct graph *g;
        const bool *in;
        uint32_t *component;
        uint32_t *order, *low; /* order 0: not seen yet */
        uint32_t *edge;        /* the next one of each node that is being visited */
        uint32_t *path, n_path;
        uint32_t *open, n_open; /* seen, and in no component yet */
        uint32_t n_seen, n_components;
};

static void tarjan_enter(struct tarjan *w, uint32_t n)
{
        w->order[n] = w->low[n] = ++w->n_seen;
        w->edge[n] = w->g->nodes[n].first;
        w->path[w->n_path++] = n;
        w->open[w->n_open++] = n;
}

/* All that can be reached from n has been seen: is it where a component was entered? */
static void tarjan_leave(struct tarjan *w, uint32_t n)
{
        uint32_t member;

        w->n_path--;
        if (w->n_path > 0 && w->low[n] < w->low[w->path[w->n_path - 1]])
                w->low[w->path[w->n_path - 1]] = w->low[n];
        if (w->low[n] != w->order[n])
                return;
        do {
                member = w->open[--w->n_open];
                w->component[member] = w->n_components;
        } while (member != n);
        w->n_components++;
}

static void tarjan_visit(struct tarjan *w, uint32_t start)
{
        tarjan_enter(w, start);
        while (w->n_path > 0) {
                uint32_t n = w->path[w->n_path - 1], to;
                const struct node *node = &w->g->nodes[n];

                if (w->edge[n] == node->first + node->n) {
                        tarjan_leave(w, n);
                        continue;
                }
                to = w->g->edges[w->edge[n]++].to;
                if (!w->in[to])
                        continue;
                if (w->order[to] == 0)
                        tarjan_enter(w, to);
                else if (w->component[to] == NODE_NONE && w->order[to] < w->low[n])
                        w->low[n] = w->order[to];
        }
}

int cycle_components(
        const struct graph *g, const bool *in, uint32_t *component, uint32_t *ret_n_components)
{
        size_t n = g->n_nodes;
        _cleanup_free_ uint32_t *memory = calloc(n + 1, 5 * sizeof(*memory));
        struct tarjan w = { .g = g, .in = in, .component = component };

        if (!memory)
                return -ENOMEM;
        w.order = memory;
        w.low = memory + n;
        w.edge = memory + 2 * n;
        w.path = memory + 3 * n;
        w.open = memory + 4 * n;
        memset(component, 0xff, n * sizeof(*component));
        for (uint32_t i = 0; i < n; i++)
                if (in[i] && w.order[i] == 0)
                        tarjan_visit(&w, i);
        *ret_n_components = w.n_components;
        return 0;
}

/* Edges of the graph that count: those within a component, where there are components. */
static bool edge_counts(const uint32_t *component, uint32_t from, uint32_t to)
{
        return !component || (component[from] != NODE_NONE && component[from] == component[to]);
}

/*
 * Take away from stuck all that could go on, if edges that do not count led to something that
 * goes on. Returns how many were taken, or -ENOMEM.
 */
static int64_t stuck_reduce(const struct graph *g, bool *stuck, const uint32_t *component)
{
        _cleanup_free_ uint32_t *memory = calloc((size_t)g->n_nodes + 1, 2 * sizeof(*memory));
        uint32_t *n_into = memory, *queue = memory ? memory + g->n_nodes : NULL;
        uint32_t n_queued = 0;

        if (!memory)
                return -ENOMEM;
        for (uint32_t n = 0; n < g->n_nodes; n++) {
                const struct node *node = &g->nodes[n];

                if (!stuck[n])
                        continue;
                for_each_edge(e, g, n) n_into[n] +=
                        stuck[e->to] && edge_counts(component, n, e->to);
                if (!node->held || n_into[n] == 0 || (node->any && n_into[n] < node->n))
                        queue[n_queued++] = n;
        }
        /* Only now: above, all counts have to be of the same set. */
        for (uint32_t i = 0; i < n_queued; i++)
                stuck[queue[i]] = false;
        for (uint32_t i = 0; i < n_queued; i++) {
                for_each_back(from, g, queue[i])
                {
                        if (!stuck[from] || !edge_counts(component, from, queue[i]))
                                continue;
                        if (!g->nodes[from].any && --n_into[from] > 0)
                                continue;
                        stuck[from] = false;
                        queue[n_queued++] = from;
                }
        }
        return n_queued;
}

int64_t cycle_stuck(const struct graph *g, bool *stuck)
{
        int64_t n;

        memset(stuck, true, g->n_nodes);
        n = stuck_reduce(g, stuck, NULL);
        return n < 0 ? n : (int64_t)g->n_nodes - n;
}

int64_t cycle_behind(const struct graph *g, bool *stuck)
{
        _cleanup_free_ uint32_t *memory = calloc((size_t)g->n_nodes + 1, 2 * sizeof(*memory));
        uint32_t *n_into = memory, *queue = memory ? memory + g->n_nodes : NULL;
        uint32_t n_queued = 0, n_stuck;

        if (!memory)
                return -ENOMEM;
        for (uint32_t n = 0; n < g->n_nodes; n++)
                if (stuck[n])
                        queue[n_queued++] = n;
        n_stuck = n_queued;
        for (uint32_t i = 0; i < n_queued; i++) {
                for_each_back(from, g, queue[i])
                {
                        const struct node *node = &g->nodes[from];

                        n_into[from]++;
                        if (stuck[from] || node->left)
                                continue;
                        /* Any other one, seen or not, may let it go on. */
                        if (node->any && (!node->whole || node->cut || n_into[from] < node->n))
                                continue;
                        stuck[from] = true;
                        queue[n_queued++] = from;
                }
        }
        return n_queued - n_stuck;
}

int cycle_members(
        const struct graph *g, const bool *stuck, uint32_t *component, uint32_t *ret_n_components)
{
        _cleanup_free_ bool *core = malloc((size_t)g->n_nodes + 1);
        int64_t n_gone = 1;
        int r = 0;

        if (!core)
                return -ENOMEM;
        memcpy(core, stuck, g->n_nodes);
        /*
         * In a component that is stuck only because it waits for another one as well, nodes go
         * on once the edges that leave it lead to something that does. What is left may fall
         * into smaller components: again, until each is stuck by itself.
         */
        for (int i = 0; i < ROUNDS_MAX && n_gone > 0; i++) {
                r = cycle_components(g, core, component, ret_n_components);
                if (r < 0)
                        return r;
                n_gone = stuck_reduce(g, core, component);
                if (n_gone < 0)
                        return (int)n_gone;
        }
        /* Too many rounds: those that are not proven to be stuck by themselves are none. */
        if (n_gone > 0) {
                memset(component, 0xff, g->n_nodes * sizeof(*component));
                *ret_n_components = 0;
        }
        return 0;
}
