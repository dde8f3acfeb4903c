/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a thread has been off the CPU. /proc/PID/sched shows se.exec_start, the scheduler
 * clock when the thread last ran; it stops when the thread goes to sleep. The same clock "now"
 * is our own exec_start, which sched_yield(2) brings up to date (kernel/sched/fair.c,
 * yield_task_fair() calls update_curr()).
 *
 * That clock (rq_clock_task) runs per CPU without the time spent in interrupts and stolen by a
 * hypervisor, where the kernel accounts for these. So CPUs drift apart by at most what
 * /proc/stat says of that, which is kept as the error.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct procio;
struct schedclock;
struct thread;

/* Reads the clock now. -errno when the kernel does not tell (no CONFIG_SCHED_DEBUG). */
/* Lives in the arena. */
int schedclock_new(struct procio *io, struct arena *a, struct schedclock **ret_clock);

/* Sets for_ns and for_error_ns of a thread that has sleep_start_ns. */
void schedclock_apply(const struct schedclock *c, struct thread *t);
