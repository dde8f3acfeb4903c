/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who really holds a lock of /proc/locks. The PID there is of whom asked for it, which may
 * have exited and left it to a child, and an OFD lock has none; but fdinfo of whoever holds
 * it shows the lock (since 4.1). Only such are named. Where the PID leads nowhere, the open
 * files of all processes are looked through, once and for a bounded time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

struct held;
struct lock_line;
struct resolver;

struct lock_search {       /* zeroed at first; lasts for a snapshot */
        struct held *held; /* locks seen in fdinfo */
        size_t n_held, room_held;
        int64_t start_ns, spent_ns;           /* of CPU time */
        int64_t start_wall_ns, spent_wall_ns; /* by the clock on the wall */
        bool searched;                        /* all processes */
        bool cut;                             /* not to the end */
        bool refused;                         /* some of them */
        bool blind;                           /* some may not even be shown */
};

void lock_search_done(struct lock_search *s);

#define HOLDERS_MAX 16

struct holders {
        struct owner owners[HOLDERS_MAX];
        size_t n;
        bool self;   /* the waiter's own process holds it, too */
        bool shared; /* several have one and the same lock */
        bool missed; /* of some lock nobody was found */
};

/* Adds whoever holds this lock, which stands against what the thread in hand wants. */
void lock_holders(struct lock_search *s, struct resolver *r, const struct lock_line *lock,
        const struct lock_line *wanted, struct holders *to);
