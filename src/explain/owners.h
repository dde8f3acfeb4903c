/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who can end a wait, of what resolve has found. */
#pragma once

struct arena;
struct object;
struct thread;

/* wait.on, on_any and on_whole of a thread whose reason and object are known. */
void owners_fill(struct arena *a, struct thread *t);

/* Of what can have no owner: that it is so; NULL of all else. For the evidence. */
const char *owners_none(const struct object *o);

/*
 * Of an object made of a futex whose memory is that of a lock: where the lock begins, if it is of
 * the kind that the rule says. If they contradict, nothing of what the memory said is kept.
 */
void lock_reconcile(struct object *o);
