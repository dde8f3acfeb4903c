/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User stacks from one look to the next: a thread that has not run since has the same one, and
 * neither its memory is read again nor its files are asked. Kept by the caller, in memory of its
 * own; a worker, which is a copy of the caller, finds them there.
 */
#pragma once

#include <stdbool.h>

struct arena;
struct snapshot;
struct stackcache;
struct thread;
struct user_stack;

int stackcache_new(struct stackcache **ret_cache);
void stackcache_free(struct stackcache *c);

/* Would it be found? */
bool stackcache_has(struct stackcache *c, const struct thread *t);

/*
 * Keep the stacks of a snapshot; of what was kept before, some may remain: nobody finds it. Without
 * memory: none. Threads that are looked for in the order of the snapshot are found at once.
 */
void stackcache_keep(struct stackcache *c, const struct snapshot *s);

/*
 * The stack of a thread that has not run since, in the arena; the same for those that share
 * one. For a worker: what it remembers of it ends with it. NULL: not there, or no memory.
 */
const struct user_stack *stackcache_find(
        struct stackcache *c, struct arena *arena, const struct thread *t);
