/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kinds of file descriptors. A new kind:
 *   1. a file fd-NAME.c with a struct fd_kind (or a row in the table of a family),
 *   2. its line in fd_kinds[] (kinds.c), before more general ones,
 *   3. a scenario in tests/live that makes such an fd, and a golden.
 *
 * An fd is known by the text of its link and by its fdinfo, so that recorded trees work and
 * no file system is touched; only a path needs its file type asked for.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/procio.h"

struct arena;
struct object;
struct socket_query;

struct fd_view { /* an fd while it is looked at */
        struct procio *io;
        struct arena *arena;
        struct fd_ref ref;
        const char *link;
        const char *info; /* text of fdinfo; NULL: could not be had */
        int mode;         /* S_IFMT of a path; 0: not known or not asked */

        /* For kinds that hold other fds: the object of one. NULL at the bound of nesting. */
        struct object *(*resolve)(void *arg, int fd);
        void *arg;
        /* For sockets: asks the kernel about it later, together with all others. */
        void (*ask_socket)(void *arg, uint64_t inode, const char *protocol, struct object *o);
};

struct fd_kind {
        const char *kind; /* the contract's name of the object */
        bool (*match)(const struct fd_view *v);
        void (*parse)(const struct fd_view *v, struct object *o); /* NULL: nothing more */
};

extern const struct fd_kind fd_kind_socket;
extern const struct fd_kind fd_kind_pipe;
extern const struct fd_kind fd_kind_fifo;
extern const struct fd_kind fd_kind_tty;
extern const struct fd_kind fd_kind_file;
extern const struct fd_kind fd_kind_directory;
extern const struct fd_kind fd_kind_block;
extern const struct fd_kind fd_kind_chardev;
extern const struct fd_kind fd_kind_epoll;
extern const struct fd_kind fd_kind_eventfd;
extern const struct fd_kind fd_kind_timerfd;
extern const struct fd_kind fd_kind_uring;
extern const struct fd_kind fd_kind_pidfd;
extern const struct fd_kind fd_kind_anon;

/* Sets o->kind and what the kind knows. An unknown one leaves the object as it is. */
void fd_kind_apply(const struct fd_view *v, struct object *o);

/* Value of a line "name:\tVALUE" in fdinfo; false where there is none. */
bool fdinfo_number(const char *info, const char *name, int base, uint64_t *ret_number);
