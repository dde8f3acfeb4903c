/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a TID in memory to a thread. A lock has the TID that its owner has in its own PID namespace;
 * here it may have another, and another thread may have that. A lock between processes may have
 * been taken in any namespace: there, its owner must also have the lock's memory mapped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct resolver;
struct tids;

struct tid_found {
        pid_t pid, tid;
        const char *comm; /* NULL: not known */
        uint64_t address; /* of the lock, in that process's memory */
};

/* The thread of the process in hand that calls itself so. False: there is none. */
bool tids_within(struct resolver *r, pid_t inner, struct tid_found *ret);

/*
 * The thread of any process that calls itself so and has the memory mapped, shared, that the
 * process in hand has at an address. False: none, or more than one.
 */
bool tids_sharing(struct resolver *r, uint64_t address, pid_t inner, struct tid_found *ret);

void tids_free(struct tids *t);
