/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Look-alikes: threads of one process with the same verdict and the same stacks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct process;
struct thread;

struct group {
        const struct thread **threads; /* in order of TID */
        size_t n_threads;
};

struct fold {
        struct group *groups; /* in order of their first thread */
        size_t n_groups;
};

/*
 * Groups of those threads of a process that match the query. Threads are alike when state,
 * reason, confidence, sentence, system call and stacks are equal; how long they have been
 * waiting may differ. Heap; free with fold_done(). -ENOMEM.
 */
int fold_process(const struct process *p, struct fold *ret);
void fold_done(struct fold *f);
