/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See askkernel.h. */
#include "askkernel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "capture/enough.h"
#include "capture/session.h"
#include "capture/taskregs.h"
#include "capture/tasktable.h"
#include "job.h"
#include "model.h"

#define MANY 256 /* threads of a process */

/* Load what was not thought to be needed: of the threads of the selection. */
static int wake(struct job *j, bool registers)
{
        const struct selection *selection = j->selection;
        _cleanup_free_ pid_t *pids = calloc(selection->n_targets + 1, sizeof(*pids));
        size_t n = 0;
        int r;

        if (!pids)
                return -ENOMEM;
        for (size_t i = 0; i < selection->n_targets; i++)
                if (!n || pids[n - 1] != selection->targets[i].pid)
                        pids[n++] = selection->targets[i].pid;
        /* For registers once more: what waits where is known from files. */
        j->wake = registers ? WAKE_NEEDLESS : WAKE_NEEDED;
        r = session_wake(j->session, pids, n, registers);
        /* The caller's own session will not know. */
        session_gaps(j->session, j->snapshot);
        return r < 0 ? r : 0;
}

int askkernel_decide(struct job *j, struct procio *io)
{
        const struct selection *selection = j->selection;

        if (!session_is_later(j->session) || j->wake == WAKE_NEEDLESS)
                return 0;
        if (j->wake == WAKE_UNDECIDED) {
                j->wake = WAKE_ASKING;
                if (files_are_enough(io, selection->targets, selection->n_targets)) {
                        j->wake = WAKE_NEEDLESS;
                        return 0;
                }
        }
        return wake(j, false);
}

static const struct taskentry *entry_unmoved(struct job *j, const struct thread *t)
{
        const struct taskentry *e = tasktable_find(session_table(j->session), t->tid);

        return e && e->task.pid == t->process->pid && e->task.switches == t->switches &&
                               !(e->task.flags & (WIRE_ON_CPU | WIRE_MOVED))
                       ? e
                       : NULL;
}

static bool recheck_registers(void *arg, struct thread *t)
{
        struct job *j = arg;
        const struct taskentry *e;

        if (session_is_later(j->session) && wake(j, true) < 0)
                return false;
        if (!session_table(j->session) || !t->from_files || !t->has_switches)
                return false;
        e = entry_unmoved(j, t);
        if (e)
                taskregs_fill(j->snapshot, session_table(j->session), e, t);
        return t->regs;
}

/*
 * Of one process all threads are sent, of the machine those that have run: from many threads on
 * that is less.
 */
static bool recheck_refresh(void *arg, pid_t pid)
{
        struct job *j = arg;
        struct taskiter_scope scope = { .pid = pid };

        for_each_process(p, j->snapshot)
                if (p->pid == pid && p->n_threads > MANY)
                        scope.pid = 0;
        return session_table(j->session) &&
               tasktable_sample(session_table(j->session), &scope, NULL) == 0;
}

static bool recheck_unmoved(void *arg, const struct thread *t)
{
        return entry_unmoved(arg, t);
}

struct recheck askkernel_recheck(struct job *j)
{
        return (struct recheck){ j, recheck_refresh, recheck_unmoved, recheck_registers };
}
