/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of a process as a whole: user, command line, executable, cgroup. */
#pragma once

#include <stdbool.h>

#include <sys/types.h>

struct process;
struct procfile_stat;
struct procio;
struct pwhy_query;
struct snapshot;

/*
 * The stat file of a process or thread: dir and path lead to its directory ("" or "task/7/").
 * Where that does not answer, what other files tell of it. >0: got it; 0: not understood.
 */
ssize_t stat_read(
        struct procio *io, int dir, const char *path, pid_t pid, struct procfile_stat *ret);

/* False: the process does not pass the query's filters of user and cgroup. */
bool about_read(struct procio *io, struct snapshot *s, const struct pwhy_query *query,
        struct process *p, int dir);
