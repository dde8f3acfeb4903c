/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The proof of a deadlock. Threads are read one after the other, so what looks like a cycle may
 * be edges that were never there at the same time. All of its members are therefore read again:
 *
 *      first look     each member's switch count, and its edge
 *      second look    each member's edge, and its switch count again
 *      after that     each member's switch count once more, and its signals
 *
 * A member whose count has not moved slept, in the same wait, from its first reading to its last.
 * So at the moment between the two looks all of them slept, and each edge that both looks saw held
 * then: to take a lock or to give one up, its owner would have had to run.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fdscan;
struct graph;
struct owner;
struct procio;
struct snapshot;

struct proof_thread {
        pid_t pid, tid;
        bool of_socket; /* it waits for a socket: this one, to receive or to send */
        bool sends;
        int fd;
        uint64_t inode;
        bool polls;        /* it waits for one of several files… */
        bool shares;       /* …in an epoll set, perhaps, which others have as well */
        bool endless;      /* of which it is known that it has no timeout of its own */
        bool known;        /* it could be read the last time */
        uint64_t switches; /* then */
        bool calm;         /* no signal is about to end its wait, and no timer will send one */
};

struct proof {                        /* lives in shared memory: filled in the worker */
        struct proof_thread *threads; /* in order of their TIDs */
        size_t n_threads;
        bool in_flight; /* there are descriptors in messages: other ends of anything, for all we
                           know */
};

/* For the nodes that are in or behind what may be a deadlock. In the snapshot's arena. -ENOMEM. */
int proof_new(
        struct snapshot *s, const struct graph *g, const bool *behind, struct proof **ret_proof);

/* Whom to look at a second time. In the arena; -ENOMEM. */
int proof_owners(struct snapshot *s, const struct graph *g, const bool *behind,
        struct owner **ret_owners, size_t *ret_n);

/* The last reading, after the second look, which is in s. */
void proof_read(struct procio *io, struct snapshot *s, struct proof *p);

/*
 * Takes from the graph what did not hold: waits that were not the same all the while lead nowhere;
 * those that a signal may end, or who gets a descriptor that is in flight or adds to an epoll set
 * that he shares, are not held. again: the second look, explained. -ENOMEM.
 */
int proof_apply(
        const struct proof *p, struct graph *g, const bool *behind, const struct snapshot *again);
