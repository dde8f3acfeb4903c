/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An owner is asked for once, whoever waits for it, and whether or not it could be captured. */
#include "graph/context.h"

#include "graph/lookup.h"
#include "graph/waits.h"

bool context_has_owners(const struct snapshot *s)
{
        for_each_process(p, s)
                for_each_thread(t, p)
                        if (t->wait.n_on)
                                return true;
        return false;
}

static bool owner_is_there(const struct lookup *l, const struct owner *o)
{
        struct process *p;
        uint32_t place;

        if (o->tid > 0)
                return lookup_thread(l, o->tid, &place);
        p = lookup_process(l, o->pid, &place);
        /* Of a process all threads are wanted: any of them may be the one that has to act. */
        return p && (p->context || process_is_whole(p));
}

static void owner_want(struct context *c, const struct owner *o)
{
        for (size_t i = 0; i < c->n_tried; i++)
                if (c->tried[i].pid == o->pid && c->tried[i].tid == o->tid)
                        return;
        if (c->n_tried < CONTEXT_OWNERS_MAX)
                c->tried[c->n_tried++] = *o;
        else
                c->bound = true;
}

int context_missing(struct context *c, const struct snapshot *s, const struct process *from,
        size_t *ret_first, size_t *ret_n)
{
        size_t first = c->n_tried;
        struct lookup *l;
        int r = lookup_new(s, &l);

        if (r < 0)
                return r;
        for (const struct process *p = from; p; p = p->next) {
                for_each_thread(t, p) {
                        const struct wait *w = &t->wait;

                        for (size_t i = 0; w->confidence > CONFIDENCE_GUESS && i < w->n_on; i++)
                                if ((w->on[i].pid > 0 || w->on[i].tid > 0) &&
                                        !owner_is_there(l, &w->on[i]))
                                        owner_want(c, &w->on[i]);
                }
        }
        lookup_free(l);
        *ret_first = first;
        *ret_n = c->n_tried - first;
        return 0;
}
