/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who really holds the locks of /proc/locks. The PID there is of whom asked for it, which may
 * have exited and left it to a child, and an OFD lock has none; but fdinfo of whoever holds
 * it shows the lock. Only such are named. Where the PID leads nowhere, the open files of all
 * processes are looked through.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "model.h"

struct lock_line;
struct lock_search;
struct resolver;

#define HOLDERS_MAX 16

struct holders {
        struct owner owners[HOLDERS_MAX];
        size_t n;
        bool self;   /* the waiter's own process holds it, too */
        bool shared; /* several have one and the same lock: any of them can give it up */
        bool missed; /* of some lock nobody was found */
};

struct locks_held {                    /* all that the kernel tells of */
        const struct lock_line *lines; /* of /proc/locks, with those of waiters */
        size_t n;
        bool some_hidden; /* it leaves out locks whose taker has no PID here */
};

/* Whoever holds a lock that stands against what the thread in hand wants. */
void lock_holders(struct lock_search *s, struct resolver *r, const struct locks_held *locks,
        const struct lock_line *wanted, struct holders *ret);
