/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The public functions about threads: the model's facts one by one, for programs that would
 * otherwise have to parse what is rendered.
 *
 * The table of matching threads is made when it is first asked for, because most callers
 * render and never ask. Names and sentences are escaped at that time: what a caller prints
 * without thinking must not act on its terminal.
 */
#include "pwhy.h"

#include <string.h>

#include "base/arena.h"
#include "base/escape.h"
#include "pipeline.h"
#include "resolve/syscall.h"

struct pwhy_thread { /* strings are escaped */
        const struct thread *thread;
        const char *comm;
        const char *text;
        const char *root_text;
        const char *evidence[EVIDENCE_MAX];
        const char **owner_comms; /* wait.n_on of them */
};

static const char *escape(struct arena *a, const char *text, size_t max)
{
        return text ? escape_text(a, text, strlen(text), max) : NULL;
}

static void thread_fill(struct arena *a, const struct thread *t, struct pwhy_thread *ret_thread)
{
        const struct wait *w = &t->wait;
        struct pwhy_thread p = {
                .thread = t,
                .comm = escape(a, t->comm, ESCAPE_NAME_MAX),
                .text = escape(a, w->text, ESCAPE_ARG_MAX),
                .root_text = t->root ? escape(a, t->root->wait.text, ESCAPE_ARG_MAX) : NULL,
                .owner_comms = arena_new_array(a, const char *, w->n_on),
        };

        for (size_t i = 0; i < w->n_evidence && i < EVIDENCE_MAX; i++)
                p.evidence[i] = escape(a, w->evidence[i], ESCAPE_ARG_MAX);
        for (size_t i = 0; p.owner_comms && i < w->n_on; i++)
                p.owner_comms[i] = escape(a, w->on[i].comm, ESCAPE_NAME_MAX);
        *ret_thread = p;
}

static struct pwhy_thread *threads_new(const struct pwhy_snapshot *snapshot)
{
        const struct snapshot *s = &snapshot->model;
        struct pwhy_thread *threads = arena_new_array(s->arena, struct pwhy_thread, s->n_matched);
        size_t n = 0;

        if (!threads)
                return NULL;
        for_each_process(p, s)
                for_each_thread(t, p)
                        if (t->matched && n < s->n_matched)
                                thread_fill(s->arena, t, &threads[n++]);
        return arena_failed(s->arena) ? NULL : threads;
}

const struct pwhy_thread *pwhy_snapshot_thread(struct pwhy_snapshot *snapshot, size_t index)
{
        if (index >= snapshot->model.n_matched)
                return NULL;
        if (!snapshot->threads)
                snapshot->threads = threads_new(snapshot);
        return snapshot->threads ? &snapshot->threads[index] : NULL;
}

pid_t pwhy_thread_pid(const struct pwhy_thread *thread)
{
        return thread->thread->process->pid;
}

pid_t pwhy_thread_tid(const struct pwhy_thread *thread)
{
        return thread->thread->tid;
}

const char *pwhy_thread_comm(const struct pwhy_thread *thread)
{
        return thread->comm;
}

char pwhy_thread_state(const struct pwhy_thread *thread)
{
        return thread->thread->state;
}

const char *pwhy_thread_reason(const struct pwhy_thread *thread)
{
        return reason_name(thread->thread->wait.reason);
}

enum pwhy_confidence pwhy_thread_confidence(const struct pwhy_thread *thread)
{
        switch (thread->thread->wait.confidence) {
        case CONFIDENCE_CERTAIN:
                return PWHY_CERTAIN;
        case CONFIDENCE_LIKELY:
                return PWHY_LIKELY;
        case CONFIDENCE_GUESS:
                break;
        }
        return PWHY_GUESS;
}

const char *pwhy_thread_text(const struct pwhy_thread *thread)
{
        return thread->text;
}

const char *pwhy_thread_evidence(const struct pwhy_thread *thread, size_t index)
{
        return index < EVIDENCE_MAX ? thread->evidence[index] : NULL;
}

int64_t pwhy_thread_for_ns(const struct pwhy_thread *thread)
{
        return thread->thread->has_for ? thread->thread->for_ns : -1;
}

int64_t pwhy_thread_for_error_ns(const struct pwhy_thread *thread)
{
        return thread->thread->has_for ? thread->thread->for_error_ns : 0;
}

bool pwhy_thread_for_at_least(const struct pwhy_thread *thread)
{
        return thread->thread->has_for && thread->thread->for_at_least;
}

const char *pwhy_thread_syscall(const struct pwhy_thread *thread)
{
        const struct call *call = &thread->thread->call;

        return call->state == CALL_INSIDE && call->desc ? call->desc->name : NULL;
}

const char *pwhy_thread_kernel_stack(const struct pwhy_thread *thread)
{
        const struct stack *stack = thread->thread->kernel_stack;

        return stack ? stack->text : NULL;
}

size_t pwhy_thread_owners(const struct pwhy_thread *thread)
{
        return thread->thread->wait.n_on;
}

static const struct owner *owner_at(const struct pwhy_thread *thread, size_t index)
{
        const struct wait *w = &thread->thread->wait;

        return index < w->n_on ? &w->on[index] : NULL;
}

pid_t pwhy_thread_owner_pid(const struct pwhy_thread *thread, size_t index)
{
        const struct owner *o = owner_at(thread, index);

        return o ? o->pid : 0;
}

pid_t pwhy_thread_owner_tid(const struct pwhy_thread *thread, size_t index)
{
        const struct owner *o = owner_at(thread, index);

        return o ? o->tid : 0;
}

const char *pwhy_thread_owner_comm(const struct pwhy_thread *thread, size_t index)
{
        return owner_at(thread, index) ? thread->owner_comms[index] : NULL;
}

const char *pwhy_thread_owner_role(const struct pwhy_thread *thread, size_t index)
{
        const struct owner *o = owner_at(thread, index);

        return o ? role_name(o->role) : NULL;
}

pid_t pwhy_thread_root_pid(const struct pwhy_thread *thread)
{
        const struct thread *root = thread->thread->root;

        return root ? root->process->pid : 0;
}

pid_t pwhy_thread_root_tid(const struct pwhy_thread *thread)
{
        const struct thread *root = thread->thread->root;

        return root ? root->tid : 0;
}

const char *pwhy_thread_root_text(const struct pwhy_thread *thread)
{
        return thread->root_text;
}

bool pwhy_thread_deadlocked(const struct pwhy_thread *thread)
{
        return thread->thread->deadlocked;
}
