/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resolver from the inside: for resolver.c, and resolver-fd.c, which looks at fds. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/privilege.h"
#include "resolve/ns.h"

struct kept;
struct locks;
struct pagecache;
struct procio;
struct process;
struct snapshot;
struct socket_query;
struct stack;
struct storage;
struct thread;
struct tids;

struct asked { /* of a stack; bits by enum stack_question */
        const struct stack *stack;
        unsigned known, has;
};

#define ASKED_MAX 64 /* stacks of which answers are kept, by their numbers */

struct resolver {
        struct procio *io;
        struct snapshot *snapshot;
        struct privilege privilege;
        struct socket_query **queries;
        struct storage *storage;
        struct locks *locks;
        struct tids *tids;
        struct pagecache *futexes; /* of the process in hand */
        struct kept *kept;         /* of the process in hand */
        pid_t kept_tid;            /* a thread that has this table of fds */
        bool kept_own;             /* the thread in hand is known to have it too */
        bool no_kcmp;              /* the kernel does not compare tables */
        enum { TABLE_UNASKED, TABLE_ASSUMED, TABLE_OWN } table; /* of the thread in hand */
        struct process *process;
        struct thread *thread;
        int dir;
        int depth;
        bool refused; /* an fd of the thread in hand could not be looked at */
        bool bound;   /* members of a set were left out for its depth */
        struct ns_links ns;
        struct asked asked[ASKED_MAX];
};

/* Objects of fds are kept for the threads of one process; forget them. */
void resolver_fds_clear(struct resolver *r);

/*
 * After all fds of a thread were looked at: were they its own? False: what was found is another
 * table's, and the fds are to be looked at once more.
 */
bool resolver_fds_check(struct resolver *r, pid_t tid);
