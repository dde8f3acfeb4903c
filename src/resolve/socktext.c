/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables below /proc/PID/net, as written by Linux 2.6.32 to 6.18. Later kernels only added
 * columns at the end, and `sk` is an address, a hash of it, or zeros: neither is looked at.
 *
 * Only lines that end are read: one cut in the middle could show half an inode number. All of
 * this may come from a recording, thus from anybody; a line that does not fit is skipped.
 */
#include "resolve/socktext.h"

#include <errno.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/sockets.h"

#define LINE_MAX_LEN 512 /* of any table; the longest that is known has 190 */
#define PROCESSES_MAX 8  /* asked for the tables of their namespace, if the first are gone */

#define STATE_LISTEN 10

/* Next line of the text; it is copied, because sscanf() measures all of what it is given. */
static bool line_next(
        const char **at, size_t *left, char line[static LINE_MAX_LEN], size_t *ret_len)
{
        const char *end = *left ? memchr(*at, '\n', *left) : NULL;
        size_t len, kept;

        if (!end)
                return false;
        len = (size_t)(end - *at);
        kept = len < LINE_MAX_LEN - 1 ? len : LINE_MAX_LEN - 1;
        memcpy(line, *at, kept);
        line[kept] = 0;
        *ret_len = kept;
        *at += len + 1;
        *left -= len + 1;
        return true;
}

/*
 * "0100007F", "0000000000000000FFFF00000100007F": words of 32 bits, as a little-endian machine
 * prints the number that it has in memory. Recordings come from such machines.
 */
static bool address_parse(const char *hex, int family, unsigned char ret[static 16])
{
        size_t words = family == AF_INET6 ? 4 : 1;

        if (strlen(hex) != words * 8)
                return false;
        for (size_t i = 0; i < words; i++) {
                char word[9] = { 0 };
                uint32_t bytes;

                memcpy(word, hex + i * 8, 8);
                bytes = htole32((uint32_t)strtoul(word, NULL, 16));
                memcpy(ret + i * 4, &bytes, sizeof(bytes));
        }
        return true;
}

/*
 * sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode
 *  0: 0100007F:0539 00000000:0000 0A 00000000:00000001 00:00000000 00000000   0       0 5120 1
 *
 * The same in tcp, udp, udplite, raw and icmp, and with longer addresses in their relatives of
 * IPv6. "timeout" counts unanswered probes (of a closed window, or keepalive).
 */
struct inet_line {
        unsigned char local[16], remote[16];
        unsigned local_port, remote_port, state, transmit, receive, timer, retransmits, probes;
        uint64_t inode;
};

static bool inet_line_parse(const char *line, int family, struct inet_line *ret)
{
        char local[33], remote[33];
        unsigned long long inode;

        if (sscanf(line,
                    " %*[0-9]: %32[0-9A-Fa-f]:%4x %32[0-9A-Fa-f]:%4x %2x %8x:%8x %2x:%*x %8x"
                    " %*u %u %20llu",
                    local, &ret->local_port, remote, &ret->remote_port, &ret->state, &ret->transmit,
                    &ret->receive, &ret->timer, &ret->retransmits, &ret->probes, &inode) != 11)
                return false;
        ret->inode = inode;
        return address_parse(local, family, ret->local) &&
               address_parse(remote, family, ret->remote);
}

static void inet_line_give(
        struct socket_set *set, enum socket_table table, const struct inet_line *l)
{
        char local[SOCKET_ADDRESS_MAX], remote[SOCKET_ADDRESS_MAX];
        bool tcp = table == SOCKET_TCP4 || table == SOCKET_TCP6;
        bool listens = tcp && l->state == STATE_LISTEN;
        int family = socket_tables[table].family;
        /*
         * Of a listener the table has the length of the queue (rx_queue) and not its limit:
         * then the length is kept, but there is no pair of them.
         */
        struct socket_facts f = {
                .has_queues = !listens,
                .receive_queue = l->receive,
                .send_queue = l->transmit,
        };

        if (tcp)
                f.state = socket_tcp_state(l->state);
        if (tcp && !listens) {
                f.has_retransmits = true;
                /* What the running timer counts: 1 retransmission, 2 keepalive, 4 probe. */
                f.retransmits = l->timer == 1                    ? l->retransmits
                                : l->timer == 2 || l->timer == 4 ? l->probes
                                                                 : 0;
        }
        f.local = socket_address_format(local, family, l->local, l->local_port, NULL);
        if (!listens && !socket_address_none(family, l->remote, l->remote_port))
                f.remote = socket_address_format(remote, family, l->remote, l->remote_port, NULL);
        socket_set_give(set, l->inode, table, &f);
}

static void inet_parse(
        struct socket_set *set, enum socket_table table, const char *text, size_t len)
{
        char line[LINE_MAX_LEN];
        size_t n;

        while (set->left[table] && line_next(&text, &len, line, &n)) {
                struct inet_line l;

                if (inet_line_parse(line, socket_tables[table].family, &l) &&
                        socket_set_find(set, l.inode, table) >= 0)
                        inet_line_give(set, table, &l);
        }
}

/*
 * Num       RefCount Protocol Flags    Type St Inode Path
 * 0000000000000000: 00000002 00000000 00010000 0001 01  5121 /run/x
 * 0000000000000000: 00000003 00000000 00000000 0001 03  5122
 * Flags: 10000 is a listener. St: 03 is connected. Path: "@" for a NUL of an abstract name.
 */
struct unix_line {
        unsigned flags, type, state;
        uint64_t inode;
        size_t path; /* offset in the line; at its end: unnamed */
};

static bool unix_line_parse(const char *line, struct unix_line *ret)
{
        unsigned long long inode;
        int end = 0;

        if (sscanf(line, "%*[0-9A-Fa-f]: %*8x %*8x %8x %4x %2x %20llu%n", &ret->flags, &ret->type,
                    &ret->state, &inode, &end) != 4 ||
                (line[end] && line[end] != ' '))
                return false;
        ret->inode = inode;
        ret->path = (size_t)end + (line[end] == ' ');
        return true;
}

static void unix_line_give(
        struct socket_set *set, const char *line, size_t len, const struct unix_line *l)
{
        char name[SOCKET_UNIX_MAX];
        struct socket_facts f = {
                .type = socket_type_name(l->type),
                .state = l->flags & 0x10000 ? "LISTEN"
                         : l->state == 3    ? "ESTABLISHED"
                         : l->state == 1    ? "CLOSE"
                                            : NULL,
        };

        if (len > l->path)
                f.local = socket_unix_format(name, line + l->path, len - l->path);
        socket_set_give(set, l->inode, SOCKET_UNIX, &f);
}

/*
 * A path may hold a newline and behind it a line of its maker's choice, which claims to be
 * somebody else's socket. The true line is there too, unless the text is cut: what is claimed
 * twice is not told, and of a cut text nothing.
 */
static void unix_parse(struct socket_set *set, const char *text, size_t len, bool cut)
{
        unsigned char *claims = cut ? NULL : calloc(set->n, 1);

        if (!claims)
                return;
        for (int pass = 0; pass < 2 && set->left[SOCKET_UNIX]; pass++) {
                char line[LINE_MAX_LEN];
                const char *at = text;
                size_t left = len, n;

                while (line_next(&at, &left, line, &n)) {
                        struct unix_line l;
                        ptrdiff_t i;

                        if (!unix_line_parse(line, &l))
                                continue;
                        i = socket_set_find(set, l.inode, SOCKET_UNIX);
                        if (i < 0)
                                continue;
                        if (pass == 0)
                                claims[i] += claims[i] < 2;
                        else if (claims[i] == 1)
                                unix_line_give(set, line, n, &l);
                }
        }
        free(claims);
}

/*
 * sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
 * 00000000cd42ff6f 0   700        00000000 0        0        0     2        0        5123
 * Eth is the protocol. Pid is the port, signed in old kernels; their Dump is a pointer, or
 * "(null)".
 */
static bool netlink_line(
        const char *line, uint64_t *ret_inode, char name[static SOCKET_ADDRESS_MAX])
{
        unsigned long long inode;
        unsigned protocol;
        long long port;

        if (sscanf(line, "%*s %3u %11lld %*8x %*d %*d %*s %*d %*d %20llu", &protocol, &port,
                    &inode) != 3)
                return false;
        socket_netlink_format(name, protocol, (uint32_t)port);
        *ret_inode = inode;
        return true;
}

/*
 * sk       RefCnt Type Proto  Iface R Rmem   User   Inode
 * 00000000 3      3    0003   2     1 0      0      5124
 * Of the interface only the number is here, and it may belong to another namespace.
 */
static bool packet_line(const char *line, uint64_t *ret_inode, char name[static SOCKET_ADDRESS_MAX])
{
        unsigned long long inode;
        int interface;

        if (sscanf(line, "%*s %*d %*d %*4x %9d %*d %*u %*u %20llu", &interface, &inode) != 2)
                return false;
        if (interface)
                snprintf(name, SOCKET_ADDRESS_MAX, "%%%d", interface);
        else
                snprintf(name, SOCKET_ADDRESS_MAX, "*");
        *ret_inode = inode;
        return true;
}

static void named_parse(struct socket_set *set, enum socket_table table, const char *text,
        size_t len, bool (*parse)(const char *line, uint64_t *ret_inode, char *name))
{
        char line[LINE_MAX_LEN], name[SOCKET_ADDRESS_MAX];
        uint64_t inode;
        size_t n;

        while (set->left[table] && line_next(&text, &len, line, &n))
                if (parse(line, &inode, name) && socket_set_find(set, inode, table) >= 0)
                        socket_set_give(set, inode, table, &(struct socket_facts){ .local = name });
}

void socktext_parse(
        struct socket_set *set, enum socket_table table, const char *text, size_t len, bool cut)
{
        switch (table) {
        case SOCKET_UNIX:
                unix_parse(set, text, len, cut);
                break;
        case SOCKET_NETLINK:
                named_parse(set, table, text, len, netlink_line);
                break;
        case SOCKET_PACKET:
                named_parse(set, table, text, len, packet_line);
                break;
        default:
                inet_parse(set, table, text, len);
                break;
        }
}

/* All tables of one process's namespace. */
static void process_run(struct procio *io, struct socket_set *set, int dir, pid_t pid,
        unsigned tables, int64_t deadline_ns, struct socktext_result *ret)
{
        for (size_t t = 0; t < SOCKET_TABLES; t++) {
                unsigned bit = SOCKET_BIT(t);
                const char *text;
                ssize_t n;

                if (!socket_tables[t].text ||
                        !(socket_set_wants(set, tables & ~ret->read & ~ret->cut) & bit) ||
                        clock_ns(CLOCK_MONOTONIC) >= deadline_ns)
                        continue;
                n = procio_read(io, dir, socket_tables[t].text, pid, HANG_NONE, &text);
                if (n < 0)
                        continue;
                /* A text of just that length counts as cut: it cannot be told. */
                if (n >= (ssize_t)PROCIO_TEXT_MAX)
                        ret->cut |= bit;
                else
                        ret->read |= bit;
                socktext_parse(set, (enum socket_table)t, text, (size_t)n, ret->cut & bit);
        }
}

void socktext_run(struct procio *io, struct socket_set *set, unsigned tables, int64_t deadline_ns,
        struct socktext_result *ret)
{
        pid_t asked[PROCESSES_MAX];
        size_t n_asked = 0;

        *ret = (struct socktext_result){ 0 };
        for (size_t i = 0; i < set->n && n_asked < PROCESSES_MAX; i++) {
                _cleanup_close_ int dir = -1;
                pid_t pid = set->queries[i]->pid;
                bool again = false;

                for (size_t k = 0; k < n_asked; k++)
                        again |= asked[k] == pid;
                if (again || pid <= 0)
                        continue;
                if (!socket_set_wants(set, tables & ~ret->read & ~ret->cut))
                        return;
                asked[n_asked++] = pid;
                dir = procio_open_process(io, pid);
                if (dir >= 0)
                        process_run(io, set, dir, pid, tables, deadline_ns, ret);
        }
}
