/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers of user space, as the program inside the kernel tells them. */
#pragma once

struct snapshot;
struct taskentry;
struct tasktable;
struct thread;

/*
 * thread.regs, where there are some; its state and its call are known. The entry is the thread's,
 * of when it was captured.
 */
void taskregs_fill(struct snapshot *s, const struct tasktable *table, const struct taskentry *e,
        struct thread *t);
