/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks of C libraries, known by the memory around the futex word that a thread waits on. A
 * layout says yes only if every field is one that such a lock has while somebody waits for it;
 * still, other memory may look the same by accident. So what is found is likely, unless the kernel
 * (robust.h) or the user stack says the same.
 *
 * A new layout: a function here, in a file lock-LIBRARY.c, and its line in layouts[] (futexlock.c).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "model.h"

#define LOCK_BEFORE 64 /* bytes before the word that are looked at, at most, */
#define LOCK_BEHIND 96 /* and from it on */

struct lock_view { /* of one thread that waits on one word */
        enum abi abi;
        uint64_t address; /* of the word */
        uint32_t waited;  /* the value at which it went to sleep */
        bool private;     /* FUTEX_PRIVATE_FLAG: within its process */
        bool pi;          /* FUTEX_LOCK_PI: the kernel knows the lock */
        unsigned char bytes[LOCK_BEFORE + LOCK_BEHIND];
        size_t before, behind; /* how many of them there are */
        /* Further memory of the process: all of it, or false. */
        bool (*read)(void *arg, uint64_t address, void *buffer, size_t len);
        void *arg;
};

struct lock_seen {
        const char *kind;   /* of the object: "mutex", "rwlock", "thread" */
        const char *layout; /* "glibc mutex" */
        const char *type;   /* "recursive"; NULL */
        uint64_t base;      /* where the lock begins */
        pid_t owner;        /* TID as the PID namespace of that thread has it; 0: not recorded */
        uint32_t readers;   /* that hold a rwlock */
        uint64_t list;      /* head of the owner's robust list, if the lock tells; 0 */
        bool robust;        /* it must be in its owner's robust list */
        bool shared;        /* its owner may be in another process */
};

bool lock_glibc_mutex(const struct lock_view *v, struct lock_seen *ret);
bool lock_glibc_rwlock(const struct lock_view *v, struct lock_seen *ret);
bool lock_glibc_stdio(const struct lock_view *v, struct lock_seen *ret);
bool lock_glibc_join(const struct lock_view *v, struct lock_seen *ret);
bool lock_musl_mutex(const struct lock_view *v, struct lock_seen *ret);

/* The 32 or 64 bits at an offset from the word; false: out of what was read. */
bool lock_word(const struct lock_view *v, int offset, uint32_t *ret);
bool lock_long(const struct lock_view *v, int offset, uint64_t *ret);
/* Are all bytes there, and zero? */
bool lock_zero(const struct lock_view *v, int offset, size_t len);
