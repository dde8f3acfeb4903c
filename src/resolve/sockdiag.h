/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets of the network namespace we are in, by sock_diag(7). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolve/socketset.h"

/*
 * Answer what can be answered until deadline_ns (CLOCK_MONOTONIC). Returns the tables that
 * were read whole: a socket that is not done and not in one of these is not known to be
 * absent.
 */
unsigned sockdiag_run(struct socket_set *set, int64_t deadline_ns);

/* Between sockdiag.c (transport, inet), sockdiag-unix.c and sockdiag-ends.c only. */
struct diag {
        struct socket_set *set;
        int64_t deadline_ns;
        int fd; /* -1: none open */
        uint32_t seq;
        char *buffer;
};

/*
 * Send one request and hand each answer to take, until it returns false. flags: NLM_F_DUMP or
 * 0. 1: take had enough; 0: all has come; -errno: -ENOENT where the kernel has no such handler
 * (or, for a request of one socket, no such socket), -EINTR when a dump was disturbed.
 */
int diag_ask(struct diag *d, const void *request, size_t len, unsigned flags,
        bool (*take)(struct diag *d, const void *message, size_t len, void *arg), void *arg);

void diag_close(struct diag *d);

/* Payload of the first attribute of that type behind a message's header; NULL: none. */
const void *diag_attribute(
        const void *message, size_t len, size_t header, unsigned type, size_t *ret_len);

/* 0, or -errno when the table could not be read whole. */
int diag_unix(struct diag *d);

/* The two ends that a TCP or UDP socket has: of a connection in this host, another has them
 * swapped. */
struct socket_end {
        uint8_t local[16], remote[16]; /* IPv4 as ::ffff:a.b.c.d */
        uint16_t local_port, remote_port;
        uint8_t protocol; /* IPPROTO_… */
        uint8_t state;
        uint16_t space;  /* number of its network namespace, by whoever asked */
        uint32_t inode;  /* 0: nobody has it: closed, or not accepted yet */
        uint32_t unsent; /* bytes that the other end has not acknowledged */
};

struct socket_ends {
        struct socket_end *all;
        size_t n, room;
        bool cut; /* there are more */
};

/* Adds those of the namespace we are in. 0, or -errno when they are not all. */
int sockdiag_ends(struct socket_ends *ends, int protocol, uint16_t space, int64_t deadline_ns);
