/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chain is walked until it meets one of which the answer is known, and what was walked gets that
 * answer: each thread is passed once. A chain that branches ends there (roots.h). Who waits for one
 * of several then is not behind any of them, but beside.
 */
#include "graph/behind.h"

#include <errno.h>
#include <stdlib.h>

#include "graph/lookup.h"
#include "model.h"

static void chain_walk(struct thread *first)
{
        struct thread *t = first;
        enum behind answer;

        while (t && !t->asked && t->behind == BEHIND_UNKNOWN) {
                t->behind = BEHIND_WALKED;
                t = t->toward;
        }
        /* One that was walked just now: round a deadlock. */
        answer = t && (t->asked || t->behind == BEHIND_ASKED) ? BEHIND_ASKED : BEHIND_NOBODY;
        for (t = first; t && t->behind == BEHIND_WALKED; t = t->toward)
                t->behind = answer;
}

static bool could_be_ended(const struct lookup *l, const struct wait *w)
{
        uint32_t place;

        for (size_t i = 0; w->confidence > CONFIDENCE_GUESS && i < w->n_on; i++) {
                const struct thread *t =
                        w->on[i].tid > 0 ? lookup_thread(l, w->on[i].tid, &place) : NULL;
                const struct process *p =
                        w->on[i].tid > 0 ? NULL : lookup_process(l, w->on[i].pid, &place);

                if ((t && t->asked) || (p && p->asked))
                        return true;
        }
        return false;
}

int behind_find(struct snapshot *s)
{
        struct lookup *l;
        int r = lookup_new(s, &l);

        if (r < 0)
                return r;
        for_each_process(p, s)
                for_each_thread(t, p) {
                        p->asked |= t->asked;
                        chain_walk(t);
                }
        for_each_process(p, s)
                for_each_thread(t, p)
                        if (!t->asked && t->behind == BEHIND_NOBODY && could_be_ended(l, &t->wait))
                                t->behind = BESIDE_ASKED;
        lookup_free(l);
        return 0;
}
