/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what was captured to a verdict for each thread: struct wait, with its evidence. */
#pragma once

struct process;
struct snapshot;

/* Fills wait of every thread. 0 or -ENOMEM. */
int explain_snapshot(struct snapshot *s);

/* The same for one process and those that follow it in the list. */
int explain_processes(struct snapshot *s, struct process *from);
