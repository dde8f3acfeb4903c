/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User stacks, in two halves. While a thread holds still, between the two readings of its
 * switch count, the first bytes of its stack are copied. After capture, still in the worker, the
 * stacks are walked from these copies: rows of CFI are fetched for all threads of a process
 * together, and so is more of the stack where a chain goes on. What was read late counts only if
 * the switch count is still the same then.
 *
 * Enters: threads with registers, or the sp and pc of their call. Leaves: thread.user_stack.
 * Can go missing, as gaps: memory that may not be read, maps that are locked, registers that
 * /proc does not tell, files that cannot be used.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"
#include "unwind/modules.h"

struct privilege;
struct procio;
struct stackcache;
struct unwinder;
struct watch;

struct unwind_progress {            /* in shared memory: a worker that follows goes on behind it */
        const struct process *last; /* all stacks up to this one's are done */
        const struct process *begun;
        unsigned attempts;
        bool done;
        struct dead_devices dead;
};

/*
 * Whether threads have run since they were captured, asked of the source that captured them: cheap
 * for many. refresh: look at all threads of a process again; false: cannot be done. registers: of
 * one that was captured without them, and has not run since, thread.regs; false: it is as it was.
 */
struct recheck {
        void *arg;
        bool (*refresh)(void *arg, pid_t pid);
        bool (*unmoved)(void *arg, const struct thread *t);
        bool (*registers)(void *arg, struct thread *t);
};

/*
 * budget_ns: for waiting for the ELF server. recheck: NULL: files are read for it. cache: of the
 * look before; NULL: none. Both live as long as the unwinder.
 */
int unwinder_new(struct procio *io, struct watch *watch, struct snapshot *s, int64_t budget_ns,
        struct unwind_progress *progress, const struct recheck *recheck, struct stackcache *cache,
        struct unwinder **ret_unwinder);
void unwinder_free(struct unwinder *u);

/* There will be stacks: what they need to be ready gets so while other things are read. */
void unwinder_warm(struct unwinder *u);

/*
 * For threads that are not shown: stacks of those alone that wanted() says, and of these the inner
 * end. Names are enough, without lines and inlined functions, which may take long to find.
 */
void unwinder_only(struct unwinder *u, bool (*wanted)(const struct thread *t));

/*
 * Copy the first bytes of these threads' stacks; all of one process. To be called while they
 * hold still; a thread may be given again if it did not. At most 1,024 are read in one call of
 * the kernel. Whoever does not call it gets stacks all the same: they are read later then, and
 * the switch counts again.
 */
void unwinder_copy(struct unwinder *u, struct thread *const *threads, size_t n);

/*
 * Bytes of a stack that somebody else copied, from its sp on. Of a thread that is in no list of the
 * snapshot, thread.profile leads to it.
 */
void unwinder_give(struct unwinder *u, const struct thread *t, uint64_t start, const void *bytes,
        uint32_t len);

/* The second half, for all threads of the snapshot. 0 or -ENOMEM. */
int unwinder_finish(struct unwinder *u);
