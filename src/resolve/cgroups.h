/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which control group holds a thread: freezes it, has used up its CPU quota or memory limit. Asked
 * only of threads that look so. Live only: control files are not part of a recorded tree.
 */
#pragma once

struct resolver;
struct thread;

/* Sets t->cgroup where a frozen or limited group is found at or above its own. */
void cgroups_resolve(struct resolver *r, struct thread *t);
