/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What changed between two snapshots: threads are the same by PID, TID and start time. */
#pragma once

#include <stddef.h>

struct snapshot;
struct thread;

enum mark { MARK_NONE, MARK_NEW, MARK_CHANGED };

struct marks {
        const struct thread **before; /* shown in the earlier snapshot, sorted */
        size_t n_before;
        const struct thread **ended; /* of those, the ones that are no more */
        size_t n_ended;
};

/* previous NULL: no marks at all. Heap; free with marks_done(). -ENOMEM. */
int marks_init(struct marks *m, const struct snapshot *s, const struct snapshot *previous);
void marks_done(struct marks *m);

enum mark marks_thread(const struct marks *m, const struct thread *t);
