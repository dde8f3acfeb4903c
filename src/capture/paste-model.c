/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tasks of a text to processes and threads. A process is what threads with one TGID make,
 * which kernels print since 6.1 or so; without it each task stands for itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "capture/paste-parts.h"
#include "capture/stackset.h"
#include "model.h"
#include "symbol/stacktext.h"

struct known { /* a process of the snapshot */
        uint64_t key;
        struct process *process;
        UT_hash_handle hh;
};

struct builder {
        struct snapshot *s;
        struct arena *arena;
        struct stackset *stacks;
        struct known *processes;
        bool x86_64, arm64;
};

/* A name ends at a NUL; one that begins with it is none. */
static const char *text_new(struct builder *b, struct span s)
{
        size_t len = span_len(s) ? strnlen(s.p, span_len(s)) : 0;

        return len ? arena_strn(b->arena, s.p, len) : NULL;
}

/* What the functions at the end of stacks say of the machine. */
static void arch_note(struct builder *b, const struct stack *k)
{
        if (!b->x86_64)
                b->x86_64 = stack_has(k,
                        "entry_SYSCALL_64*|do_syscall_64|system_call_fastpath|ret_from_fork_asm");
        if (!b->arm64)
                b->arm64 = stack_has(k, "el0t_64_sync|el0_sync|el0_svc*|cpu_switch_to");
}

static const struct stack *stack_new(struct builder *b, const struct paste_task *t)
{
        const struct stack *k;

        if (t->mixed) {
                snapshot_gap(b->s, "kernel stacks",
                        "lines of several tasks are mixed, and do not say whose they are",
                        "let the kernel say it: CONFIG_PRINTK_CALLER", true);
                return NULL;
        }
        if (!t->len && !t->from_file) {
                if (t->head.state != 'R')
                        snapshot_gap(b->s, "kernel stacks", "the text does not have them",
                                "paste the lines that follow the task's", true);
                return NULL;
        }
        k = stackset_add(b->stacks, t->len ? t->stack : "", t->len);
        if (k)
                arch_note(b, k);
        return k;
}

static bool task_is_kernel(const struct paste_task *t, const struct stack *k)
{
        /* Workers of io_uring and vhost begin like a kernel thread and belong to a program. */
        return t->head.kernel ||
               (k && stack_has(k, "kthread|kthreadd|child_rip|kernel_thread_helper"));
}

static struct process *process_get(struct builder *b, const struct paste_task *t)
{
        uint64_t key = t->key >> 32 << 32 | (uint64_t)(uint32_t)t->head.pid;
        struct known *known = NULL;

        if (!t->anonymous)
                HASH_FIND(hh, b->processes, &key, sizeof(key), known);
        if (known)
                return known->process;
        known = calloc(1, sizeof(*known));
        if (!known)
                return NULL;
        known->key = key;
        known->process = arena_new_one(b->arena, struct process);
        if (!known->process) {
                free(known);
                return NULL;
        }
        known->process->pid = t->head.pid;
        known->process->threads_tail = &known->process->threads;
        snapshot_add_process(b->s, known->process);
        if (t->anonymous)
                known->key = UINT64_MAX - t->line; /* no other is like it */
        struct process *p = known->process;
        HASH_ADD(hh, b->processes, key, sizeof(known->key), known);
        return p;
}

static struct object *blocker_new(struct builder *b, const struct paste_blocker *blocker)
{
        struct object *o = arena_new_one(b->arena, struct object);

        if (!o)
                return NULL;
        o->fd = -1;
        o->kind = blocker->kind;
        o->owners = arena_new_one(b->arena, struct owner);
        if (!o->owners)
                return NULL;
        o->owners[0] =
                (struct owner){ blocker->owner, 0, text_new(b, blocker->owner_comm), ROLE_HOLDER };
        o->n_owners = 1;
        return o;
}

static int task_add(struct builder *b, struct paste_task *t)
{
        struct thread *thread = arena_new_one(b->arena, struct thread);
        struct process *p = process_get(b, t);

        if (!thread || !p)
                return -ENOMEM;
        thread->tid = t->head.tid;
        thread->comm = text_new(b, t->head.comm);
        thread->state = t->head.state;
        thread->cpu = t->head.cpu;
        thread->has_on_cpu = thread->on_cpu = t->head.cpu >= 0;
        thread->has_for = thread->for_at_least = t->head.for_ns > 0;
        thread->for_ns = t->head.for_ns;
        thread->line = t->line;
        thread->kernel_stack = stack_new(b, t);
        p->kernel |= task_is_kernel(t, thread->kernel_stack);
        paste_call_fill(b->arena, thread->kernel_stack, &t->registers, &thread->call);
        if (p->kernel)
                thread->call = (struct call){ .state = CALL_OUTSIDE };
        if (t->has_blocker)
                thread->blocker = blocker_new(b, &t->blocker);
        if (thread->tid == p->pid) {
                p->comm = thread->comm;
                if (t->head.ppid > 0)
                        p->ppid = t->head.ppid;
        }
        process_add_thread(b->s, p, thread);
        t->thread = thread;
        return 0;
}

/* Names of parents and processes of owners, where the text has those tasks too. */
static void task_relate(const struct paste_task *t, struct paste_task *by_key)
{
        struct owner *o = t->thread->blocker ? t->thread->blocker->owners : NULL;
        struct process *p = t->thread->process;
        const struct paste_task *other;

        other = p->ppid ? paste_task_find(by_key, t->key >> 32, p->ppid) : NULL;
        if (other && other->thread)
                p->parent_comm = other->thread->comm;
        other = o ? paste_task_find(by_key, t->key >> 32, o->pid) : NULL;
        if (other && other->thread && other->thread->process->pid != o->pid) {
                o->tid = o->pid;
                o->pid = other->thread->process->pid;
        }
}

static void host_fill(struct builder *b, const struct paste_facts *facts)
{
        b->s->host.name = text_new(b, facts->host);
        b->s->host.kernel = text_new(b, facts->release);
        b->s->host.arch = b->x86_64 == b->arm64 ? NULL : b->x86_64 ? "x86_64" : "aarch64";
        b->s->captured_at = facts->realtime_ns;
}

int paste_model_fill(struct snapshot *s, struct paste_task *tasks, struct paste_task *by_key,
        const struct paste_facts *facts)
{
        struct builder b = { .s = s, .arena = s->arena };
        struct known *known, *next;
        int r = stackset_new(s->arena, &b.stacks);

        for (struct paste_task *t = tasks; t && r == 0; t = t->next)
                if (!t->anonymous || t->n_frames)
                        r = task_add(&b, t);
        if (r == 0) {
                for (const struct paste_task *t = tasks; t; t = t->next)
                        if (t->thread)
                                task_relate(t, by_key);
                host_fill(&b, facts);
        }
        HASH_ITER(hh, b.processes, known, next)
        {
                HASH_DEL(b.processes, known);
                free(known);
        }
        stackset_free(b.stacks);
        return r < 0 ? r : arena_failed(s->arena) ? -ENOMEM : 0;
}
