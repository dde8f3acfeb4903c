/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The threads of a table in the order in which they are shown: by PID, then TID. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct taskentry;
struct taskorder;
struct tasktable;

/* Of what is in the table now. -ENOMEM. */
int taskorder_new(struct tasktable *table, struct taskorder **ret_order);
void taskorder_free(struct taskorder *o);

/* The first thread of a process, or where it would be. */
size_t taskorder_first(const struct taskorder *o, pid_t pid);

/* NULL: beyond the last one; or it has ended, as far as later samples know. */
struct taskentry *taskorder_entry(const struct taskorder *o, size_t i);
