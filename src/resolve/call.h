/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the arguments of a system call mean: its object, poll set, timeout, children. */
#pragma once

struct object;
struct resolver;
struct thread;

/* Fills objects and timeout of a thread's call; children of its process where it waits. */
void call_resolve(struct resolver *r, struct thread *t);

/* An object without an fd, in the snapshot's arena; NULL: no memory. */
struct object *call_object_new(struct resolver *r, const char *kind);
