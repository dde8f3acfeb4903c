/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was asked for: the inside of the public pwhy_query. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "model.h"

struct filter {
        char states[8]; /* letters; empty: any */
        bool has_uid;
        uid_t uid;
        char *cgroup; /* without a trailing slash; NULL: any */
};

enum query_source { QUERY_SOURCE_ANY, QUERY_SOURCE_PROC, QUERY_SOURCE_BPF };

struct pwhy_query {
        char *proc; /* NULL: the live /proc */
        char **targets;
        size_t n_targets;
        bool all;
        bool waiters; /* also who waits for the targets: everything is looked at for that */
        bool idle;
        bool raw;         /* kernel stacks only */
        bool main_thread; /* of a process only the main thread */
        bool no_user;     /* no user stacks */
        bool brief;       /* verdicts and chains alone are shown */
        bool no_kernel;   /* kernel stacks are not shown */
        struct filter filter;
        bool reasons[REASON_MAX];
        bool has_reasons;
        int64_t blocked_for_ns; /* 0: any */
        bool deadlocked;        /* only those in or behind a deadlock */
        int64_t timeout_ns;
        int64_t profile_ns; /* how long running threads are watched; 0: not */
        enum query_source source;
};

/* Is everything looked at, whatever is shown? Filters say what is to be left alone. */
bool query_takes_all(const struct pwhy_query *q);
