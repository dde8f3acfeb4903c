/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets still looked for in one network namespace, the tables of the kernel they may
 * be in, and the way in which what a table tells goes into the objects. Both readers
 * (sockdiag.c, socktext.c) work on this, so that one socket reads the same from either.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct object;
struct socket_query;

enum socket_table {
        SOCKET_TCP4,
        SOCKET_TCP6,
        SOCKET_UDP4,
        SOCKET_UDP6,
        SOCKET_UDPLITE4,
        SOCKET_UDPLITE6,
        SOCKET_RAW4,
        SOCKET_RAW6,
        SOCKET_PING4,
        SOCKET_PING6,
        SOCKET_MPTCP4,
        SOCKET_MPTCP6,
        SOCKET_SCTP4,
        SOCKET_SCTP6,
        SOCKET_UNIX,
        SOCKET_NETLINK,
        SOCKET_PACKET,
        SOCKET_VSOCK,
        SOCKET_TABLES,
};

#define SOCKET_BIT(table) (1U << (table))
#define SOCKET_ALL (SOCKET_BIT(SOCKET_TABLES) - 1)

struct socket_table_info {
        const char *kind;     /* of the object; NULL: it stays "socket" */
        const char *protocol; /* for people */
        int family;           /* AF_… */
        int protocol_nr;      /* IPPROTO_… for inet_diag; -1: not told by it */
        const char *text;     /* below /proc/PID; NULL: there is none */
};

extern const struct socket_table_info socket_tables[SOCKET_TABLES];

/* What a table says of one socket. Strings are scratch unless constant. */
struct socket_facts {
        const char *type, *state; /* constants */
        const char *local, *remote;
        bool has_queues;
        uint32_t receive_queue, send_queue;
        bool has_retransmits;
        uint32_t retransmits;
        uint64_t peer_inode;
};

struct socket_set {
        struct arena *arena;
        struct socket_query **queries; /* sorted by inode; an inode may come more than once */
        size_t n;
        size_t left[SOCKET_TABLES]; /* queries not done that this table could answer */
};

/* Borrows queries, which the caller has sorted. */
void socket_set_init(
        struct socket_set *set, struct arena *arena, struct socket_query **queries, size_t n);

/* Not done, and the socket may be in this table. */
bool socket_query_wants(const struct socket_query *q, enum socket_table table);

/* The first query of that inode that is not done and may be in this table; -1: none. */
ptrdiff_t socket_set_find(const struct socket_set *set, uint64_t inode, enum socket_table table);

/* Fill the objects of all queries of that inode. */
void socket_set_give(struct socket_set *set, uint64_t inode, enum socket_table table,
        const struct socket_facts *facts);

/* Of these tables: those that could still answer something. */
unsigned socket_set_wants(const struct socket_set *set, unsigned tables);

/* Tables in which a socket with that system.sockprotoname may be; 0: in none of ours. */
unsigned socket_tables_of(const char *protocol);

/* What the protocol's name alone tells, for a socket that was found nowhere. */
void socket_query_guess(struct arena *arena, const struct socket_query *q);

/* "0.0.0.0:1337", "[::1]:80", "[fe80::1%eth0]:80" (scope may be NULL or ""). Returns buffer. */
#define SOCKET_ADDRESS_MAX 96
const char *socket_address_format(char buffer[static SOCKET_ADDRESS_MAX], int family,
        const void *address, unsigned port, const char *scope);

/* No address and no port: of the remote end, that it is not connected. */
bool socket_address_none(int family, const void *address, unsigned port);

/*
 * Name of a unix socket as the kernel keeps it: a path, or an abstract name, which begins with
 * a NUL and may hold more of them; each is shown as "@". NULL: unnamed.
 */
#define SOCKET_UNIX_MAX 128
const char *socket_unix_format(char buffer[static SOCKET_UNIX_MAX], const void *name, size_t len);

/* "LISTEN"; NULL for a state that is not known. */
const char *socket_tcp_state(unsigned state);

/* "stream" of SOCK_STREAM; NULL: not known. */
const char *socket_type_name(unsigned type);

/* "route:4242", protocol family and port. Returns buffer. */
#define SOCKET_NETLINK_MAX 32
const char *socket_netlink_format(
        char buffer[static SOCKET_NETLINK_MAX], unsigned protocol, uint32_t port);
