/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other end: who can end a wait on a pipe, socket, terminal, eventfd, or on any of a set of
 * these. After all threads were read and the sockets were asked for, from what all processes have
 * open (fdscan.h).
 *
 * A new kind: a file peer-NAME.c with a function that adds its ends, and its line in peer_kinds[]
 * (peers.c).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

struct fd_entry;
struct fdscan;
struct resolver;

enum direction { WANT_DATA, WANT_ROOM }; /* to read, to write */

#define ENDS_MAX 64 /* owners of a wait; more make it not whole */

struct ends { /* the owners of one wait while they are looked for */
        struct owner owners[ENDS_MAX];
        size_t n;
        bool whole;       /* nobody else could end it; at first: as whole as the scan is */
        const char *note; /* one more fact, for the evidence; NULL */
};

struct peers {
        struct resolver *resolver;
        const struct fdscan *scan;
        struct name *names; /* of processes, by PID */
        struct list *lists; /* of owners that were found already */
        struct devpts *devpts;
        struct eventfds *eventfds;
        struct userfaults *userfaults;
};

/* Sets owners of the objects of all calls. */
void peers_resolve(struct resolver *r);

/* For the kinds: one more owner; of one that is there already, nothing. */
void ends_add(struct peers *p, struct ends *e, pid_t pid, enum role role);
/* Text of an entry's fdinfo, until the next read; NULL. */
const char *peer_fdinfo(struct peers *p, const struct fd_entry *entry);
/* Is it still open there? When the scan is older than this look, it may not be. */
bool peer_is_open(struct peers *p, const struct fd_entry *entry);
/*
 * How, O_RDONLY, O_WRONLY, O_RDWR; -1: not any more, or not known. o: what it must be, of a kind
 * that is in one mount only, or NULL.
 */
int peer_access(struct peers *p, const struct fd_entry *entry, const struct object *o);

void peer_pipe(struct peers *p, const struct thread *t, const struct object *o,
        enum direction direction, struct ends *e);
void peer_fifo(struct peers *p, const struct thread *t, const struct object *o,
        enum direction direction, struct ends *e);
void peer_socket(struct peers *p, const struct thread *t, const struct object *o,
        enum direction direction, struct ends *e);
void peer_tty(struct peers *p, const struct thread *t, const struct object *o,
        enum direction direction, struct ends *e);
void peer_eventfd(struct peers *p, const struct thread *t, const struct object *o,
        enum direction direction, struct ends *e);

/* Releases what they keep. */
void peer_tty_done(struct peers *p);
void peer_eventfd_done(struct peers *p);
void peer_userfault_done(struct peers *p);

/*
 * Who has the userfaultfd of that process's memory, as the kernel knows it: false where it cannot
 * be asked, or where there are several.
 */
bool peer_userfault(struct peers *p, const struct thread *t, struct ends *e);

/* Who must answer a thread that the kernel has handed over to user space (peer-reply.c). */
void peer_reply(struct peers *p, struct thread *t);
