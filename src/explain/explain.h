/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what was captured to a verdict for each thread: struct wait, with its evidence. */
#pragma once

struct snapshot;

/* Fills wait of every thread. 0 or -ENOMEM. */
int explain_snapshot(struct snapshot *s);

/* Those of kernel threads alone. */
int explain_kernel(struct snapshot *s);
