/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one run of the worker is to do, and how far it is. pipeline.c has the functions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "model.h"
#include "target/select.h"
#include "unwind/unwinder.h"

struct proof;
struct pwhy_query;
struct schedclock;
struct session;
struct socket_query;
struct watch;

/* Whether the program inside the kernel has to be loaded after all (session_wake()). */
enum wake {
        WAKE_UNDECIDED,
        WAKE_ASKING, /* in a worker that follows: the one before hung over it */
        WAKE_NEEDLESS,
        WAKE_NEEDED,
};

struct job { /* in shared memory */
        struct snapshot *snapshot;
        const struct pwhy_query *query;
        struct watch *watch;
        struct session *session;
        pid_t caller;
        const struct owner *owners; /* whom to look at; NULL: what the query says */
        size_t n_owners;
        struct proof *proof; /* to be filled at the end; NULL: none */
        struct selection *selection;
        bool *blind;   /* the source that was asked for cannot be had */
        bool selected; /* the selection is whole */
        enum wake wake;
        size_t next;   /* target to capture */
        bool captured; /* all of them are */
        struct schedclock *clock;
        struct socket_query *sockets;
        struct unwind_progress unwound;
};

/* In a worker (base/worker.h). */
int job_run(void *arg);

/* After that, in the caller: what is known of times. */
void job_times(const struct job *j, struct snapshot *s);
