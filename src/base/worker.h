/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker process that can be abandoned.
 *
 * Reading /proc can hang for as long as the target does: its mmap lock may be held, a file
 * system below it may be dead. A thread that hangs in the kernel would keep the whole program
 * from exiting, so all reads are done by a forked child, and its parent watches. The child
 * writes into shared memory (base/arena.h) and announces what it is about to read. When
 * nothing moves for too long, the parent kills the child (which has an effect whenever the
 * read ends), remembers what hung, and starts another one that continues without it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/procio.h"

struct arena;

#define HUNG_MAX 64
#define LEFT_MAX 16
#define KEEP_MAX 8

struct watch {          /* in shared memory */
        uint64_t beat;  /* grows with each read */
        pid_t pid;      /* whom the read in hand is about; 0: nobody */
        enum hang hang; /* what it may hang on */
        size_t n_hung;
        struct {
                pid_t pid;
                unsigned hang; /* bits of enum hang */
        } hung[HUNG_MAX];
        bool done;  /* the job has returned… */
        int result; /* …this */
        size_t n_keep;
        int keep[KEEP_MAX]; /* descriptors that the job needs, all above 2 */
        size_t n_left;
        int left[LEFT_MAX]; /* pidfds of children that were killed and have not ended yet */
};

struct watch *watch_new(struct arena *a);

/* About to read. False: this one hung before, do not. NULL watch: always true. */
bool watch_enter(struct watch *w, pid_t pid, enum hang hang);
void watch_leave(struct watch *w);

/* Everything that hung, of one process or of the machine. */
unsigned watch_hung(const struct watch *w, pid_t pid);

/* Reap what was left behind and has ended since. The last time: forget about the others. */
void watch_reap(struct watch *w, bool last);

/*
 * Run job(arg) in a child; again after each hang or crash, so that the job must keep its
 * position in shared memory. All the program's descriptors but those in keep are closed in
 * there, and all signals blocked. timeout_ns bounds the time spent on waiting for what hangs.
 * Returns what the job returned (0 or a negative errno), -ETIMEDOUT when the time was used
 * up (what was captured so far is good), or -errno when no child could be made.
 */
int worker_run(struct watch *w, int64_t timeout_ns, int (*job)(void *arg), void *arg);

/* A child that runs, or waits for a CPU, does not hang: the machine is busy. */
bool worker_wants_cpu(pid_t child);
