/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table of sockets can have a million lines of which a handful are wanted: a line is looked
 * up first (binary search over the wanted inodes) and made into text only when it is one of
 * them, and a table is given up as soon as it has nothing more to tell.
 */
#include "resolve/socketset.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "model.h"
#include "resolve/sockets.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef AF_VSOCK
#define AF_VSOCK 40
#endif

/* A ping socket is an ICMP socket without privileges; inet_diag does not know them. */
const struct socket_table_info socket_tables[SOCKET_TABLES] = {
        [SOCKET_TCP4] = { "tcp", "TCP", AF_INET, IPPROTO_TCP, "net/tcp" },
        [SOCKET_TCP6] = { "tcp", "TCP", AF_INET6, IPPROTO_TCP, "net/tcp6" },
        [SOCKET_UDP4] = { "udp", "UDP", AF_INET, IPPROTO_UDP, "net/udp" },
        [SOCKET_UDP6] = { "udp", "UDP", AF_INET6, IPPROTO_UDP, "net/udp6" },
        [SOCKET_UDPLITE4] = { "udp", "UDP-Lite", AF_INET, IPPROTO_UDPLITE, "net/udplite" },
        [SOCKET_UDPLITE6] = { "udp", "UDP-Lite", AF_INET6, IPPROTO_UDPLITE, "net/udplite6" },
        [SOCKET_RAW4] = { "raw", "raw", AF_INET, IPPROTO_RAW, "net/raw" },
        [SOCKET_RAW6] = { "raw", "raw", AF_INET6, IPPROTO_RAW, "net/raw6" },
        [SOCKET_PING4] = { NULL, "ICMP", AF_INET, -1, "net/icmp" },
        [SOCKET_PING6] = { NULL, "ICMPv6", AF_INET6, -1, "net/icmp6" },
        [SOCKET_MPTCP4] = { "tcp", "MPTCP", AF_INET, IPPROTO_MPTCP, NULL },
        [SOCKET_MPTCP6] = { "tcp", "MPTCP", AF_INET6, IPPROTO_MPTCP, NULL },
        [SOCKET_SCTP4] = { NULL, "SCTP", AF_INET, IPPROTO_SCTP, NULL },
        [SOCKET_SCTP6] = { NULL, "SCTP", AF_INET6, IPPROTO_SCTP, NULL },
        [SOCKET_UNIX] = { "unix", "unix", AF_UNIX, -1, "net/unix" },
        [SOCKET_NETLINK] = { "netlink", "netlink", AF_NETLINK, -1, "net/netlink" },
        [SOCKET_PACKET] = { "packet", "packet", AF_PACKET, -1, "net/packet" },
        [SOCKET_VSOCK] = { "vsock", "vsock", AF_VSOCK, -1, NULL },
};

/*
 * Only of a socket that is known to be one of these: asking for SCTP or vsock makes the kernel
 * load the protocol itself, and a kernel too old for MPTCP answers with TCP instead.
 */
#define TABLES_ON_DEMAND                                                                           \
        (SOCKET_BIT(SOCKET_SCTP4) | SOCKET_BIT(SOCKET_SCTP6) | SOCKET_BIT(SOCKET_VSOCK) |          \
                SOCKET_BIT(SOCKET_MPTCP4) | SOCKET_BIT(SOCKET_MPTCP6))

/*
 * system.sockprotoname is struct proto.name of the kernel. The first table of a name is the
 * one it stands for. What accept(2) returns on an MPTCP listener may be a plain TCP socket and
 * still have the listener's name; a listener is in both tables.
 */
static const struct {
        const char *name;
        enum socket_table table;
        unsigned more;
} protocol_names[] = {
        { "TCP", SOCKET_TCP4, 0 },
        { "TCPv6", SOCKET_TCP6, 0 },
        { "MPTCP", SOCKET_MPTCP4, SOCKET_BIT(SOCKET_TCP4) },
        { "MPTCPv6", SOCKET_MPTCP6, SOCKET_BIT(SOCKET_TCP6) },
        { "UDP", SOCKET_UDP4, 0 },
        { "UDPv6", SOCKET_UDP6, 0 },
        { "UDP-Lite", SOCKET_UDPLITE4, 0 },
        { "UDPLITEv6", SOCKET_UDPLITE6, 0 },
        { "RAW", SOCKET_RAW4, 0 },
        { "RAWv6", SOCKET_RAW6, 0 },
        { "PING", SOCKET_PING4, 0 },
        { "PINGv6", SOCKET_PING6, 0 },
        { "SCTP", SOCKET_SCTP4, 0 },
        { "SCTPv6", SOCKET_SCTP6, 0 },
        { "UNIX", SOCKET_UNIX, 0 },
        { "UNIX-STREAM", SOCKET_UNIX, 0 },
        { "NETLINK", SOCKET_NETLINK, 0 },
        { "PACKET", SOCKET_PACKET, 0 },
        { "AF_VSOCK", SOCKET_VSOCK, 0 },
};

unsigned socket_tables_of(const char *protocol)
{
        if (!protocol || !*protocol)
                return SOCKET_ALL & ~TABLES_ON_DEMAND;
        for (size_t i = 0; i < ARRAY_SIZE(protocol_names); i++)
                if (strcmp(protocol_names[i].name, protocol) == 0)
                        return SOCKET_BIT(protocol_names[i].table) | protocol_names[i].more;
        return 0;
}

void socket_query_guess(struct arena *arena, const struct socket_query *q)
{
        struct object *o = q->object;

        if (!q->protocol || !*q->protocol)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(protocol_names); i++) {
                const struct socket_table_info *info = &socket_tables[protocol_names[i].table];

                if (strcmp(protocol_names[i].name, q->protocol) != 0)
                        continue;
                o->protocol = info->protocol;
                if (info->kind)
                        o->kind = info->kind;
                return;
        }
        o->protocol = arena_str(arena, q->protocol);
}

void socket_set_init(
        struct socket_set *set, struct arena *arena, struct socket_query **queries, size_t n)
{
        *set = (struct socket_set){ .arena = arena, .queries = queries, .n = n };
        for (size_t i = 0; i < n; i++) {
                unsigned tables = queries[i]->done ? 0 : socket_tables_of(queries[i]->protocol);

                for (size_t t = 0; t < SOCKET_TABLES; t++)
                        set->left[t] += (tables >> t) & 1;
        }
}

bool socket_query_wants(const struct socket_query *q, enum socket_table table)
{
        return !q->done && (socket_tables_of(q->protocol) & SOCKET_BIT(table));
}

ptrdiff_t socket_set_find(const struct socket_set *set, uint64_t inode, enum socket_table table)
{
        size_t low = 0, high = set->n;

        /* Sockets that no fd refers to have none: TIME_WAIT, not yet accepted, orphans. */
        if (!inode)
                return -1;
        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (set->queries[middle]->inode < inode)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (; low < set->n && set->queries[low]->inode == inode; low++)
                if (socket_query_wants(set->queries[low], table))
                        return (ptrdiff_t)low;
        return -1;
}

static void object_fill(
        struct object *o, const struct socket_table_info *info, const struct socket_facts *f)
{
        if (info->kind)
                o->kind = info->kind;
        o->protocol = info->protocol;
        o->type = f->type;
        o->state = f->state;
        o->local = f->local;
        o->remote = f->remote;
        o->has_queues = f->has_queues;
        o->receive_queue = f->receive_queue;
        o->send_queue = f->send_queue;
        o->has_retransmits = f->has_retransmits;
        o->retransmits = f->retransmits;
        o->peer_inode = f->peer_inode;
}

void socket_set_give(struct socket_set *set, uint64_t inode, enum socket_table table,
        const struct socket_facts *facts)
{
        ptrdiff_t first = socket_set_find(set, inode, table);
        struct socket_facts kept = *facts;

        if (first < 0)
                return;
        kept.local = arena_str(set->arena, facts->local);
        kept.remote = arena_str(set->arena, facts->remote);
        for (size_t i = (size_t)first; i < set->n && set->queries[i]->inode == inode; i++) {
                struct socket_query *q = set->queries[i];
                unsigned tables;

                if (!socket_query_wants(q, table))
                        continue;
                tables = socket_tables_of(q->protocol);
                for (size_t t = 0; t < SOCKET_TABLES; t++)
                        set->left[t] -= (tables >> t) & 1;
                object_fill(q->object, &socket_tables[table], &kept);
                q->done = true;
        }
}

unsigned socket_set_wants(const struct socket_set *set, unsigned tables)
{
        unsigned wanted = 0;

        for (size_t t = 0; t < SOCKET_TABLES; t++)
                if (set->left[t])
                        wanted |= SOCKET_BIT(t);
        return wanted & tables;
}

const char *socket_address_format(char buffer[static SOCKET_ADDRESS_MAX], int family,
        const void *address, unsigned port, const char *scope)
{
        char text[INET6_ADDRSTRLEN] = "";

        inet_ntop(family, address, text, sizeof(text));
        if (family == AF_INET6)
                snprintf(buffer, SOCKET_ADDRESS_MAX, "[%s%s%s]:%u", text,
                        scope && *scope ? "%" : "", scope ? scope : "", port);
        else
                snprintf(buffer, SOCKET_ADDRESS_MAX, "%s:%u", text, port);
        return buffer;
}

bool socket_address_none(int family, const void *address, unsigned port)
{
        static const unsigned char zero[16];

        return !port && memcmp(address, zero, family == AF_INET6 ? 16 : 4) == 0;
}

const char *socket_unix_format(char buffer[static SOCKET_UNIX_MAX], const void *name, size_t len)
{
        const char *bytes = name;
        bool abstract = len && !bytes[0];

        if (len >= SOCKET_UNIX_MAX)
                len = SOCKET_UNIX_MAX - 1;
        if (!abstract)
                len = strnlen(bytes, len);
        if (!len)
                return NULL;
        for (size_t i = 0; i < len; i++)
                buffer[i] = bytes[i] ? bytes[i] : '@';
        buffer[len] = 0;
        return buffer;
}

const char *socket_tcp_state(unsigned state)
{
        /* TCP_… of include/net/tcp_states.h. 12 is a connection request, 13 a socket that is
         * bound and no more (since 91051f003948 "tcp: Dump bound-only sockets"). */
        static const char *const names[] = {
                [1] = "ESTABLISHED",
                [2] = "SYN_SENT",
                [3] = "SYN_RECV",
                [4] = "FIN_WAIT1",
                [5] = "FIN_WAIT2",
                [6] = "TIME_WAIT",
                [7] = "CLOSE",
                [8] = "CLOSE_WAIT",
                [9] = "LAST_ACK",
                [10] = "LISTEN",
                [11] = "CLOSING",
                [12] = "SYN_RECV",
                [13] = "CLOSE",
        };

        return state < ARRAY_SIZE(names) ? names[state] : NULL;
}

const char *socket_type_name(unsigned type)
{
        switch (type) {
        case SOCK_STREAM:
                return "stream";
        case SOCK_DGRAM:
                return "dgram";
        case SOCK_SEQPACKET:
                return "seqpacket";
        default:
                return NULL;
        }
}

const char *socket_netlink_format(
        char buffer[static SOCKET_NETLINK_MAX], unsigned protocol, uint32_t port)
{
        static const char *const names[] = {
                [NETLINK_ROUTE] = "route",
                [NETLINK_USERSOCK] = "usersock",
                [NETLINK_FIREWALL] = "firewall",
                [NETLINK_SOCK_DIAG] = "sock_diag",
                [NETLINK_NFLOG] = "nflog",
                [NETLINK_XFRM] = "xfrm",
                [NETLINK_SELINUX] = "selinux",
                [NETLINK_ISCSI] = "iscsi",
                [NETLINK_AUDIT] = "audit",
                [NETLINK_FIB_LOOKUP] = "fib_lookup",
                [NETLINK_CONNECTOR] = "connector",
                [NETLINK_NETFILTER] = "netfilter",
                [NETLINK_IP6_FW] = "ip6_fw",
                [NETLINK_DNRTMSG] = "dnrtmsg",
                [NETLINK_KOBJECT_UEVENT] = "uevent",
                [NETLINK_GENERIC] = "generic",
                [NETLINK_SCSITRANSPORT] = "scsi",
                [NETLINK_ECRYPTFS] = "ecryptfs",
                [NETLINK_RDMA] = "rdma",
                [NETLINK_CRYPTO] = "crypto",
        };

        if (protocol < ARRAY_SIZE(names) && names[protocol])
                snprintf(buffer, SOCKET_NETLINK_MAX, "%s:%u", names[protocol], port);
        else
                snprintf(buffer, SOCKET_NETLINK_MAX, "%u:%u", protocol, port);
        return buffer;
}
