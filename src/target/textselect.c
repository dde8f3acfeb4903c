/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Targets in a text: a number is a PID or a TID, everything else the name of a task. */
#include "target/textselect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/escape.h"
#include "model.h"
#include "query.h"

static bool target_names(const char *target, const struct thread *t)
{
        const struct process *p = t->process;
        char *end;
        long number = strtol(target, &end, 10);

        if (*target >= '0' && *target <= '9' && !*end)
                return number > 0 && (number == p->pid || number == t->tid);
        return (t->comm && strcmp(t->comm, target) == 0) ||
               (p->comm && strcmp(p->comm, target) == 0);
}

/* found[i] is set when target i names the thread, whatever the filters say. */
static bool thread_is_meant(const struct pwhy_query *query, const struct thread *t, bool *found)
{
        bool meant = query->all || query->n_targets == 0;

        for (size_t i = 0; i < query->n_targets; i++) {
                if (!target_names(query->targets[i], t))
                        continue;
                found[i] = true;
                meant = true;
        }
        if (query->filter.has_uid || query->filter.cgroup)
                return false;
        if (*query->filter.states && (!t->state || !strchr(query->filter.states, t->state)))
                return false;
        return meant;
}

static int unmatched_fill(const struct pwhy_query *query, struct snapshot *s, const bool *found,
        struct selection *ret)
{
        struct arena *a = s->arena;
        size_t n = query->n_targets ? query->n_targets : 1;

        ret->unmatched = arena_new_array(a, const char *, n);
        if (!ret->unmatched)
                return -ENOMEM;
        if (!s->n_threads) {
                ret->unmatched[ret->n_unmatched++] =
                        "there is no stack in the text; understood are /proc/PID/stack (also "
                        "behind the names that head and grep print) and the kernel's log: "
                        "dmesg with SysRq-t, SysRq-w or \"blocked for more than\"";
                return 0;
        }
        for (size_t i = 0; i < query->n_targets; i++) {
                const char *target = query->targets[i];

                if (found[i])
                        continue;
                ret->unmatched[ret->n_unmatched++] =
                        arena_printf(a, "%s: no task in the text is this",
                                escape_text(a, target, strlen(target), ESCAPE_NAME_MAX));
        }
        return 0;
}

int textselect_apply(const struct pwhy_query *query, struct snapshot *s, struct selection *ret)
{
        bool *found = calloc(query->n_targets + 1, sizeof(*found));
        int r;

        if (!found)
                return -ENOMEM;
        for_each_process(p, s) {
                for_each_thread(t, p) {
                        bool meant = thread_is_meant(query, t, found);

                        if (!meant && t->matched) {
                                t->matched = false;
                                s->n_matched--;
                        }
                }
        }
        r = unmatched_fill(query, s, found, ret);
        free(found);
        return r;
}
