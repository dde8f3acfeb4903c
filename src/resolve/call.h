/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the arguments of a system call mean: its object, poll set, timeout, children. */
#pragma once

#include <sys/types.h>

struct resolver;
struct snapshot;
struct thread;

/* Fills objects and timeout of a thread's call; children of its process where it waits. */
void call_resolve(struct resolver *r, struct thread *t);

/* Once clocks and times of sleep are known: the time left until each call's timeout. */
void call_deadlines(struct snapshot *s);

/* Name of a process, kept in the arena; NULL. */
const char *call_comm(struct resolver *r, pid_t pid);
