/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a thread has been off the CPU. /proc/PID/sched shows se.exec_start, the scheduler
 * clock when the thread last ran; it stops when the thread goes to sleep. The same clock "now"
 * is our own exec_start, which sched_yield(2) brings up to date (kernel/sched/fair.c,
 * pick_task_fair() calls update_curr()).
 *
 * Each CPU has its own such clock (rq_clock_task), which leaves out the time in interrupts and
 * the time that a hypervisor took, where the kernel accounts for these: after weeks of uptime
 * two CPUs may be hours apart. So the clock of each CPU that threads sleep on is read by
 * running there for a moment, unless that CPU is isolated or not ours to use. Of others the
 * error is bounded by what /proc/stat says of interrupts and stolen time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct procio;
struct schedclock;
struct snapshot;
struct watch;

/*
 * Reads the clock of the CPU in use. Lives in the arena. -errno when the kernel does not tell
 * (no CONFIG_SCHED_DEBUG).
 */
int schedclock_new(struct procio *io, struct arena *a, struct schedclock **ret_clock);

/*
 * Our own clock, and by how much another CPU's may be ahead of it at most: enough to leave out,
 * before they are captured, threads that have certainly not slept for long. -errno.
 */
int schedclock_own(struct procio *io, int64_t *ret_now_ns, int64_t *ret_ahead_ns);

/* Reads the clocks of the other CPUs that the snapshot's threads sleep on, where it matters. */
void schedclock_visit(
        struct schedclock *c, struct procio *io, struct watch *watch, const struct snapshot *s);

/* Sets for_ns and for_error_ns of the threads that have sleep_start_ns, as of captured_at. */
void schedclock_apply(const struct schedclock *c, struct snapshot *s);
