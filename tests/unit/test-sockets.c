/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets: the text tables of many kernels and of liars, the forms of names, and real sockets
 * of this process, asked of the kernel in this namespace and (as root) in a fresh one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procio.h"
#include "model.h"
#include "resolve/sockdiag.h"
#include "resolve/socketset.h"
#include "resolve/sockets.h"
#include "resolve/socktext.h"

#define QUERIES_MAX 600

struct bench {
        struct arena *arena;
        struct snapshot s;
        struct socket_query queries[QUERIES_MAX], *sorted[QUERIES_MAX];
        struct object objects[QUERIES_MAX];
        size_t n;
};

static void bench_init(struct bench *b)
{
        memset(b, 0, sizeof(*b));
        b->arena = arena_new();
        assert_non_null(b->arena);
        snapshot_init(&b->s, b->arena);
}

static void bench_done(struct bench *b)
{
        arena_free(b->arena);
}

static struct object *bench_want(
        struct bench *b, uint64_t inode, const char *protocol, pid_t pid, uint64_t net_ns)
{
        struct socket_query *q = &b->queries[b->n];

        assert_true(b->n < QUERIES_MAX);
        b->objects[b->n] = (struct object){ .kind = "socket", .fd = -1, .inode = inode };
        *q = (struct socket_query){
                .inode = inode,
                .protocol = protocol,
                .pid = pid,
                .net_ns = net_ns,
                .object = &b->objects[b->n],
                .next = b->n ? &b->queries[b->n - 1] : NULL,
        };
        b->sorted[b->n] = q;
        return &b->objects[b->n++];
}

/* The queries must have been made in the order of their inodes. */
static void bench_parse_cut(struct bench *b, enum socket_table table, const char *text, bool cut)
{
        /* A copy of the exact size, for the sanitizer to see a read beyond. */
        size_t len = strlen(text);
        char *copy = malloc(len ? len : 1);
        struct socket_set set;

        assert_non_null(copy);
        /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): that is the point */
        memcpy(copy, text, len);
        socket_set_init(&set, b->arena, b->sorted, b->n);
        socktext_parse(&set, table, copy, len, cut);
        free(copy);
}

static void bench_parse(struct bench *b, enum socket_table table, const char *text)
{
        bench_parse_cut(b, table, text, false);
}

#define assert_text(a, b)                                                                          \
        do {                                                                                       \
                assert_non_null(a);                                                                \
                assert_string_equal(a, b);                                                         \
        } while (0)

#define INET_HEAD                                                                                  \
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "      \
        "timeout inode\n"

static const char tcp_text[] = INET_HEAD
        "   0: 00000000:0539 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        "
        "0 1161 1 000000006a24b2e1 100 0 0 10 0\n"
        "   1: 0100007F:1F90 0200A8C0:C350 01 0000000A:00000014 01:00000019 00000005  1000        "
        "0 1162 3 0000000000000000 20 4 31 10 -1\n"
        "   2: 0100007F:1F90 0100007F:C351 06 00000000:00000000 03:000017A2 00000000     0        "
        "0 0 3 0000000000000000\n"
        "   3: 0100007F:1F91 0100007F:C352 08 00000000:00000001 02:000017A2 00000001 65534        "
        "2 1163 2 ffff880012345678\n"
        "   4: 0100007F:1F92 0100007F:C353 04 00000000:00000001 00:00000000 00000000 65534        "
        "0 116";

static void test_tcp(void **state)
{
        struct bench b;
        struct object *listener, *peer, *closing, *cut;

        (void)state;
        bench_init(&b);
        cut = bench_want(&b, 116, "TCP", 1, 0);
        listener = bench_want(&b, 1161, "TCP", 1, 0);
        peer = bench_want(&b, 1162, NULL, 1, 0);
        closing = bench_want(&b, 1163, "MPTCP", 1, 0);
        bench_parse(&b, SOCKET_TCP4, tcp_text);

        assert_text(listener->kind, "tcp");
        assert_text(listener->protocol, "TCP");
        assert_text(listener->local, "0.0.0.0:1337");
        assert_null(listener->remote);
        assert_text(listener->state, "LISTEN");
        assert_false(listener->has_queues);
        assert_int_equal(listener->receive_queue, 3);
        assert_false(listener->has_retransmits);

        assert_text(peer->local, "127.0.0.1:8080");
        assert_text(peer->remote, "192.168.0.2:50000");
        assert_text(peer->state, "ESTABLISHED");
        assert_true(peer->has_queues);
        assert_int_equal(peer->receive_queue, 20);
        assert_int_equal(peer->send_queue, 10);
        assert_true(peer->has_retransmits);
        assert_int_equal(peer->retransmits, 5);

        assert_text(closing->protocol, "TCP");
        assert_text(closing->state, "CLOSE_WAIT");
        assert_int_equal(closing->retransmits, 2);

        assert_text(cut->kind, "socket");
        assert_null(cut->local);
        bench_done(&b);
}

static void test_tcp6(void **state)
{
        struct bench b;
        struct object *any, *loop, *mapped;

        (void)state;
        bench_init(&b);
        any = bench_want(&b, 20, "TCPv6", 1, 0);
        loop = bench_want(&b, 21, "TCPv6", 1, 0);
        mapped = bench_want(&b, 22, "TCPv6", 1, 0);
        bench_parse(&b, SOCKET_TCP6,
                "  sl  local_address                         remote_address                        "
                "st\n"
                "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 "
                "0A"
                " 00000000:00000000 00:00000000 00000000     0        0 20 1 0000000000000000 100 "
                "0\n"
                "   1: 00000000000000000000000001000000:0050 B80D0120000000000000000001000000:9C40 "
                "02"
                " 00000001:00000000 01:00000000 00000006     0        0 21 1 0000000000000000 100 "
                "0\n"
                "   2: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF000004030201:9C40 "
                "01"
                " 00000000:00000000 00:00000000 00000000     0        0 22 1 0000000000000000 100 "
                "0\n");
        assert_text(any->local, "[::]:80");
        assert_text(any->protocol, "TCP");
        assert_null(any->remote);
        assert_text(loop->local, "[::1]:80");
        assert_text(loop->remote, "[2001:db8::1]:40000");
        assert_text(loop->state, "SYN_SENT");
        assert_int_equal(loop->retransmits, 6);
        assert_text(mapped->local, "[::ffff:127.0.0.1]:80");
        assert_text(mapped->remote, "[::ffff:1.2.3.4]:40000");
        bench_done(&b);
}

static void test_udp(void **state)
{
        struct bench b;
        struct object *bound, *connected, *raw;

        (void)state;
        bench_init(&b);
        bound = bench_want(&b, 30, "UDP", 1, 0);
        connected = bench_want(&b, 31, "UDP", 1, 0);
        raw = bench_want(&b, 32, "RAW", 1, 0);
        /* Linux 2.6.32 and 6.18 */
        bench_parse(&b, SOCKET_UDP4,
                INET_HEAD
                "  35: 00000000:0035 00000000:0000 07 00000000:00000900 00:00000000 00000000     0"
                "        0 30 2 ffff88003e1a8000 0\n"
                " 1335: 0100007F:0035 0100007F:0044 01 00000000:00000000 00:00000000 00000000     0"
                "        0 31 2 0000000000000000 17        \n");
        bench_parse(&b, SOCKET_RAW4,
                INET_HEAD
                "   1: 00000000:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000     0"
                "        0 32 2 0000000000000000 0\n");
        assert_text(bound->kind, "udp");
        assert_text(bound->local, "0.0.0.0:53");
        assert_null(bound->remote);
        assert_null(bound->state);
        assert_true(bound->has_queues);
        assert_int_equal(bound->receive_queue, 0x900);
        assert_false(bound->has_retransmits);
        assert_text(connected->remote, "127.0.0.1:68");
        assert_text(raw->kind, "raw");
        assert_text(raw->local, "0.0.0.0:1");
        bench_done(&b);
}

#define UNIX_HEAD "Num       RefCount Protocol Flags    Type St Inode Path\n"

static void test_unix(void **state)
{
        struct bench b;
        struct object *listener, *stream, *dgram, *abstract;

        (void)state;
        bench_init(&b);
        listener = bench_want(&b, 40, "UNIX-STREAM", 1, 0);
        stream = bench_want(&b, 41, "UNIX", 1, 0);
        dgram = bench_want(&b, 42, NULL, 1, 0);
        abstract = bench_want(&b, 43, "UNIX", 1, 0);
        bench_parse(&b, SOCKET_UNIX,
                UNIX_HEAD
                "ffff880036d1c000: 00000002 00000000 00010000 0001 01    40 /run/a b.sock\n"
                "00000000f3ca30ff: 00000003 00000000 00000000 0001 03    41\n"
                "0000000000000000: 00000002 00000000 00000000 0002 01    42 /run/log\n"
                "00000000: 00000003 00000000 00000000 0005 03    43 @name@@with\x1b[31m\n");
        assert_text(listener->kind, "unix");
        assert_text(listener->protocol, "unix");
        assert_text(listener->type, "stream");
        assert_text(listener->state, "LISTEN");
        assert_text(listener->local, "/run/a b.sock");
        assert_text(stream->state, "ESTABLISHED");
        assert_null(stream->local);
        assert_text(dgram->type, "dgram");
        assert_text(dgram->state, "CLOSE");
        assert_text(dgram->local, "/run/log");
        assert_text(abstract->type, "seqpacket");
        assert_text(abstract->local, "@name@@with\x1b[31m");
        bench_done(&b);
}

/* Somebody binds a path with a newline, and behind it a line about another's socket. */
static void test_unix_forged(void **state)
{
        static const char text[] =
                UNIX_HEAD "0000000000000000: 00000002 00000000 00010000 0001 01  50 /tmp/x\n"
                          "0000000000000000: 00000002 00000000 00010000 0001 01  51 /run/forged\n"
                          "0000000000000000: 00000003 00000000 00000000 0001 03  51\n"
                          "0000000000000000: 00000002 00000000 00010000 0001 01  52 /run/true\n";
        struct object *forger, *victim, *other;
        struct bench b;

        (void)state;
        bench_init(&b);
        forger = bench_want(&b, 50, "UNIX", 1, 0);
        victim = bench_want(&b, 51, "UNIX", 1, 0);
        other = bench_want(&b, 52, "UNIX", 1, 0);
        bench_parse(&b, SOCKET_UNIX, text);
        assert_text(forger->local, "/tmp/x");
        assert_null(victim->local);
        assert_null(victim->state);
        assert_text(other->local, "/run/true");
        bench_done(&b);

        /* A TCP socket cannot be claimed, and in a cut text the true line may be missing. */
        bench_init(&b);
        victim = bench_want(&b, 51, "TCP", 1, 0);
        bench_parse(&b, SOCKET_UNIX, text);
        assert_null(victim->local);
        assert_text(victim->kind, "socket");
        bench_done(&b);
        bench_init(&b);
        other = bench_want(&b, 52, "UNIX", 1, 0);
        bench_parse_cut(&b, SOCKET_UNIX, text, true);
        assert_null(other->local);
        bench_done(&b);
}

static void test_named(void **state)
{
        struct object *old, *newer, *packet, *any;
        struct bench b;

        (void)state;
        bench_init(&b);
        old = bench_want(&b, 60, "NETLINK", 1, 0);
        newer = bench_want(&b, 61, NULL, 1, 0);
        packet = bench_want(&b, 62, "PACKET", 1, 0);
        any = bench_want(&b, 63, "PACKET", 1, 0);
        bench_parse(&b, SOCKET_NETLINK,
                "sk       Eth Pid    Groups   Rmem     Wmem     Dump     Locks     Drops     "
                "Inode\n"
                "ffff88003f8a8800 15  -4096  00000001 0        0        (null)           2        0"
                "        60      \n"
                "00000000cd42ff6f 0   700        00000000 0        0        0     2        0"
                "        61      \n");
        bench_parse(&b, SOCKET_PACKET,
                "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n"
                "0000000000000000 3      3    0003   2     1 0      0      62    \n"
                "ffff8800 3      10   88cc   0     1 0      1000   63    \n");
        assert_text(old->local, "uevent:4294963200");
        assert_text(newer->local, "route:700");
        assert_text(newer->kind, "netlink");
        assert_text(packet->local, "%2");
        assert_text(any->local, "*");
        assert_text(any->kind, "packet");
        bench_done(&b);
}

static void test_junk(void **state)
{
        static const char *const texts[] = {
                "",
                "\n",
                "\n\n\n",
                ":",
                "   0:",
                "   0: \n",
                "sl\n   0: 0100007F:\n",
                "   0: 00000000:0539 00000000:0000 0A 00000000:00000003 00:00000000 00000000 0 0\n",
                "   0: 00:0539 00000000:0000 0A 00000000:00000003 00:00000000 00000000 0 0 70 1\n",
                "   0: 000000000000000000000000000000000000000:0539 0:0 0A 0:3 0:0 0 0 0 70 1\n",
                "   0: 0100007F:0539 00000000:0000 0A 0:0 00:00000000 0 0 0 -1 1\n",
                "0: 0 0 0 1 1 70x /run/x\n",
                "0: 0 0 0 1 1 99999999999999999999999 /run/x\n",
                "70 70 70 70 70 70 70 70 70 70 70\n",
                "%n%s%n 70 70\n",
                "0000: 70",
        };
        struct object *o;
        struct bench b;
        char *longest;

        (void)state;
        bench_init(&b);
        o = bench_want(&b, 70, NULL, 1, 0);
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                for (int t = 0; t < SOCKET_TABLES; t++)
                        if (socket_tables[t].text && t != SOCKET_NETLINK && t != SOCKET_PACKET)
                                bench_parse(&b, (enum socket_table)t, texts[i]);
        assert_text(o->kind, "socket");
        assert_null(o->local);

        /* Lines without end, and a line cut at each of its bytes. */
        longest = malloc(100001);
        assert_non_null(longest);
        memset(longest, '7', 100000);
        longest[100000] = 0;
        for (int t = 0; t < SOCKET_TABLES; t++)
                if (socket_tables[t].text)
                        bench_parse(&b, (enum socket_table)t, longest);
        longest[99999] = '\n';
        for (int t = 0; t < SOCKET_TABLES; t++)
                if (socket_tables[t].text)
                        bench_parse(&b, (enum socket_table)t, longest);
        free(longest);
        for (size_t i = 0; i < strlen(tcp_text); i++) {
                char part[sizeof(tcp_text)];

                memcpy(part, tcp_text, i);
                part[i] = 0;
                bench_parse(&b, SOCKET_TCP4, part);
                bench_parse(&b, SOCKET_UNIX, part);
                bench_parse(&b, SOCKET_NETLINK, part);
                bench_parse(&b, SOCKET_PACKET, part);
        }
        assert_text(o->kind, "socket");
        bench_done(&b);
}

static void test_forms(void **state)
{
        struct in6_addr a;
        char text[SOCKET_ADDRESS_MAX], name[SOCKET_UNIX_MAX], port[SOCKET_NETLINK_MAX];
        char longest[300];

        (void)state;
        assert_int_equal(inet_pton(AF_INET6, "fe80::1", &a), 1);
        assert_text(socket_address_format(text, AF_INET6, &a, 80, "eth0"), "[fe80::1%eth0]:80");
        assert_text(socket_address_format(text, AF_INET6, &a, 80, ""), "[fe80::1]:80");
        assert_int_equal(
                inet_pton(AF_INET6, "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", &a), 1);
        socket_address_format(text, AF_INET6, &a, 65535, "abcdefghijklmno");
        assert_text(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%abcdefghijklmno]:65535");
        assert_text(socket_unix_format(name, "/run/x\0junk", 11), "/run/x");
        assert_text(socket_unix_format(name, "\0a\0b\0", 5), "@a@b@");
        assert_null(socket_unix_format(name, "", 0));
        memset(longest, 'x', sizeof(longest));
        assert_int_equal(
                strlen(socket_unix_format(name, longest, sizeof(longest))), SOCKET_UNIX_MAX - 1);
        assert_text(socket_netlink_format(port, 16, 5), "generic:5");
        assert_text(socket_netlink_format(port, 200, UINT32_MAX), "200:4294967295");
        assert_text(socket_tcp_state(11), "CLOSING");
        assert_null(socket_tcp_state(0));
        assert_null(socket_tcp_state(99));
        assert_int_equal(socket_tables_of("CAN_RAW"), 0);
        assert_int_equal(socket_tables_of("TCPv6"), SOCKET_BIT(SOCKET_TCP6));
}

static void file_write(const char *dir, const char *path, const char *text)
{
        char full[200];
        FILE *f;

        snprintf(full, sizeof(full), "%s/%s", dir, path);
        f = fopen(full, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

/* A recorded tree: what its tables have, what they lack, and what is no table's. */
static void test_recorded(void **state)
{
        char dir[] = "/tmp/test-sockets.XXXXXX", path[100], command[100];
        struct object *tcp, *shared, *gone, *can, *unnamed, *udp;
        struct procio *io;
        struct bench b;

        (void)state;
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/77", dir);
        assert_int_equal(mkdir(path, 0755), 0);
        snprintf(path, sizeof(path), "%s/77/net", dir);
        assert_int_equal(mkdir(path, 0755), 0);
        file_write(dir, "77/net/tcp", tcp_text);
        file_write(dir, "77/net/unix", UNIX_HEAD);

        bench_init(&b);
        can = bench_want(&b, 9, "CAN_RAW", 77, 5);
        udp = bench_want(&b, 8, "UDP", 77, 5);
        unnamed = bench_want(&b, 7, "UNIX-STREAM", 77, 0);
        tcp = bench_want(&b, 1161, "TCP", 77, 5);
        shared = bench_want(&b, 1161, "TCP", 76, 5);
        gone = bench_want(&b, 4, "TCP", 77, 5);
        assert_int_equal(procio_new(dir, NULL, &io), 0);
        sockets_resolve(io, &b.s, &b.queries[b.n - 1]);
        assert_text(tcp->local, "0.0.0.0:1337");
        assert_text(shared->local, "0.0.0.0:1337");
        assert_text(gone->kind, "tcp");
        assert_text(gone->protocol, "TCP");
        assert_null(gone->state);
        assert_text(can->kind, "socket");
        assert_text(can->protocol, "CAN_RAW");
        assert_text(unnamed->kind, "unix");
        assert_text(udp->kind, "udp");
        /* There is no net/udp. */
        assert_non_null(b.s.gaps);
        assert_text(b.s.gaps->what, "sockets");
        assert_null(b.s.gaps->next);

        procio_free(io);
        bench_done(&b);
        snprintf(command, sizeof(command), "rm -r %s", dir);
        assert_int_equal(system(command), 0);
}

static void test_recorded_cut(void **state)
{
        static const char udp_line[] =
                " 1335: 0100007F:0035 0100007F:0044 01 00000000:00000000 00:00000000 00000000"
                "     0        0 %u 2 0000000000000000 0\n";
        static const char unix_line[] = "0000000000000000: 2 0 0 0002 01 %u /run/x\n";
        char dir[] = "/tmp/test-sockets.XXXXXX", path[100], command[100];
        struct object *seen, *unseen, *unsure;
        FILE *udp, *un;
        struct procio *io;
        struct bench b;

        (void)state;
        assert_non_null(mkdtemp(dir));
        snprintf(command, sizeof(command), "mkdir -p %s/77/net", dir);
        assert_int_equal(system(command), 0);
        snprintf(path, sizeof(path), "%s/77/net/udp", dir);
        udp = fopen(path, "w");
        snprintf(path, sizeof(path), "%s/77/net/unix", dir);
        un = fopen(path, "w");
        assert_non_null(udp);
        assert_non_null(un);
        for (unsigned i = 1; i <= 40000; i++) {
                fprintf(udp, udp_line, i);
                fprintf(un, unix_line, i + 100000);
        }
        fclose(udp);
        fclose(un);

        bench_init(&b);
        seen = bench_want(&b, 1, "UDP", 77, 5);
        unseen = bench_want(&b, 40000, "UDP", 77, 5);
        unsure = bench_want(&b, 100001, "UNIX", 77, 5);
        assert_int_equal(procio_new(dir, NULL, &io), 0);
        sockets_resolve(io, &b.s, &b.queries[b.n - 1]);
        assert_text(seen->local, "127.0.0.1:53");
        assert_text(unseen->kind, "udp");
        assert_null(unseen->local);
        assert_text(unsure->kind, "unix");
        assert_null(unsure->local);
        assert_non_null(b.s.gaps);
        assert_non_null(strstr(b.s.gaps->why, "longer"));
        assert_null(b.s.gaps->next);
        procio_free(io);
        bench_done(&b);
        snprintf(command, sizeof(command), "rm -r %s", dir);
        assert_int_equal(system(command), 0);
}

static void test_attributes(void **state)
{
        struct {
                char head[16];
                struct nlattr a;
                char a_body[4];
                struct nlattr b;
                char b_body[8];
        } message = {
                .a = { NLA_HDRLEN + 3, 0 },
                .a_body = "one",
                .b = { NLA_HDRLEN + 8, 2 },
                .b_body = "1234567",
        };
        size_t n = 99;

        (void)state;
        assert_ptr_equal(diag_attribute(&message, sizeof(message), 16, 0, &n), message.a_body);
        assert_int_equal(n, 3);
        assert_ptr_equal(diag_attribute(&message, sizeof(message), 16, 2, &n), message.b_body);
        assert_int_equal(n, 8);
        assert_null(diag_attribute(&message, sizeof(message), 16, 1, &n));
        /* Cut anywhere, a length that is too large, too small, a header that is not there. */
        for (size_t len = 0; len < sizeof(message); len++)
                assert_null(diag_attribute(&message, len, 16, 2, &n));
        message.b.nla_len++;
        assert_null(diag_attribute(&message, sizeof(message), 16, 2, &n));
        message.a.nla_len = 0;
        assert_null(diag_attribute(&message, sizeof(message), 16, 2, &n));
        assert_null(diag_attribute(&message, sizeof(message), 4096, 2, &n));
}

static uint64_t socket_inode(int fd)
{
        struct stat st;

        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        return st.st_ino;
}

static uint64_t net_ns_inode(void)
{
        struct stat st;

        return stat("/proc/self/ns/net", &st) == 0 ? st.st_ino : 0;
}

static bool netlink_works(void)
{
        _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

        if (fd >= 0)
                return true;
        print_message("skipped: no NETLINK_SOCK_DIAG here (%s)\n", strerror(errno));
        return false;
}

static unsigned inet_port(int fd)
{
        struct sockaddr_in a = { 0 };
        socklen_t len = sizeof(a);

        assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
        return ntohs(a.sin_port);
}

static void unix_name(struct sockaddr_un *ret, socklen_t *ret_len, const char *name, size_t len)
{
        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        memcpy(ret->sun_path, name, len);
        *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static void live_inet(bool hinted)
{
        const struct sockaddr_in loop = { .sin_family = AF_INET,
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct sockaddr_in6 loop6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
        _cleanup_close_ int listener = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
        _cleanup_close_ int client = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
        _cleanup_close_ int fresh = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
        _cleanup_close_ int udp = socket(AF_INET, SOCK_DGRAM, 0), six = -1, server = -1;
        _cleanup_close_ int netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
        struct object *l, *c, *s, *u, *f, *v6 = NULL, *n;
        const struct sockaddr_nl any = { .nl_family = AF_NETLINK };
        struct sockaddr_in to = loop;
        struct procio *io;
        struct bench b;
        char text[SOCKET_ADDRESS_MAX];

        assert_int_equal(bind(listener, (const struct sockaddr *)&loop, sizeof(loop)), 0);
        assert_int_equal(listen(listener, 7), 0);
        to.sin_port = htons((uint16_t)inet_port(listener));
        assert_int_equal(connect(client, (const struct sockaddr *)&to, sizeof(to)), 0);
        server = accept(listener, NULL, NULL);
        assert_int_equal(send(client, "hello", 5, 0), 5);
        assert_int_equal(bind(udp, (const struct sockaddr *)&loop, sizeof(loop)), 0);
        /* Without a port it is in no table. */
        assert_int_equal(bind(netlink, (const struct sockaddr *)&any, sizeof(any)), 0);
        six = socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP);
        if (six >= 0 && (bind(six, (struct sockaddr *)&loop6, sizeof(loop6)) || listen(six, 3))) {
                close(six);
                six = -1;
        }

        bench_init(&b);
        l = bench_want(&b, socket_inode(listener), hinted ? "TCP" : NULL, getpid(), net_ns_inode());
        c = bench_want(&b, socket_inode(client), hinted ? "TCP" : NULL, getpid(), net_ns_inode());
        s = bench_want(&b, socket_inode(server), hinted ? "TCP" : NULL, getpid(), 0);
        u = bench_want(&b, socket_inode(udp), hinted ? "UDP" : NULL, getpid(), net_ns_inode());
        n = bench_want(
                &b, socket_inode(netlink), hinted ? "NETLINK" : NULL, getpid(), net_ns_inode());
        f = bench_want(&b, socket_inode(fresh), "TCP", getpid(), net_ns_inode());
        if (six >= 0)
                v6 = bench_want(&b, socket_inode(six), hinted ? "TCPv6" : NULL, getpid(), 0);
        assert_int_equal(procio_new(NULL, NULL, &io), 0);
        sockets_resolve(io, &b.s, &b.queries[b.n - 1]);

        assert_text(l->kind, "tcp");
        assert_text(l->state, "LISTEN");
        snprintf(text, sizeof(text), "127.0.0.1:%u", inet_port(listener));
        assert_text(l->local, text);
        assert_null(l->remote);
        assert_true(l->has_queues);
        assert_int_equal(l->receive_queue, 0);
        assert_int_equal(l->send_queue, 7);
        assert_text(c->state, "ESTABLISHED");
        assert_text(c->remote, text);
        assert_text(s->local, text);
        assert_true(s->has_queues && s->has_retransmits);
        assert_int_equal(s->receive_queue, 5);
        assert_int_equal(s->retransmits, 0);
        snprintf(text, sizeof(text), "127.0.0.1:%u", inet_port(client));
        assert_text(s->remote, text);
        assert_text(u->kind, "udp");
        snprintf(text, sizeof(text), "127.0.0.1:%u", inet_port(udp));
        assert_text(u->local, text);
        assert_null(u->remote);
        assert_text(n->kind, "netlink");
        assert_memory_equal(n->local, "route:", 6);
        assert_text(f->kind, "tcp");
        assert_null(f->local);
        if (v6) {
                assert_text(v6->state, "LISTEN");
                assert_memory_equal(v6->local, "[::1]:", 6);
        }
        assert_null(b.s.gaps);
        procio_free(io);
        bench_done(&b);
}

static void test_live_inet(void **state)
{
        (void)state;
        if (!netlink_works())
                skip();
        live_inet(true);
        live_inet(false);
}

/* many: so many more that the table is dumped instead of asked for each. */
static void live_unix(size_t many)
{
        char path[64], abstract[40], shown[40];
        _cleanup_close_ int listener = socket(AF_UNIX, SOCK_STREAM, 0);
        _cleanup_close_ int client = socket(AF_UNIX, SOCK_STREAM, 0), server = -1;
        _cleanup_close_ int early = socket(AF_UNIX, SOCK_STREAM, 0);
        _cleanup_close_ int packets = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        int pair[2], more[QUERIES_MAX];
        struct object *l, *c, *s, *e, *a, *p;
        struct sockaddr_un name;
        struct procio *io;
        struct bench b;
        socklen_t len;

        snprintf(path, sizeof(path), "/tmp/test-sockets.%d", (int)getpid());
        unlink(path);
        unix_name(&name, &len, path, strlen(path) + 1);
        assert_int_equal(bind(listener, (struct sockaddr *)&name, len), 0);
        assert_int_equal(listen(listener, 4), 0);
        assert_int_equal(connect(client, (struct sockaddr *)&name, len), 0);
        server = accept(listener, NULL, NULL);
        assert_int_equal(connect(early, (struct sockaddr *)&name, len), 0);
        snprintf(shown, sizeof(shown), "@pwhy@%d", (int)getpid());
        memcpy(abstract, shown, sizeof(shown));
        abstract[0] = abstract[5] = 0;
        unix_name(&name, &len, abstract, strlen(shown));
        assert_int_equal(bind(packets, (struct sockaddr *)&name, len), 0);
        assert_int_equal(listen(packets, 1), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
        assert_int_equal(send(pair[0], "four", 4, 0), 4);

        bench_init(&b);
        l = bench_want(&b, socket_inode(listener), "UNIX-STREAM", getpid(), 0);
        c = bench_want(&b, socket_inode(client), "UNIX-STREAM", getpid(), 0);
        s = bench_want(&b, socket_inode(server), NULL, getpid(), 0);
        e = bench_want(&b, socket_inode(early), "UNIX", getpid(), 0);
        a = bench_want(&b, socket_inode(packets), "UNIX", getpid(), 0);
        p = bench_want(&b, socket_inode(pair[1]), "UNIX", getpid(), 0);
        for (size_t i = 0; i < many; i++) {
                more[i] = socket(AF_UNIX, SOCK_DGRAM, 0);
                bench_want(&b, socket_inode(more[i]), "UNIX", getpid(), 0);
        }
        assert_int_equal(procio_new(NULL, NULL, &io), 0);
        sockets_resolve(io, &b.s, &b.queries[b.n - 1]);

        assert_text(l->kind, "unix");
        assert_text(l->type, "stream");
        assert_text(l->state, "LISTEN");
        assert_text(l->local, path);
        assert_null(l->remote);
        assert_true(l->has_queues);
        assert_int_equal(l->receive_queue, 1);
        assert_int_equal(l->send_queue, 4);
        assert_text(c->state, "ESTABLISHED");
        assert_text(c->remote, path);
        assert_true(c->peer_inode == socket_inode(server));
        assert_true(s->peer_inode == socket_inode(client));
        assert_null(s->remote);
        assert_text(s->local, path);
        assert_text(e->remote, path);
        assert_true(e->peer_inode == socket_inode(listener));
        assert_text(a->type, "seqpacket");
        assert_text(a->local, shown);
        assert_text(p->type, "dgram");
        assert_true(p->peer_inode == socket_inode(pair[0]));
        assert_int_equal(p->receive_queue, 4);
        for (size_t i = 0; i < many; i++) {
                assert_text(b.objects[b.n - 1 - i].kind, "unix");
                assert_text(b.objects[b.n - 1 - i].state, "CLOSE");
                close(more[i]);
        }
        assert_null(b.s.gaps);
        unlink(path);
        close(pair[0]);
        close(pair[1]);
        procio_free(io);
        bench_done(&b);
}

static void test_live_unix(void **state)
{
        (void)state;
        if (!netlink_works())
                skip();
        live_unix(0);
        live_unix(500);
}

/* In a child that stays behind, in a namespace of its own: tells its sockets' inodes. */
struct beyond {
        uint64_t net_ns, tcp, unix_stream, handed;
};

static void loopback_up(void)
{
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM, 0);
        struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };

        ioctl(fd, SIOCSIFFLAGS, &r);
}

static int child_beyond(int out)
{
        const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(1337) };
        int handed = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP), tcp, stream;
        struct beyond beyond;
        struct stat st;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (handed < 0 || listen(handed, 1) < 0)
                return 1;
        if (unshare(CLONE_NEWNET) < 0)
                return 77;
        loopback_up();
        tcp = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
        stream = socket(AF_UNIX, SOCK_STREAM, 0);
        if (tcp < 0 || stream < 0 || bind(tcp, (const struct sockaddr *)&any, sizeof(any)) < 0 ||
                listen(tcp, 2) < 0)
                return 1;
        beyond.net_ns = net_ns_inode();
        beyond.tcp = fstat(tcp, &st) == 0 ? st.st_ino : 0;
        beyond.unix_stream = fstat(stream, &st) == 0 ? st.st_ino : 0;
        beyond.handed = fstat(handed, &st) == 0 ? st.st_ino : 0;
        if (write(out, &beyond, sizeof(beyond)) != sizeof(beyond))
                return 1;
        pause();
        return 0;
}

/* 0: there is no such child, and it was said why. */
static pid_t beyond_start(struct beyond *ret)
{
        int tube[2], status = 0;
        pid_t child;
        ssize_t n;

        if (!netlink_works())
                return 0;
        assert_int_equal(pipe(tube), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0)
                _exit(child_beyond(tube[1]));
        close(tube[1]);
        n = read(tube[0], ret, sizeof(*ret));
        close(tube[0]);
        if (n == sizeof(*ret))
                return child;
        waitpid(child, &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 77);
        print_message("skipped: no new network namespace without privileges\n");
        return 0;
}

static void beyond_stop(pid_t child)
{
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
}

static void test_live_namespace(void **state)
{
        struct object *tcp, *stream, *handed;
        uint64_t own = net_ns_inode();
        struct beyond beyond = { 0 };
        struct procio *io;
        struct bench b;
        pid_t child;

        (void)state;
        child = beyond_start(&beyond);
        if (!child)
                skip();
        bench_init(&b);
        tcp = bench_want(&b, beyond.tcp, "TCP", child, beyond.net_ns);
        stream = bench_want(&b, beyond.unix_stream, "UNIX-STREAM", child, beyond.net_ns);
        handed = bench_want(&b, beyond.handed, "TCP", child, beyond.net_ns);
        assert_int_equal(procio_new(NULL, NULL, &io), 0);
        sockets_resolve(io, &b.s, &b.queries[b.n - 1]);
        beyond_stop(child);

        assert_text(tcp->local, "0.0.0.0:1337");
        assert_int_equal(tcp->send_queue, 2);
        assert_text(stream->kind, "unix");
        assert_text(stream->state, "CLOSE");
        assert_text(handed->state, "LISTEN");
        assert_true(net_ns_inode() == own);
        assert_null(b.s.gaps);
        procio_free(io);
        bench_done(&b);
}

/* As nobody: the namespace may not be entered, its texts may be read. The failed check, or 0. */
static int nobody_resolve(const struct beyond *beyond, pid_t child, bool hidden)
{
        struct object *tcp, *other = NULL;
        struct procio *io;
        struct bench b;
        int failed = 0;

        if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
                return 1;
        bench_init(&b);
        tcp = bench_want(&b, beyond->tcp, "TCP", child, beyond->net_ns);
        /* There is no text about these. */
        if (hidden)
                other = bench_want(&b, 1, "MPTCP", child, beyond->net_ns);
        if (procio_new(NULL, NULL, &io) < 0)
                return 1;
        sockets_resolve(io, &b.s, &b.queries[b.n - 1]);
        if (!tcp->local || strcmp(tcp->local, "0.0.0.0:1337") != 0)
                failed = 2;
        else if (hidden != !!b.s.gaps)
                failed = 3;
        else if (hidden && (!b.s.gaps->remedy || b.s.gaps->next))
                failed = 4;
        else if (other && (other->local || strcmp(other->kind, "tcp") != 0))
                failed = 5;
        procio_free(io);
        bench_done(&b);
        return failed;
}

static void test_live_refused(void **state)
{
        struct beyond beyond = { 0 };
        pid_t child;

        (void)state;
        child = beyond_start(&beyond);
        if (!child)
                skip();
        for (int hidden = 0; hidden < 2; hidden++) {
                pid_t nobody = fork();
                int status = 0;

                assert_true(nobody >= 0);
                if (nobody == 0)
                        _exit(nobody_resolve(&beyond, child, hidden));
                assert_int_equal(waitpid(nobody, &status, 0), nobody);
                assert_true(WIFEXITED(status));
                assert_int_equal(WEXITSTATUS(status), 0);
        }
        beyond_stop(child);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tcp),
                cmocka_unit_test(test_tcp6),
                cmocka_unit_test(test_udp),
                cmocka_unit_test(test_unix),
                cmocka_unit_test(test_unix_forged),
                cmocka_unit_test(test_named),
                cmocka_unit_test(test_junk),
                cmocka_unit_test(test_forms),
                cmocka_unit_test(test_recorded),
                cmocka_unit_test(test_recorded_cut),
                cmocka_unit_test(test_attributes),
                cmocka_unit_test(test_live_inet),
                cmocka_unit_test(test_live_unix),
                cmocka_unit_test(test_live_namespace),
                cmocka_unit_test(test_live_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
