/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The entries of a table of threads in the order in which they are shown: by PID, then by TID. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct taskentry;
struct taskorder;
struct tasktable;

/* Of the table as it is now: another sample ends it. -ENOMEM. */
int taskorder_new(struct tasktable *tt, struct taskorder **ret_order);
void taskorder_free(struct taskorder *o);

/* NULL: there are not so many. */
struct taskentry *taskorder_entry(const struct taskorder *o, size_t i);

/* The first entry of a process, or where it would be. */
size_t taskorder_first(const struct taskorder *o, pid_t pid);
