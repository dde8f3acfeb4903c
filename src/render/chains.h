/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wait chains in words. */
#pragma once

#include <stddef.h>

struct deadlock;
struct page;
struct snapshot;
struct thread;

/*
 * What a thread is doing, to be said after its name: " has been waiting for … for 14 min". The
 * longest time of n look-alikes, of which t is the first; n 1: its own.
 */
const char *thread_clause(struct page *p, const struct thread *const *t, size_t n);

/* Below a thread: who its owner waits for, and so on to the root. Nothing where there is no more.
 */
void chain_write(struct page *p, const struct thread *t, unsigned indent);

/* Why a chain is followed no further than to a thread that waits for somebody. */
const char *chain_branch(struct page *p, const struct thread *t);

/* "deadlock: …" and its members. */
void deadlock_write(struct page *p, const struct deadlock *d);

/* "a (pid 7), b (pid 8), …" */
const char *deadlock_members(struct page *p, const struct deadlock *d);
