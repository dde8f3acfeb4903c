/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network namespaces of other processes, entered for a moment. This changes the calling thread:
 * it is for a worker of one thread, and whoever enters must leave.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct procio;

struct namespaces {
        struct procio *io;
        int own; /* fd of our own; -1: not known, and no other one is entered */
        uint64_t own_inode;
        bool lost; /* did not come back: nothing here is where it should be */
};

void namespaces_init(struct namespaces *ns, struct procio *io);
void namespaces_done(struct namespaces *ns);

/* An fd of a process's namespace (0: our own) and its inode; -errno. */
int namespaces_open(struct procio *io, pid_t pid, uint64_t *ret_inode);

/* Into the wanted one, which that process is in. 1: entered; 0: it is our own; -errno. */
int namespaces_enter(const struct namespaces *ns, uint64_t wanted, pid_t pid);
void namespaces_leave(struct namespaces *ns);
