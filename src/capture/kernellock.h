/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lock inside the kernel that a thread sleeps on, as task_struct.blocker tells it. */
#pragma once

struct object;
struct snapshot;
struct wire_task;

/* NULL: none, or the kernel does not tell. With its holder as the owner, where that is sure. */
struct object *kernellock_object(struct snapshot *s, const struct wire_task *w);
