/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that wait in the calls on TCP sockets; how is the address family. */
#include "scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

union address {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
};

static socklen_t address_loopback(int family, union address *ret_address)
{
        *ret_address = (union address){ .any.sa_family = (sa_family_t)family };
        if (family == AF_INET6) {
                ret_address->in6.sin6_addr = in6addr_loopback;
                return sizeof(ret_address->in6);
        }
        ret_address->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof(ret_address->in);
}

static int listener_make(struct stage *st, int family, int backlog)
{
        union address address;
        socklen_t len = address_loopback(family, &address);
        int fd = (int)NEED(st, socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));

        NEED(st, bind(fd, &address.any, len));
        MUST(listen(fd, backlog));
        return fd;
}

/* A connected pair over the loopback device. */
static void pair_make(struct stage *st, int family, int ret_fds[static 2])
{
        int listener = listener_make(st, family, 1);
        union address address;
        socklen_t len = sizeof(address);

        /* Small, so that it is soon full; set before connecting to count for the window. */
        MUST(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &(int){ 4096 }, sizeof(int)));
        MUST(getsockname(listener, &address.any, &len));
        ret_fds[0] = (int)MUST(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        MUST(setsockopt(ret_fds[0], SOL_SOCKET, SO_SNDBUF, &(int){ 4096 }, sizeof(int)));
        MUST(connect(ret_fds[0], &address.any, len));
        ret_fds[1] = (int)MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
        close(listener);
}

static void accept_ready(struct stage *st, pid_t pid, int fd)
{
        char local[64];

        stage_ready(
                st, pid, pid, "fd=%d local=%s inode=%lu", fd, local_text(fd, local), fd_inode(fd));
}

static void tcp_accept(struct stage *st, int family)
{
        int fd = listener_make(st, family, 8);
        pid_t pid = child_start(st);

        if (pid == 0) {
                accept(fd, NULL, NULL);
                child_end();
        }
        wait_call(st, pid, SYS_accept, -1);
        accept_ready(st, pid, fd);
}

static void tcp_accept4(struct stage *st, int family)
{
        int fd = listener_make(st, family, 8);
        pid_t pid = child_start(st);

        if (pid == 0) {
                accept4(fd, NULL, NULL, SOCK_CLOEXEC);
                child_end();
        }
        wait_call(st, pid, SYS_accept4, -1);
        accept_ready(st, pid, fd);
}

/* In a fresh network namespace even the loopback device is down. */
static void loopback_up(void)
{
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
        int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

        MUST(ioctl(fd, SIOCSIFFLAGS, &request));
        close(fd);
}

static void tcp_accept_netns(struct stage *st, int family)
{
        pid_t pid = child_start(st);
        int fd, port;

        if (pid == 0) {
                union address address;
                socklen_t len = sizeof(address);

                NEED(st, unshare(CLONE_NEWNET));
                loopback_up();
                fd = listener_make(st, family, 8);
                MUST(getsockname(fd, &address.any, &len));
                shared_set(st, 1, (uint64_t)fd);
                shared_set(st, 2, fd_inode(fd));
                shared_set(st, 0, ntohs(address.in.sin_port));
                accept(fd, NULL, NULL);
                child_end();
        }
        port = (int)shared_wait(st, 0);
        fd = (int)shared_get(st, 1);
        wait_call(st, pid, SYS_accept, -1);
        stage_ready(
                st, pid, pid, "fd=%d local=127.0.0.1:%d inode=%lu", fd, port, shared_get(st, 2));
}

static void *thread_netns_main(void *arg)
{
        struct stage *st = arg;
        int fd;

        NEED(st, unshare(CLONE_NEWNET));
        loopback_up();
        fd = listener_make(st, AF_INET, 8);
        shared_set(st, 1, (uint64_t)fd);
        shared_set(st, 2, fd_inode(fd));
        accept(fd, NULL, NULL);
        child_end();
}

/* Of all threads of the process, only this one is in that namespace. */
static void tcp_accept_thread_netns(struct stage *st, int how)
{
        pid_t pid = child_start(st), tid;

        (void)how;
        if (pid == 0) {
                shared_set(st, 0, (uint64_t)thread_start(thread_netns_main, st, NULL, NULL));
                for (;;)
                        pause();
        }
        tid = (pid_t)shared_wait(st, 0);
        wait_call(st, tid, SYS_accept, -1);
        stage_ready(st, pid, tid, "fd=%d inode=%lu", (int)shared_get(st, 1), shared_get(st, 2));
}

static bool socket_connecting(int fd)
{
        struct tcp_info info = { 0 };
        socklen_t len = sizeof(info);

        MUST(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
        return info.tcpi_state == TCP_SYN_SENT;
}

/*
 * A listener drops a SYN when its queue of established connections is over its limit. The
 * fillers that connect at once are queued; the first one that does not shows it is full.
 */
static void tcp_connect(struct stage *st, int family)
{
        int listener = listener_make(st, family, 0), fd;
        union address address;
        socklen_t len = sizeof(address);
        char remote[64], local[64];
        pid_t pid;

        MUST(getsockname(listener, &address.any, &len));
        for (int n = 0; n < 16; n++) {
                fd = (int)MUST(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
                if (connect(fd, &address.any, len) < 0 && errno != EINPROGRESS)
                        stage_fail("connect: %s", strerror(errno));
                if (socket_connecting(fd))
                        break;
        }
        fd = (int)MUST(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        MUST(setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &(int){ 100 }, sizeof(int)));
        pid = child_start(st);
        if (pid == 0) {
                connect(fd, &address.any, len);
                child_end();
        }
        wait_call(st, pid, SYS_connect, -1);
        if (!socket_connecting(fd))
                stage_fail("the connection was not left waiting");
        stage_ready(st, pid, pid, "fd=%d local=%s remote=%s inode=%lu", fd, local_text(fd, local),
                address_text(&address.any, remote), fd_inode(fd));
}

static void pair_ready(struct stage *st, pid_t pid, int fd, const char *more)
{
        char local[64], remote[64];

        stage_ready(st, pid, pid, "fd=%d local=%s remote=%s inode=%lu peer=%d%s", fd,
                local_text(fd, local), remote_text(fd, remote), fd_inode(fd), st->pid, more);
}

/* An IPv4 connection to an IPv6 listener. */
static void tcp_recv_mapped(struct stage *st, int how)
{
        int listener = (int)NEED(st, socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)), client, fd;
        union address address = { .any.sa_family = AF_INET6 };
        socklen_t len = sizeof(address);
        in_port_t port;
        pid_t pid;

        (void)how;
        MUST(setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int)));
        NEED(st, bind(listener, &address.any, sizeof(address.in6)));
        MUST(listen(listener, 1));
        MUST(getsockname(listener, &address.any, &len));
        port = address.in6.sin6_port;
        len = address_loopback(AF_INET, &address);
        address.in.sin_port = port;
        client = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        MUST(connect(client, &address.any, len));
        fd = (int)MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
        pid = child_start(st);
        if (pid == 0) {
                char byte;

                close(client);
                recv(fd, &byte, 1, 0);
                child_end();
        }
        wait_call(st, pid, SYS_recvfrom, -1);
        pair_ready(st, pid, fd, "");
}

enum receive { RECV, READ, RECVMSG, READV, WAITALL, TIMED };

static void receive_actor(int fd, enum receive how)
{
        char byte[8];
        struct iovec part = { byte, sizeof(byte) };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

        switch (how) {
        case RECV:
        case TIMED:
                recv(fd, byte, sizeof(byte), 0);
                break;
        case READ:
                (void)!read(fd, byte, sizeof(byte));
                break;
        case RECVMSG:
                recvmsg(fd, &message, 0);
                break;
        case READV:
                (void)!readv(fd, &part, 1);
                break;
        case WAITALL:
                recv(fd, byte, sizeof(byte), MSG_WAITALL);
                break;
        }
        child_end();
}

static void receive_run(struct stage *st, int family, enum receive how)
{
        static const int calls[] = { SYS_recvfrom, SYS_read, SYS_recvmsg, SYS_readv, SYS_recvfrom,
                SYS_recvfrom };
        struct timeval timeout = { .tv_sec = FOREVER_S };
        int fds[2];
        pid_t pid;

        pair_make(st, family, fds);
        if (how == WAITALL)
                MUST(write(fds[0], "abc", 3));
        if (how == TIMED)
                MUST(setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
        pid = child_start(st);
        if (pid == 0) {
                close(fds[0]);
                receive_actor(fds[1], how);
        }
        wait_call(st, pid, calls[how], -1);
        pair_ready(st, pid, fds[1], how == TIMED ? " seconds=1000" : "");
}

static void tcp_recv(struct stage *st, int family)
{
        receive_run(st, family, RECV);
}

static void tcp_read(struct stage *st, int family)
{
        receive_run(st, family, READ);
}

static void tcp_recvmsg(struct stage *st, int family)
{
        receive_run(st, family, RECVMSG);
}

static void tcp_readv(struct stage *st, int family)
{
        receive_run(st, family, READV);
}

static void tcp_waitall(struct stage *st, int family)
{
        receive_run(st, family, WAITALL);
}

static void tcp_timed(struct stage *st, int family)
{
        receive_run(st, family, TIMED);
}

/*
 * What was sent is acknowledged, so that no more room can appear in the send queue, and
 * there is more to send. Without this the sender may still wake for a late acknowledgement.
 */
static bool sender_stuck(void *arg)
{
        int all = 0, unsent = 0;

        MUST(ioctl(*(int *)arg, SIOCOUTQ, &all));
        MUST(ioctl(*(int *)arg, SIOCOUTQNSD, &unsent));
        return all > 0 && all == unsent;
}

static void send_run(struct stage *st, int family, int call)
{
        static char block[65536];
        int fds[2];
        pid_t pid;

        pair_make(st, family, fds);
        do {
                wait_until(st, sender_stuck, (fd_fill(fds[0]), &fds[0]), "a full send queue");
        } while (fd_fill(fds[0]) > 0);
        pid = child_start(st);
        if (pid == 0) {
                close(fds[1]);
                if (call == SYS_write)
                        (void)!write(fds[0], block, sizeof(block));
                else
                        send(fds[0], block, sizeof(block), 0);
                child_end();
        }
        wait_call(st, pid, call, -1);
        wait_until(st, sender_stuck, &fds[0], "a stuck sender");
        wait_settled(st, pid, 20);
        pair_ready(st, pid, fds[0], "");
}

static void tcp_send(struct stage *st, int family)
{
        send_run(st, family, SYS_sendto);
}

static void tcp_write(struct stage *st, int family)
{
        send_run(st, family, SYS_write);
}

const struct scene scenes_tcp[] = {
        { "tcp-accept", tcp_accept, AF_INET, "accept(2) on an IPv4 listener" },
        { "tcp-accept4", tcp_accept4, AF_INET, "accept4(2) on an IPv4 listener" },
        { "tcp6-accept", tcp_accept, AF_INET6, "accept(2) on an IPv6 listener" },
        { "tcp6-accept4", tcp_accept4, AF_INET6, "accept4(2) on an IPv6 listener" },
        { "tcp-accept-netns", tcp_accept_netns, AF_INET, "accept(2) in another network namespace" },
        { "tcp-accept-thread-netns", tcp_accept_thread_netns, 0, "the same, one thread alone" },
        { "tcp-connect", tcp_connect, AF_INET, "connect(2) to a listener whose queue is full" },
        { "tcp6-connect", tcp_connect, AF_INET6, "the same over IPv6" },
        { "tcp-recv", tcp_recv, AF_INET, "recv(2) from a silent peer" },
        { "tcp-read", tcp_read, AF_INET, "read(2) from a silent peer" },
        { "tcp-recvmsg", tcp_recvmsg, AF_INET, "recvmsg(2) from a silent peer" },
        { "tcp-readv", tcp_readv, AF_INET, "readv(2) from a silent peer" },
        { "tcp6-recv", tcp_recv, AF_INET6, "recv(2) from a silent peer over IPv6" },
        { "tcp6-recv-mapped", tcp_recv_mapped, 0, "recv(2), IPv4 client of an IPv6 listener" },
        { "tcp-recv-waitall", tcp_waitall, AF_INET, "recv(MSG_WAITALL) with a part arrived" },
        { "tcp-recv-timeout", tcp_timed, AF_INET, "recv(2) with SO_RCVTIMEO" },
        { "tcp-send", tcp_send, AF_INET, "send(2) to a peer that does not read" },
        { "tcp-write", tcp_write, AF_INET, "write(2) to a peer that does not read" },
        { "tcp6-send", tcp_send, AF_INET6, "send(2) to a peer that does not read, over IPv6" },
        { NULL, NULL, 0, NULL },
};
