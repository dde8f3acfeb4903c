/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kernels differ in: one accessor a field. Each asks whether the field is there, never which
 * version runs. A type's other shapes have names that end in ___something, which CO-RE ignores.
 */
#pragma once

#include <bpf/bpf_core_read.h>

#include "kernel.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct___state {
        unsigned int __state;
};

struct task_struct___state_long {
        volatile long state;
};

struct thread_info___cpu {
        u32 cpu;
};

struct task_struct___cpu_inside {
        struct thread_info___cpu thread_info;
};

struct task_struct___cpu {
        unsigned int cpu;
};

struct thread_info___status {
        u32 status;
};

struct task_struct___status {
        struct thread_info___status thread_info;
};

struct task_struct___throttled {
        _Bool throttled;
};

struct task_struct___blocker {
        unsigned long blocker;
};

struct task_struct___blocked_on {
        struct mutex *blocked_on;
};

struct mutex___magic {
        void *magic;
};

struct semaphore___holder {
        unsigned long last_holder;
};

struct futex_pi_state___pi {
        struct rt_mutex_base pi_mutex;
};

struct time_namespace___ns {
        struct ns_common ns;
};

struct cgroup___ancestors {
        struct cgroup *ancestors[1];
};

struct cgroup_root___ancestors {
        struct cgroup___ancestors cgrp;
};

struct cgroup___ancestor_ids {
        u64 ancestor_ids[1];
};

struct cgroup_root___ancestor_ids {
        struct cgroup___ancestor_ids cgrp;
};

#pragma clang attribute pop

/* 2f064a59a11f ("sched: Change task_struct::state"), 5.14 */
static inline u32 task_state(struct task_struct *t)
{
        struct task_struct___state *now = (void *)t;
        struct task_struct___state_long *then = (void *)t;

        if (bpf_core_field_exists(now->__state))
                return now->__state;
        return (u32)then->state;
}

/* bcf9033e5449 ("sched: move CPU field back into thread_info …"), 5.16 */
static inline u32 task_cpu(struct task_struct *t)
{
        struct task_struct___cpu_inside *now = (void *)t;
        struct task_struct___cpu *then = (void *)t;

        if (bpf_core_field_exists(now->thread_info.cpu))
                return now->thread_info.cpu;
        if (bpf_core_field_exists(then->cpu))
                return then->cpu;
        return -1;
}

/* Its system call came in by the 32-bit convention: arch/x86 TS_COMPAT, arm64 TIF_32BIT. */
static inline _Bool task_is_compat(struct task_struct *t)
{
#if defined(__TARGET_ARCH_x86)
        struct task_struct___status *now = (void *)t;

        return bpf_core_field_exists(now->thread_info.status) && (now->thread_info.status & 2);
#else
        return t->thread_info.flags & (1UL << 22);
#endif
}

/* Since 6.18: a task whose group has used its CPU quota is taken off the queue
 * (kernel/sched/fair.c). */
static inline _Bool task_is_throttled(struct task_struct *t)
{
        struct task_struct___throttled *now = (void *)t;

        return bpf_core_field_exists(now->throttled) && now->throttled;
}

/*
 * The lock it sleeps on, with its type in the two low bits (include/linux/hung_task.h): since 6.15
 * with CONFIG_DETECT_HUNG_TASK_BLOCKER, of mutexes, semaphores since 6.16, rwsems since 6.17.
 * 0: none, or not told.
 */
static inline u64 task_blocker(struct task_struct *t)
{
        struct task_struct___blocker *now = (void *)t;

        return bpf_core_field_exists(now->blocker) ? now->blocker : 0;
}

/*
 * The mutex it sleeps on, since 6.17. With CONFIG_DEBUG_MUTEXES there was such a field before, but
 * of another type, which CO-RE does not tell: then a mutex has a pointer to itself
 * (include/linux/mutex_types.h), and what has none is no mutex.
 */
static inline u64 task_blocked_on(struct task_struct *t)
{
        struct task_struct___blocked_on *now = (void *)t;
        u64 address, magic = 0;

        if (!bpf_core_field_exists(now->blocked_on))
                return 0;
        address = (u64)BPF_CORE_READ(now, blocked_on);
        if (!bpf_core_field_exists(struct mutex___magic, magic))
                return address;
        bpf_probe_read_kernel(&magic, sizeof(magic),
                (void *)address + bpf_core_field_offset(struct mutex___magic, magic));
        return magic == address ? address : 0;
}

/* Where it says who took it last; 0: nowhere: since 6.16, with CONFIG_DETECT_HUNG_TASK_BLOCKER
 * (include/linux/semaphore.h). */
static inline u64 semaphore_holder_place(u64 address)
{
        if (!bpf_core_field_exists(struct semaphore___holder, last_holder))
                return 0;
        return address + bpf_core_field_offset(struct semaphore___holder, last_holder);
}

/*
 * Where an rt_mutex has its owner: asked of a type that one lies in, since its own shares a place
 * with another (kernel.bpf.h). 0: without CONFIG_FUTEX_PI.
 */
static inline u64 rt_mutex_owner_place(u64 address)
{
        if (!bpf_core_field_exists(struct futex_pi_state___pi, pi_mutex.owner))
                return 0;
        return address + bpf_core_field_offset(struct futex_pi_state___pi, pi_mutex.owner) -
               bpf_core_field_offset(struct futex_pi_state___pi, pi_mutex);
}

/* With CONFIG_TIME_NS; 0: not known. */
static inline u32 time_namespace_number(u64 address)
{
        u32 number = 0;

        if (bpf_core_field_exists(struct time_namespace___ns, ns.inum))
                bpf_probe_read_kernel(&number, sizeof(number),
                        (void *)address +
                                bpf_core_field_offset(struct time_namespace___ns, ns.inum));
        return number;
}

/*
 * A control group as if it was a root, which has one inside: cgroup shares its place with file, of
 * the program that may be loaded next (kernel.bpf.h).
 */
static inline struct cgroup_root *cgroup_around(struct cgroup *g)
{
        return (void *)g - bpf_core_field_offset(struct cgroup_root, cgrp);
}

static inline u64 cgroup_id(struct cgroup_root *g)
{
        return BPF_CORE_READ(g, cgrp.kn, id);
}

/* Its control group in the unified hierarchy. */
static inline struct cgroup_root *cgroup_of(struct task_struct *t)
{
        return cgroup_around(BPF_CORE_READ(t, cgroups, dfl_cgrp));
}

/*
 * Is its control group this one, of that level below the root, or below it? Ancestors are known by
 * pointer since 6.1, by id before (include/linux/cgroup-defs.h), itself as the last one.
 */
static inline _Bool task_in_cgroup(struct task_struct *t, u64 id, u32 level)
{
        struct cgroup_root *g = cgroup_of(t);
        struct cgroup_root___ancestors *now = (void *)g;
        struct cgroup_root___ancestor_ids *then = (void *)g;
        struct cgroup *ancestor = 0;
        u64 ancestor_id = 0;

        if ((u32)BPF_CORE_READ(g, cgrp.level) < level)
                return 0;
        if (bpf_core_field_exists(now->cgrp.ancestors)) {
                bpf_probe_read_kernel(&ancestor, sizeof(ancestor), &now->cgrp.ancestors[level]);
                return cgroup_id(cgroup_around(ancestor)) == id;
        }
        if (!bpf_core_field_exists(then->cgrp.ancestor_ids))
                return 1; /* the reader filters, too */
        bpf_probe_read_kernel(&ancestor_id, sizeof(ancestor_id), &then->cgrp.ancestor_ids[level]);
        return ancestor_id == id;
}
