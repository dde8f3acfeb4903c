/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passes over the machine's threads by a program inside the kernel (bpf/task.bpf.c): loading it,
 * running it, and asking the kernel for the names of its own addresses.
 *
 * Nothing here waits for a target: a pass takes no lock that one could hold.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "capture/bpf/wire.h"

struct taskiter;

struct taskiter_filter {    /* all must let a thread through; zero: lets all through */
        const char *states; /* letters of stat(5); NULL or empty: any */
        bool has_euid;
        uid_t euid;
        uint64_t cgroup; /* id in the unified hierarchy, and how far below its root */
        uint32_t cgroup_level;
        bool timed; /* taskiter_set_until() will be called */
};

/*
 * slots: how many threads are remembered between passes, 0: all are sent each time; frames: how
 * many at most of each stack, 127 or less. -EPERM, -ENOSYS, -EINVAL …: cannot be had here, and
 * *ret_why says why in a sentence for people, *ret_remedy (or NULL) what would help; both constant.
 */
int taskiter_new(size_t slots, unsigned frames, unsigned kind, const struct taskiter_filter *filter,
        struct taskiter **ret_iter, const char **ret_why, const char **ret_remedy);
void taskiter_free(struct taskiter *it);

/* Descriptors that a child needs to go on with it, at most TASKITER_FDS; how many. */
#define TASKITER_FDS 4
size_t taskiter_fds(const struct taskiter *it, int ret[static TASKITER_FDS]);

/*
 * All threads (pid 0), those of a process, or the one of that TID, in the order of their numbers;
 * each() gets those that have changed since the slots were written, its record followed by
 * addresses and registers (wire.h), and ends the pass by a negative errno. With fresh, all. With
 * filters, also a record with WIRE_LEFT_OUT for each process whose main thread did not pass.
 */
struct taskiter_scope {
        pid_t pid, tid;
        bool fresh;
};
int taskiter_pass(struct taskiter *it, const struct taskiter_scope *scope,
        int (*each)(void *arg, const struct wire_task *w), void *arg);

/* From the next pass on: threads that went to sleep no later, by their CPU's clock; 0: any. */
void taskiter_set_until(struct taskiter *it, uint64_t exec_start_ns);

/* After a pass: the queue clock of the CPU it began on (of sched_info.last_queued), then. */
uint64_t taskiter_now_ns(const struct taskiter *it);

/* How many threads the latest pass, if it was over all, met and did not send. */
size_t taskiter_same(const struct taskiter *it);
/* Threads in the latest pass over all of them; 0: there was none. */
size_t taskiter_met(const struct taskiter *it);

/* Number of the latest pass, which slots of threads that it met have. */
uint32_t taskiter_pass_number(const struct taskiter *it);

/*
 * Has another process gone on with the same slots since our latest pass? A forked worker does, and
 * what it has learned it keeps to itself: slots then say more than we know. Forget them all.
 */
bool taskiter_is_foreign(const struct taskiter *it);
void taskiter_forget(struct taskiter *it);

/* A thread's slot: what it is remembered by. NULL: it has none. */
struct wire_slot *taskiter_slot(struct taskiter *it, pid_t tid);
/* The same, or a free one; NULL: there is no room, and it will be sent again. */
struct wire_slot *taskiter_slot_make(struct taskiter *it, pid_t tid);

static inline const uint64_t *wire_frames(const struct wire_task *w)
{
        return (const uint64_t *)(w + 1);
}

static inline const uint64_t *wire_regs(const struct wire_task *w)
{
        return w->flags & WIRE_REGS ? wire_frames(w) + w->n_frames : NULL;
}

/* "inet_csk_accept+0x1f2/0x3b0 [module]" for each; n <= WIRE_NAMES. Texts last until the next
 * call. -errno. */
int taskiter_names(
        struct taskiter *it, const uint64_t *addresses, size_t n, const char *ret_texts[]);
