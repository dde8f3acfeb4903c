/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks as the fdinfo of those shows them who hold them (since 4.1): of one process, of whoever may
 * share an open file, or of all, once a snapshot and for a bounded time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "resolve/locktext.h"

struct procio;
struct resolver;

struct held { /* a lock as the fdinfo of its holder showed it */
        pid_t pid, tid;
        int fd;
        bool spread; /* who shares its open file was looked for */
        struct lock_line line;
};

struct lock_search {       /* zeroed at first; lasts for a snapshot */
        struct held *held; /* what was seen so far */
        size_t n_held, room_held;
        int64_t start_ns, spent_ns;           /* of CPU time */
        int64_t start_wall_ns, spent_wall_ns; /* by the clock on the wall */
        bool searched;                        /* all processes */
        bool cut;                             /* not to the end */
        bool refused;                         /* some of them */
        bool blind;                           /* some may not even be shown */
};

void lock_search_done(struct lock_search *s);

/* Each adds what it finds; places in held[] stay, but for the last one, which begins anew. */
void lock_search_process(struct lock_search *s, struct resolver *r, pid_t pid);
void lock_search_sharers(struct lock_search *s, struct resolver *r, size_t at);
/* False: it was done before. */
bool lock_search_all(struct lock_search *s, struct resolver *r);

/* Does this fd still have the lock? */
bool held_still(struct procio *io, const struct held *h);
