/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a thread that runs spends its time: for a short window the kernel notes, each millisecond
 * that it runs, its registers and the bytes of its stacks (perf_event_open(2), the CPU clock). It
 * is not stopped for that, only interrupted by a timer, as by the kernel's own.
 */
#pragma once

#include <stdint.h>

struct session;
struct snapshot;
struct thread;
struct watch;

/* What takes the bytes of a user stack that go with a sample, to walk it later. */
struct profile_ops {
        void (*stack)(void *arg, struct thread *t, uint64_t start, const void *bytes, uint32_t len);
        void *arg;
};

/*
 * Fills thread.profile of the threads that ran or wanted to, the first PROFILED_MAX of them. What
 * is refused is a gap. session: names kernel functions; without its table there are none.
 */
#define PROFILED_MAX 16
void profile_run(struct snapshot *s, struct session *session, int64_t window_ns,
        const struct profile_ops *ops);

/* Once the samples' user stacks are known: the same ones counted together, the most first. */
void profile_fold(struct snapshot *s);
