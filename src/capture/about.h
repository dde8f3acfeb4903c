/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of a process as a whole: user, command line, executable, cgroup. */
#pragma once

#include <stdbool.h>

struct process;
struct procio;
struct pwhy_query;
struct snapshot;

/* False: the process does not pass the query's filters of user and cgroup. */
bool about_read(struct procio *io, struct snapshot *s, const struct pwhy_query *query,
        struct process *p, int dir);
