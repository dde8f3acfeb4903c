/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which shown processes have a name in common, so that something else must tell them apart. */
#pragma once

#include <stdbool.h>

struct namesakes;
struct page;
struct process;
struct snapshot;

/* -ENOMEM. The snapshot must outlive it. */
int namesakes_new(const struct snapshot *s, struct namesakes **ret_namesakes);
void namesakes_free(struct namesakes *n);

/* Is another process of that name shown? */
bool namesakes_has(const struct namesakes *n, const struct process *process);

/* Its command line as people read it, bounded; NULL: there is none. */
const char *command_words(struct page *p, const struct process *process);
