/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Children: for whom a process waits. */
#pragma once

#include <sys/types.h>

struct call;
struct object;
struct process;
struct resolver;
struct thread;

/* Fills the children of a process, once; has_children where the kernel tells them. */
void children_read(struct resolver *r, struct process *p);

/* The process that a wait is for; NULL where any child will do, or it is not known. */
struct object *children_object(struct resolver *r, const struct call *c);

/* The child for which a thread in vfork(2) waits; NULL: not known. */
struct object *children_vforked(struct resolver *r, const struct thread *t);

/*
 * Children whose end is a signal that a thread in pause(2), sigsuspend(2) or sigtimedwait(2) goes
 * on with, as the owners of an object; NULL: none.
 */
struct object *children_signalling(struct resolver *r, const struct thread *t);

/* Name of a process, kept in the arena; NULL. */
const char *children_comm(struct resolver *r, pid_t pid);
