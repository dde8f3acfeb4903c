/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sockets are: protocol, endpoints, state, queues, peer. Asked for all of a snapshot's
 * sockets at once, after the threads were read, because a table of a network namespace is
 * read as a whole.
 *
 * Live: sock_diag(7) in the target's own network namespace (sockdiag.c). Where that is not
 * permitted, and in a recorded tree: the text tables /proc/PID/net (socktext.c).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct object;
struct procio;
struct snapshot;

struct socket_query {
        uint64_t inode;        /* socket:[inode] */
        uint64_t net_ns;       /* inode of the owner's network namespace; 0: not known */
        pid_t pid;             /* a process that has it */
        const char *protocol;  /* xattr system.sockprotoname: "TCP", "TCPv6", "UNIX-STREAM",
                                  "UNIX", "UDP", "NETLINK", "PACKET" …; NULL: not known */
        struct object *object; /* kind is "socket" until it is known better */
        const char *target;    /* name of the unix socket that its call is to reach; NULL */
        bool done;
        struct socket_query *next;
};

/* Fill the objects. What cannot be told stays as it is; refusals become gaps. */
void sockets_resolve(struct procio *io, struct snapshot *s, struct socket_query *queries);
