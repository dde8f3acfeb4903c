/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a futex is used for, and who can end the wait: from the memory around its word. */
#pragma once

struct resolver;
struct snapshot;
struct thread;

/* Of a thread in futex(2): the lock's kind, layout and owner go into the object of its call. */
void futexlock_resolve(struct resolver *r, struct thread *t);

/* After all threads: who else waits on the same word, for the evidence. */
void futexlock_waiters(struct snapshot *s);
