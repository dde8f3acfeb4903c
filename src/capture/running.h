/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State R is both: on a CPU, and ready for one. The CPU time of a thread that runs grows with
 * each tick of the clock; that of one that waits does not. A thread that was given the CPU
 * meanwhile (its count of slices grew) tells neither. All threads in state R are watched in
 * one short window.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct procio;
struct thread;

#define RUNNING_MAX 64 /* threads watched; of more nothing is told */

struct running {
        struct suspect {
                struct thread *thread;
                int fd; /* of its schedstat */
                uint64_t runtime, slices;
        } suspects[RUNNING_MAX];
        size_t n;
};

/* Watch a thread. dir: its process's directory fd. */
void running_add(struct running *r, struct procio *io, struct thread *t, int dir);

/* Set on_cpu and has_on_cpu of all of them; takes 12 ms at most. */
void running_watch(struct running *r, struct procio *io);

void running_done(struct running *r);
