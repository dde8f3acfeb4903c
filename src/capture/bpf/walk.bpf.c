/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who of the threads has run since they were last read? For a machine of many, most of which have
 * not: no thread is looked up by its number and held, as an iterator of seq_file does, but the
 * kernel's own list is gone through under RCU, which is three times as quick. Whoever is in that
 * list all the while is met (Documentation/RCU/listRCU.rst).
 *
 * In an object of its own, since older kernels have no such iterators (bpf_iter_task_new(), since
 * 6.7), and loading it pays for repeated passes only.
 */
#include "kernel.bpf.h"

#include <bpf/bpf_helpers.h>

#include "slots.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct bpf_iter_task {
        u64 opaque[3];
};

extern int bpf_iter_task_new(
        struct bpf_iter_task *it, struct task_struct *task, unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

#define ALL_THREADS 1 /* BPF_TASK_ITER_ALL_THREADS (kernel/bpf/task_iter.c) */

struct wire_walk walk;

SEC("syscall")
int ran(void *ctx)
{
        struct bpf_iter_task it;
        struct task_struct *t;

        (void)ctx;
        bpf_rcu_read_lock();
        bpf_iter_task_new(&it, (void *)0, ALL_THREADS);
        while ((t = bpf_iter_task_next(&it))) {
                if (!t->pid) /* a CPU's idle task, which begins the list */
                        continue;
                if (slot_is_right(t, t->pid, walk.pass, walk.slots_mask)) {
                        walk.n_same++;
                        continue;
                }
                if (walk.n_ran < WIRE_RAN_MAX)
                        walk.ran[walk.n_ran & (WIRE_RAN_MAX - 1)] = t->pid;
                walk.n_ran++;
        }
        bpf_iter_task_destroy(&it);
        bpf_rcu_read_unlock();
        return 0;
}
