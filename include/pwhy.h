/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libpwhy: why is a process not moving, and who can make it move again?
 *
 *      struct pwhy_query *query;
 *      struct pwhy_snapshot *snapshot;
 *
 *      pwhy_query_new(&query);
 *      pwhy_query_add_target(query, "nginx");
 *      if (pwhy_snapshot_take(query, &snapshot) == 0)
 *              pwhy_snapshot_render(snapshot, stdout, &(struct pwhy_render){ 0 });
 *
 * Functions that return int return 0, or a negative errno on a stop: no memory (-ENOMEM),
 * bad arguments (-EINVAL), nothing to read from (-ENOENT …). What a snapshot lacks is not an
 * error: it is part of the snapshot, and rendered with its remedy. The library never prints
 * to the standard streams, never exits, never changes signal handlers, and never stops,
 * signals or writes to the processes it looks at. A query or snapshot is used by one thread
 * at a time; different threads may use different ones at the same time.
 *
 * Taking a snapshot forks a worker process: the program sees a SIGCHLD, fork handlers
 * (pthread_atfork) run, and nothing else of the program does. It keeps none of the program's
 * descriptors open and runs none of its signal handlers. It is reaped before the function
 * returns, unless the program ignores SIGCHLD or waits for any child at all: that may reap it
 * first, and does no harm. A worker that is stuck in the kernel and had to be abandoned is
 * reaped by pwhy_snapshot_free(), if it has ended by then. A thread that takes a snapshot
 * must not be cancelled meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef PWHY_EXPORT
#define PWHY_EXPORT
#endif

/* "0.1.0"; constant. */
PWHY_EXPORT const char *pwhy_version(void);

/* What to look at. Free with pwhy_query_free(), which accepts NULL. */
struct pwhy_query;
PWHY_EXPORT int pwhy_query_new(struct pwhy_query **ret_query);
PWHY_EXPORT void pwhy_query_free(struct pwhy_query *query);

/* A recorded tree instead of the live /proc. Copied. */
PWHY_EXPORT int pwhy_query_set_proc(struct pwhy_query *query, const char *directory);

/* A PID, a TID, or a process name as pidof(1) finds it. Copied; may be called many times. */
PWHY_EXPORT int pwhy_query_add_target(struct pwhy_query *query, const char *target);

/* Every process; idle kernel threads only when idle is set. */
PWHY_EXPORT void pwhy_query_set_all(struct pwhy_query *query, bool all);
PWHY_EXPORT void pwhy_query_set_idle(struct pwhy_query *query, bool idle);

/*
 * Verdicts and chains are all that will be asked of the snapshot: of user stacks only those are
 * read on which a verdict may depend, and no command lines and control groups. For the views of
 * the graph.
 */
PWHY_EXPORT void pwhy_query_set_brief(struct pwhy_query *query, bool brief);

/*
 * With targets: also the threads whose wait chains lead to them. That takes a look at everything,
 * so it is not done where a filter by state, user or control group leaves some of it out.
 */
PWHY_EXPORT void pwhy_query_set_waiters(struct pwhy_query *query, bool waiters);

/* Filters; a thread is shown when it passes all that are set. */
/* Letters of stat(5)'s state field: "D", "SD". -EINVAL for others. */
PWHY_EXPORT int pwhy_query_set_states(struct pwhy_query *query, const char *states);
/* Effective user of the process: a name or a number. -ENOENT for an unknown name. */
PWHY_EXPORT int pwhy_query_set_user(struct pwhy_query *query, const char *user);
/* A cgroup's path as /proc/PID/cgroup shows it; what is below it matches too. */
PWHY_EXPORT int pwhy_query_set_cgroup(struct pwhy_query *query, const char *cgroup);
/* A reason of the JSON contract; several are alternatives. -EINVAL for an unknown one. */
PWHY_EXPORT int pwhy_query_add_reason(struct pwhy_query *query, const char *reason);
/* Off the CPU for at least so long, in nanoseconds. Threads that do not tell do not match. */
PWHY_EXPORT void pwhy_query_set_blocked_for(struct pwhy_query *query, int64_t ns);

/* Only threads that are in a deadlock, or wait behind one. */
PWHY_EXPORT void pwhy_query_set_deadlocked(struct pwhy_query *query, bool deadlocked);

/* From where: "proc" reads files, "bpf" runs a program inside the kernel, "auto" (at first) does
 * what works and pays. With "bpf" a snapshot is empty, and says why, where that cannot be had.
 * -EINVAL for others. */
PWHY_EXPORT int pwhy_query_set_source(struct pwhy_query *query, const char *source);

/* For so long threads that run are watched, to see where they spend their time; 20 ms at first,
 * 0: not at all. -ERANGE: negative, or more than 10 s. */
PWHY_EXPORT int pwhy_query_set_profile(struct pwhy_query *query, int64_t ns);

/* How long to wait altogether for files that do not answer, in nanoseconds; 2 s at first. */
PWHY_EXPORT void pwhy_query_set_timeout(struct pwhy_query *query, int64_t ns);

/* Capture kernel stacks only, for PWHY_RAW; of processes only the main thread, if so. */
PWHY_EXPORT void pwhy_query_set_raw(struct pwhy_query *query, bool raw, bool main_thread);

/*
 * Which stacks to show; both at first. Without kernel stacks, they are still read, since verdicts
 * rest on them. User stacks are not even read then, and what a futex is used for is not known.
 * After pwhy_query_set_raw() there are no user stacks.
 */
PWHY_EXPORT void pwhy_query_set_stacks(struct pwhy_query *query, bool kernel, bool user);

/* Threads and what they wait for, at one moment. Free with pwhy_snapshot_free(). */
struct pwhy_snapshot;
PWHY_EXPORT int pwhy_snapshot_take(
        const struct pwhy_query *query, struct pwhy_snapshot **ret_snapshot);
PWHY_EXPORT void pwhy_snapshot_free(struct pwhy_snapshot *snapshot);

/*
 * The same again and again: what is not taken from files is kept from one snapshot to the next, and
 * a thread that has not run in between is not looked at anew inside the kernel. The query is
 * borrowed, and must neither change nor end before the capture is freed. Each snapshot stands by
 * itself. Where nothing can be kept, this is pwhy_snapshot_take().
 */
struct pwhy_capture;
PWHY_EXPORT int pwhy_capture_new(const struct pwhy_query *query, struct pwhy_capture **ret_capture);
PWHY_EXPORT int pwhy_capture_take(
        struct pwhy_capture *capture, struct pwhy_snapshot **ret_snapshot);
PWHY_EXPORT void pwhy_capture_free(struct pwhy_capture *capture);

/*
 * The same from text[0..len) instead of /proc: stacks that somebody copied from a terminal or
 * a log. Understood are /proc/PID/stack of any kernel, alone or as head(1), grep(1) and
 * PWHY_RAW name several of them, and the kernel's log with what SysRq-t, SysRq-w and the
 * detectors of hung tasks and lockups print, with the prefixes of dmesg(1) and syslog. The
 * text may be anything; of more than PWHY_TEXT_MAX bytes the end is not read, and a gap says
 * so. Of a task that is reported several times, the last report counts.
 *
 * Of the query count the targets (without one: every task), states, reasons, blocked-for and
 * idle. A text tells no users and no control groups: filters on them let nothing through. A
 * text without any task is no error: the count is 0 and pwhy_snapshot_unmatched_text(…, 0)
 * says what is understood. Nothing is forked, and the text is not needed afterwards.
 */
#define PWHY_TEXT_MAX ((size_t)64 << 20)
PWHY_EXPORT int pwhy_explain_text(const struct pwhy_query *query, const char *text, size_t len,
        struct pwhy_snapshot **ret_snapshot);

/* Threads that match. */
PWHY_EXPORT size_t pwhy_snapshot_count(const struct pwhy_snapshot *snapshot);
/* Does a gap hide something that was asked for? */
PWHY_EXPORT bool pwhy_snapshot_incomplete(const struct pwhy_snapshot *snapshot);
/* Could the source that was asked for not be had, so that nothing was looked at? */
PWHY_EXPORT bool pwhy_snapshot_blind(const struct pwhy_snapshot *snapshot);
/* Targets that matched nothing, each with a sentence (what was looked for, near misses). The
 * text is borrowed from the snapshot, and escaped for a terminal. NULL beyond the count. */
PWHY_EXPORT size_t pwhy_snapshot_unmatched(const struct pwhy_snapshot *snapshot);
PWHY_EXPORT const char *pwhy_snapshot_unmatched_text(
        const struct pwhy_snapshot *snapshot, size_t index);
/* What could not be had, each with a sentence (what, how often, why, the remedy); those that
 * hide something that was asked for come first. The text is borrowed from the snapshot, one
 * line, and escaped for a terminal. NULL beyond the count. Text and JSON render these
 * themselves; PWHY_RAW has no place for them. */
PWHY_EXPORT size_t pwhy_snapshot_gaps(const struct pwhy_snapshot *snapshot);
PWHY_EXPORT const char *pwhy_snapshot_gap_text(const struct pwhy_snapshot *snapshot, size_t index);

/*
 * The facts about one thread that matches; index counts from 0 in the order in which they are
 * rendered. NULL beyond the count, or without memory. The thread, and every string that the
 * functions below return, is borrowed from the snapshot. Names and sentences are escaped for a
 * terminal. What is not known is NULL, 0 or -1, as said. After pwhy_query_set_raw() nothing is
 * explained: the reason is "unknown", and there is no text.
 */
struct pwhy_thread;
PWHY_EXPORT const struct pwhy_thread *pwhy_snapshot_thread(
        struct pwhy_snapshot *snapshot, size_t index);

/* As the /proc that was read has them; in a text 0 where it does not tell. */
PWHY_EXPORT pid_t pwhy_thread_pid(const struct pwhy_thread *thread);
PWHY_EXPORT pid_t pwhy_thread_tid(const struct pwhy_thread *thread);
/* The thread's name, which may differ from that of its process. NULL: not known. */
PWHY_EXPORT const char *pwhy_thread_comm(const struct pwhy_thread *thread);
/* The letter of stat(5); 0: not known. */
PWHY_EXPORT char pwhy_thread_state(const struct pwhy_thread *thread);

/* A reason of the JSON contract ("accept", "lock", "unknown" …): never NULL, constant. Later
 * versions may know more of them. */
PWHY_EXPORT const char *pwhy_thread_reason(const struct pwhy_thread *thread);
/* How sure that is; in rising order. */
enum pwhy_confidence {
        PWHY_GUESS,
        PWHY_LIKELY, /* the stack and the system call agree */
        PWHY_CERTAIN /* read from the kernel or from the lock itself */
};
PWHY_EXPORT enum pwhy_confidence pwhy_thread_confidence(const struct pwhy_thread *thread);
/* One sentence for people, without a full stop, in words that may change; NULL: none. */
PWHY_EXPORT const char *pwhy_thread_text(const struct pwhy_thread *thread);
/* What the verdict rests on, for people. NULL beyond the last. */
PWHY_EXPORT const char *pwhy_thread_evidence(const struct pwhy_thread *thread, size_t index);

/* Off the CPU for so many nanoseconds when the snapshot was taken; -1: not known. */
PWHY_EXPORT int64_t pwhy_thread_for_ns(const struct pwhy_thread *thread);
/* It may be wrong by so many nanoseconds, more or less. */
PWHY_EXPORT int64_t pwhy_thread_for_error_ns(const struct pwhy_thread *thread);
/* Is it a lower bound only? */
PWHY_EXPORT bool pwhy_thread_for_at_least(const struct pwhy_thread *thread);

/* The system call that it is in: "read"; NULL: in none, or not known. Constant. */
PWHY_EXPORT const char *pwhy_thread_syscall(const struct pwhy_thread *thread);
/* The kernel stack, exactly as the kernel printed it; NULL: could not be had. */
PWHY_EXPORT const char *pwhy_thread_kernel_stack(const struct pwhy_thread *thread);

/* Who can end the wait, as far as is known; index counts from 0. The TID is 0 where only the
 * process is known; the role is one of the JSON contract ("holder", "peer" …), constant.
 * Beyond the count: 0 and NULL. */
PWHY_EXPORT size_t pwhy_thread_owners(const struct pwhy_thread *thread);
PWHY_EXPORT pid_t pwhy_thread_owner_pid(const struct pwhy_thread *thread, size_t index);
PWHY_EXPORT pid_t pwhy_thread_owner_tid(const struct pwhy_thread *thread, size_t index);
PWHY_EXPORT const char *pwhy_thread_owner_comm(const struct pwhy_thread *thread, size_t index);
PWHY_EXPORT const char *pwhy_thread_owner_role(const struct pwhy_thread *thread, size_t index);

/*
 * Where the chain of waits ends that begins at a thread: follow owners from thread to thread, until
 * one that waits for nobody who is known, or for several that lead to different ends. It is the
 * thread itself if it waits for nobody. 0: not known, or there is no end because it is deadlocked.
 */
PWHY_EXPORT pid_t pwhy_thread_root_pid(const struct pwhy_thread *thread);
PWHY_EXPORT pid_t pwhy_thread_root_tid(const struct pwhy_thread *thread);
/* The same sentence about the root as pwhy_thread_text() is about a thread. NULL: none. */
PWHY_EXPORT const char *pwhy_thread_root_text(const struct pwhy_thread *thread);
/* Is it in a deadlock, or does it wait behind one? */
PWHY_EXPORT bool pwhy_thread_deadlocked(const struct pwhy_thread *thread);

/*
 * Deadlocks that threads of the snapshot are in, or wait behind; each was seen twice, and its
 * members did not run in between. Members are in order of PID and TID; they need not be threads
 * that match. Beyond the count: 0. pwhy_snapshot_deadlocks_known() is false where nobody looked
 * for them: in a text, in a recorded tree, with kernel stacks only.
 */
PWHY_EXPORT bool pwhy_snapshot_deadlocks_known(const struct pwhy_snapshot *snapshot);
PWHY_EXPORT size_t pwhy_snapshot_deadlocks(const struct pwhy_snapshot *snapshot);
PWHY_EXPORT size_t pwhy_snapshot_deadlock_members(
        const struct pwhy_snapshot *snapshot, size_t index);
PWHY_EXPORT pid_t pwhy_snapshot_deadlock_pid(
        const struct pwhy_snapshot *snapshot, size_t index, size_t member);
PWHY_EXPORT pid_t pwhy_snapshot_deadlock_tid(
        const struct pwhy_snapshot *snapshot, size_t index, size_t member);

enum pwhy_format {
        PWHY_TEXT,
        PWHY_JSON,
        PWHY_RAW,
        PWHY_GRAPH,     /* text: who waits for whom, as trees */
        PWHY_ROOTS,     /* text: the ends of the chains, those with most threads behind first */
        PWHY_DEADLOCKS, /* text: deadlocks alone */
        PWHY_DOT        /* the graph for Graphviz */
};

struct pwhy_render {
        enum pwhy_format format;
        bool colour;                          /* text: with terminal colours */
        unsigned columns;                     /* text: width to wrap at, 0: none */
        const struct pwhy_snapshot *previous; /* text: mark what changed since; or NULL */
};

/* Write a snapshot. Returns the stream's error as a negative errno. */
PWHY_EXPORT int pwhy_snapshot_render(
        const struct pwhy_snapshot *snapshot, FILE *out, const struct pwhy_render *how);

/* "90", "1.5s", "300ms", "5min", "1h30m" to nanoseconds. -EINVAL, -ERANGE. */
PWHY_EXPORT int pwhy_duration(const char *text, int64_t *ret_ns);

#ifdef __cplusplus
}
#endif
