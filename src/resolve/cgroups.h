/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which control group holds a thread: freezes it, or has used up its CPU quota. Asked only of
 * threads that look so. Live only: control files are not part of a recorded tree.
 */
#pragma once

struct resolver;
struct thread;

/* Sets t->cgroup where a frozen group, or one with a CPU quota, is found at or above its own. */
void cgroups_resolve(struct resolver *r, struct thread *t);
