/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The unwinder from the inside: for unwinder.c, which has the order, and crew.c, which walks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/privilege.h"
#include "unwind/copies.h"

struct arch;
struct chains;
struct elfserver;
struct modules;
struct procio;
struct recheck;
struct snapshot;
struct space;
struct stackcache;
struct thread;
struct unwind_progress;
struct watch;

#define FIRST 2048U       /* bytes of each stack; what most of them need */
#define FIRST_PLACE 1024U /* the same where only the place is wanted… */
#define PLACE_FRAMES 10U  /* …and so many frames tell that (explain/userplace.h) */
#define CREW 1024U        /* walks at a time */

struct unwinder {
        struct procio *io;
        struct watch *watch;
        struct snapshot *snapshot;
        struct privilege privilege;
        const struct arch *arch;
        struct elfserver *server;
        int64_t budget_ns;
        struct modules *modules;
        struct unwind_progress *progress;
        const struct recheck *recheck;          /* NULL: files are read for it */
        struct stackcache *cache;               /* of the look before; NULL: there is none */
        bool (*wanted)(const struct thread *t); /* NULL: all are, with lines */
        struct copies copies;
};

/* Where a thread's stack and its code are, as far as it was told; 0: it was not. */
uint64_t unwinder_sp(const struct unwinder *u, const struct thread *t);
uint64_t unwinder_pc(const struct unwinder *u, const struct thread *t);

/* Where a copy for this stack pointer begins. */
uint64_t unwinder_copy_start(uint64_t sp);

/* Has it held still since it was captured? dir: of its process. */
bool unwinder_unmoved(struct unwinder *u, const struct thread *t, int dir);

/* Why there are no user stacks of a process, from -errno. */
void unwinder_gap_process(struct unwinder *u, int error);

/*
 * Threads, at most CREW of them, to chains: their numbers to ret_chains. 0 or -errno. What cannot
 * be walked any further ends there, and says why.
 */
int crew_walk(struct unwinder *u, struct space *s, struct chains *chains, int dir,
        struct thread *const *threads, size_t n, int *ret_chains);
