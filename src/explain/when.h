/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conditions of rules that a list of names cannot say. */
#pragma once

#include "explain/rules.h"

/*
 * The innermost function of a stack that says what is waited for: helpers through which
 * everything sleeps (schedule_timeout, wait_woken …) are passed over, and so are frames that
 * the kernel marked as unreliable. NULL: none. *ret_known is false where there is no stack, or
 * a name is missing in it where the answer may be.
 */
const char *thread_leaf(const struct thread *t, bool *ret_known);

struct arena;
/* The same as evidence: "kernel frame pipe_read". NULL: none. */
const char *thread_leaf_evidence(struct arena *a, const struct thread *t);

/* Is one of these functions on the stack? */
enum truth thread_within(const struct thread *t, const char *list);

enum truth when_listening(const struct thread *t);
enum truth when_not_listening(const struct thread *t);
enum truth when_connecting(const struct thread *t);
enum truth when_on_cpu(const struct thread *t);
enum truth when_off_cpu(const struct thread *t);
enum truth when_set_empty(const struct thread *t);         /* a poll set without fds */
enum truth when_set_replaced(const struct thread *t);      /* … with what is never waited for */
enum truth when_set_empty_timeout(const struct thread *t); /* … and with a timeout */
enum truth when_queued(const struct thread *t);         /* the kernel says so, and no CPU has it */
enum truth when_throttled_told(const struct thread *t); /* the kernel says so */
enum truth when_blocker(const struct thread *t);        /* the kernel tells the lock it sleeps on */
enum truth when_timeout(const struct thread *t);
enum truth when_completion_wanted(const struct thread *t); /* of io_uring, by the call */
enum truth when_futex_wait(const struct thread *t);
enum truth when_futex_bitset(const struct thread *t); /* FUTEX_WAIT_BITSET */
enum truth when_requeue_pi(const struct thread *t);
enum truth when_futex_lock(const struct thread *t);
/* The memory around the futex is that of such a lock; witnessed: and the kernel knows the same. */
enum truth when_mutex(const struct thread *t);
enum truth when_mutex_witnessed(const struct thread *t);
enum truth when_rwlock(const struct thread *t);
enum truth when_joined(const struct thread *t);
enum truth when_joined_witnessed(const struct thread *t);
enum truth when_cgroup(const struct thread *t); /* one that holds it was found */
enum truth when_no_cgroup(const struct thread *t);
enum truth when_throttled(const struct thread *t);   /* off the CPU, in a cgroup with a quota */
enum truth when_leader_only(const struct thread *t); /* the main thread is gone, others live */
enum truth when_reapable(const struct thread *t);
enum truth when_traced(const struct thread *t);
enum truth when_traced_unseen(const struct thread *t); /* and no stack says by what it stopped */
enum truth when_local_fs(const struct thread *t);      /* no network file system or FUSE about */
enum truth when_local_page(const struct thread *t);    /* and something tells whose page it is */
enum truth when_local_call(const struct thread *t);    /* and the call is known */
enum truth when_pty_master(const struct thread *t);
enum truth when_ofd_lock(const struct thread *t);
enum truth when_posix_lock(const struct thread *t);
enum truth when_entry_only(const struct thread *t);  /* nothing but the entry code on the stack */
enum truth when_no_children(const struct thread *t); /* known to have none */
enum truth when_child_named(const struct thread *t);
enum truth when_wait_named(const struct thread *t); /* a process, child or not */
enum truth when_wait_pidfd(const struct thread *t);
enum truth when_wait_hidden(const struct thread *t); /* by a number that is of another namespace */
enum truth when_wait_group(const struct thread *t);
enum truth when_vfork(const struct thread *t);
