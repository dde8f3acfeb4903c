/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept between one look and the next: the program inside the kernel, and what it told of
 * each thread. Made and sampled by the caller, not by a worker, since nothing of it can hang; but
 * for a program that is loaded late, for one look at a few threads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct pwhy_query;
struct session;
struct snapshot;
struct stackcache;
struct taskiter;
struct tasktable;

/*
 * Decides whether capture inside the kernel is to be used for this query, and loads it. Where it is
 * not, or cannot be had, the session is empty, and session_gaps() notes why, if anybody would want
 * to know. once: there will be one look, so loading may wait until something is asked for that
 * files do not tell (session_wake()). -ENOMEM.
 */
int session_new(const struct pwhy_query *query, bool once, struct session **ret_session);
void session_free(struct session *s);

/*
 * One more, for looks at other threads: with a table of its own, and the program of the first if
 * that lets every thread through. The first has to outlive it. later: without one, loading may
 * wait. -ENOMEM.
 */
int session_new_beside(struct session *first, const struct pwhy_query *query, bool later,
        struct session **ret_session);

/* Look at all threads that the query may be about. 0: nothing to look with. -ENOMEM; 1. */
int session_sample(struct session *s);
/* The same of some processes; any number of them that is 0 or less: of all. */
int session_sample_processes(struct session *s, const pid_t *pids, size_t n);

/*
 * Has loading been put off? Whoever needs what files do not tell then calls session_wake(), also in
 * a worker, for which alone it is loaded then: 1; 0: there is nothing to look with; -ENOMEM.
 * registers: nothing but who has run, and registers of user space, is wanted.
 */
bool session_is_later(const struct session *s);
int session_wake(struct session *s, const pid_t *pids, size_t n, bool registers);

/* The threads; NULL: capture inside the kernel is not used. */
struct tasktable *session_table(struct session *s);
struct taskiter *session_iter(struct session *s);

/* User stacks of the look before; never NULL. */
struct stackcache *session_stacks(struct session *s);

/* Everything that a query for stacks alone wants is in the table: no file has to be read. */
bool session_is_whole(const struct session *s);

/* Does the table lack what the query's filters leave out? */
bool session_is_filtered(const struct session *s);

/* May nothing else be used? */
bool session_is_forced(const struct session *s);

void session_gaps(const struct session *s, struct snapshot *snapshot);
