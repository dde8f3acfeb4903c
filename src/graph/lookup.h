/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads and processes of a snapshot by their numbers. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct lookup;
struct process;
struct snapshot;
struct thread;

/* Heap; free with lookup_free(). -ENOMEM. */
int lookup_new(const struct snapshot *s, struct lookup **ret_lookup);
void lookup_free(struct lookup *l); /* NULL-safe */

/*
 * The thread with that number, and its place among all those that are found so; NULL: there is
 * none, or a text has several. A thread that was captured twice is found as it was asked for.
 */
struct thread *lookup_thread(const struct lookup *l, pid_t tid, uint32_t *ret_place);
/* A process; where it was captured twice, the one that has more of its threads. */
struct process *lookup_process(const struct lookup *l, pid_t pid, uint32_t *ret_place);

uint32_t lookup_n_threads(const struct lookup *l);
uint32_t lookup_n_processes(const struct lookup *l);
struct thread *lookup_thread_at(const struct lookup *l, uint32_t place);
