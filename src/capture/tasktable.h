/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The threads of the machine, kept from sample to sample: one that has not run since the last one
 * is not sent by the kernel again, and what was read of it stands. In the steady state a sample
 * allocates nothing.
 *
 * A thread that ran is read anew, whether it sleeps at the same place again or not (its count of
 * switches tells); one that is on a CPU, each time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/taskiter.h"

struct kstack {          /* one of the distinct stacks */
        uint32_t sample; /* the latest one that asked who has it */
        size_t n_frames;
        char *text; /* as /proc/PID/stack has it; NULL: not asked for yet */
        size_t text_len;
        uint64_t frames[]; /* innermost first */
};

struct taskentry {
        struct wire_task task;
        struct kstack *stack;
        uint32_t sample; /* in which it was read */
};

struct tasktable;

/*
 * beside: another table has the iterator's slots, so that this one is sent everything that is in
 * scope, each time.
 */
int tasktable_new(struct taskiter *it, bool beside, struct tasktable **ret_table);
void tasktable_free(struct tasktable *tt);

/* Room for so many threads, before the first sample. 0 or -ENOMEM. */
int tasktable_expect(struct tasktable *tt, size_t n);

/*
 * Bring up to date what is in scope. Entries change their places: pointers to them end here.
 * *ret_changed: how many threads were read. -errno when the pass failed.
 */
int tasktable_sample(struct tasktable *tt, const struct taskiter_scope *scope, size_t *ret_changed);
/* The same of so many processes: one after the other if they are few, or the whole machine. */
int tasktable_sample_processes(struct tasktable *tt, const pid_t *pids, size_t n);
uint32_t tasktable_sample_number(const struct tasktable *tt);

size_t tasktable_count(const struct tasktable *tt);
struct taskentry *tasktable_entry(struct tasktable *tt, size_t index);
/* Its WIRE_REGS_MAX registers; NULL: it has none. */
const uint64_t *tasktable_regs(const struct tasktable *tt, const struct taskentry *e);

/* Did the filters leave out this process's main thread, in the latest sample of all threads? */
bool tasktable_left_out(const struct tasktable *tt, pid_t pid);

/* NULL: no such thread. */
struct taskentry *tasktable_find(struct tasktable *tt, pid_t tid);

/* The text of a stack, made once. NULL: no memory, or the kernel names nothing. */
const char *tasktable_stack_text(struct tasktable *tt, struct kstack *stack, size_t *ret_len);

/* The same for any addresses of kernel functions, n <= WIRE_FRAMES_MAX. */
const char *tasktable_frames_text(
        struct tasktable *tt, const uint64_t *frames, size_t n, size_t *ret_len);

/* Letter of stat(5) for task->__state | task->exit_state (task_state_index(), linux/sched.h). */
char task_state_letter(uint32_t state);
