/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owners are facts of the process (children, parent, tracer) or of the object that is waited on. */
#include "explain/owners.h"

#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "explain/when.h"
#include "model.h"
#include "resolve/syscall.h"

static void owner_set(
        struct arena *a, struct wait *w, pid_t pid, pid_t tid, const char *comm, enum role role)
{
        if (pid <= 0)
                return;
        w->on = arena_new_one(a, struct owner);
        if (!w->on)
                return;
        *w->on = (struct owner){ pid, tid, comm, role };
        w->n_on = 1;
        w->on_whole = true;
}

/* The holder of a priority-inheritance futex is in its word, by its TID (linux/futex.h). */
static void owner_futex(struct arena *a, struct thread *t)
{
        const struct object *o = t->wait.object;
        pid_t tid = o && o->has_word ? (pid_t)(o->word & 0x3fffffff) : 0;

        /* A TID of another PID namespace means another thread here. */
        if (!tid || o->n_owners || o->lock_layout || t->process->inner_pid)
                return;
        for_each_thread(other, t->process)
                if (other->tid == tid && other != t)
                        owner_set(a, &t->wait, t->process->pid, tid, other->comm, ROLE_HOLDER);
}

void owners_fill(struct arena *a, struct thread *t)
{
        struct wait *w = &t->wait;
        struct process *p = t->process;
        struct object *o = w->object;

        switch (w->reason) {
        case REASON_ZOMBIE:
                if (o && p->ppid > 0) {
                        owner_set(a, w, p->ppid, 0, p->parent_comm, ROLE_PARENT);
                        o->pid = p->ppid;
                        o->comm = p->parent_comm;
                }
                break;
        case REASON_TRACED:
                owner_set(a, w, t->tracer, 0, t->tracer_comm, ROLE_TRACER);
                if (o) {
                        o->pid = t->tracer;
                        o->comm = t->tracer_comm;
                }
                break;
        case REASON_CHILD:
                if (o && o->pid) {
                        owner_set(a, w, o->pid, 0, o->comm, ROLE_CHILD);
                } else if (t->call.desc && !t->call.object && p->n_children &&
                           call_is(&t->call, "wait4|waitpid|waitid") &&
                           when_wait_hidden(t) == FALSE) {
                        w->on = p->children;
                        w->n_on = p->n_children;
                        w->on_any = true;
                        w->on_whole = !p->n_children_hidden;
                        if (o && p->n_children == 1 && !p->n_children_hidden) {
                                o->pid = p->children[0].pid;
                                o->comm = p->children[0].comm;
                        }
                }
                break;
        case REASON_LOCK:
                owner_futex(a, t);
                break;
        default:
                break;
        }
        if (w->reason == REASON_LOCK && t->blocker)
                o = t->blocker;
        if (w->reason == REASON_REPLY && t->server) {
                if (o && t->server->note)
                        o->note = t->server->note;
                o = t->server;
        }
        if (w->reason == REASON_SIGNAL)
                o = t->call.object;
        if (!w->n_on && o && o->n_owners) {
                w->on = o->owners;
                w->n_on = o->n_owners;
                w->on_any = o->on_any;
                w->on_whole = o->on_whole;
        }
}

const char *owners_none(const struct object *o)
{
        static const struct {
                const char *kind, *text;
        } kinds[] = {
                { "condvar", "a condition has no owner: any thread may signal it" },
                { "semaphore", "a semaphore has no owner: any thread may post it" },
                { "barrier", "a barrier has no owner: it opens when enough threads have come" },
        };

        for (size_t i = 0; o && o->kind && !o->n_owners && i < ARRAY_SIZE(kinds); i++)
                if (strcmp(o->kind, kinds[i].kind) == 0)
                        return kinds[i].text;
        return NULL;
}

void lock_reconcile(struct object *o)
{
        if (strcmp(o->lock_kind, o->kind) == 0) {
                o->address = o->lock_address;
                return;
        }
        o->owners = NULL;
        o->n_owners = 0;
        o->on_whole = false;
        o->readers = 0;
        o->note = NULL;
}
