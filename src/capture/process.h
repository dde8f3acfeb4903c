/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every live source does about a process, before and after its threads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct arena;
struct process;
struct procio;
struct pwhy_query;
struct snapshot;
struct target;
struct thread;
struct watch;

/*
 * Holds on to the process of a target by a directory fd, which is the caller's from then on, and
 * reads what is about it. 1: got it; 0: gone, not wanted, or not to be read, which is noted;
 * -ENOMEM.
 */
int process_begin(struct procio *io, struct watch *watch, struct snapshot *s,
        const struct pwhy_query *query, const struct target *t, struct process **ret_process,
        int *ret_dir);

/* Link it into the snapshot, if it has threads; if not, and no filter left them out, it has ended.
 */
void process_end(struct watch *watch, struct snapshot *s, const struct pwhy_query *query,
        struct process *p, bool filtered);

/*
 * Where threads are made: many lie beside each other, and not between what they lead to, as they
 * are gone through again and again. All zero at first.
 */
struct threadroom {
        struct thread *next;
        size_t n_left, n_block; /* of that memory, which was for so many */
};

/* NULL: no memory. */
struct thread *threadroom_take(struct threadroom *room, struct arena *a);

/* The whole name of a kernel thread; NULL. */
const char *process_kernel_comm(struct procio *io, struct arena *a, pid_t pid);
