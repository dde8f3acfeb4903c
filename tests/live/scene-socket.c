/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that wait to receive on sockets other than TCP and UNIX ones, and shared sockets. */
#include "scene.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/vm_sockets.h> /* wants sys/socket.h before it */

static pid_t receiver_start(struct stage *st, int fd)
{
        pid_t pid = child_start(st);

        if (pid == 0) {
                char buffer[64];

                recvfrom(fd, buffer, sizeof(buffer), 0, NULL, NULL);
                child_end();
        }
        wait_call(st, pid, SYS_recvfrom, -1);
        return pid;
}

static void udp_recv(struct stage *st, int family)
{
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
        struct sockaddr_in in = { .sin_family = AF_INET,
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = (int)NEED(st, socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        char local[64];
        pid_t pid;

        if (family == AF_INET6)
                NEED(st, bind(fd, (struct sockaddr *)&in6, sizeof(in6)));
        else
                NEED(st, bind(fd, (struct sockaddr *)&in, sizeof(in)));
        pid = receiver_start(st, fd);
        stage_ready(
                st, pid, pid, "fd=%d local=%s inode=%lu", fd, local_text(fd, local), fd_inode(fd));
}

static void udp_recvmmsg(struct stage *st, int family)
{
        struct sockaddr_in in = { .sin_family = (sa_family_t)family,
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = (int)NEED(st, socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        char local[64];
        pid_t pid;

        MUST(bind(fd, (struct sockaddr *)&in, sizeof(in)));
        pid = child_start(st);
        if (pid == 0) {
                struct mmsghdr messages[2] = { 0 };

                recvmmsg(fd, messages, 2, 0, NULL);
                child_end();
        }
        wait_call(st, pid, SYS_recvmmsg, -1);
        stage_ready(
                st, pid, pid, "fd=%d local=%s inode=%lu", fd, local_text(fd, local), fd_inode(fd));
}

static void netlink_recv(struct stage *st, int protocol)
{
        int fd = (int)NEED(st, socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
        struct sockaddr_nl address = { .nl_family = AF_NETLINK };
        pid_t pid;

        MUST(bind(fd, (struct sockaddr *)&address, sizeof(address)));
        pid = receiver_start(st, fd);
        stage_ready(st, pid, pid, "fd=%d inode=%lu", fd, fd_inode(fd));
}

/* Protocol 0 receives nothing, so that the machine's traffic cannot wake it. */
static void packet_recv(struct stage *st, int type)
{
        int fd = (int)NEED(st, socket(AF_PACKET, type | SOCK_CLOEXEC, 0));
        pid_t pid = receiver_start(st, fd);

        stage_ready(st, pid, pid, "fd=%d inode=%lu", fd, fd_inode(fd));
}

static void raw_recv(struct stage *st, int protocol)
{
        int fd = (int)NEED(st, socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, protocol));
        pid_t pid = receiver_start(st, fd);

        stage_ready(st, pid, pid, "fd=%d inode=%lu", fd, fd_inode(fd));
}

/* Two processes hold the listener, as those of a preforking server do. */
static void socket_inherited(struct stage *st, int how)
{
        int fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        pid_t pids[2];
        char local[64];

        (void)how;
        MUST(listen(fd, 8));
        for (int i = 0; i < 2; i++) {
                pids[i] = child_start(st);
                if (pids[i] == 0) {
                        accept(fd, NULL, NULL);
                        child_end();
                }
        }
        for (int i = 0; i < 2; i++)
                wait_call(st, pids[i], SYS_accept, -1);
        stage_ready(st, pids[0], pids[0], "fd=%d local=%s inode=%lu other=%d", fd,
                local_text(fd, local), fd_inode(fd), pids[1]);
}

/* 253: set aside for experiments (RFC 3692); nothing sends it. */
static void vsock_accept(struct stage *st, int how)
{
        int fd = (int)NEED(st, socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
        struct sockaddr_vm address = {
                .svm_family = AF_VSOCK,
                .svm_cid = VMADDR_CID_ANY,
                .svm_port = VMADDR_PORT_ANY,
        };
        pid_t pid;

        (void)how;
        MUST(bind(fd, (struct sockaddr *)&address, sizeof(address)));
        NEED(st, listen(fd, 1));
        pid = child_start(st);
        if (pid == 0) {
                accept(fd, NULL, NULL);
                child_end();
        }
        wait_call(st, pid, SYS_accept, -1);
        stage_ready(st, pid, pid, "fd=%d inode=%lu", fd, fd_inode(fd));
}

const struct scene scenes_socket[] = {
        { "udp-recvfrom", udp_recv, AF_INET, "recvfrom(2) on an IPv4 UDP socket" },
        { "udp6-recvfrom", udp_recv, AF_INET6, "recvfrom(2) on an IPv6 UDP socket" },
        { "udp-recvmmsg", udp_recvmmsg, AF_INET, "recvmmsg(2) on an IPv4 UDP socket" },
        { "raw-recv", raw_recv, 253, "recvfrom(2) on a raw IPv4 socket" },
        { "netlink-recv", netlink_recv, NETLINK_ROUTE, "recvfrom(2) on a netlink socket" },
        { "packet-recv", packet_recv, SOCK_DGRAM, "recvfrom(2) on a packet socket" },
        { "vsock-accept", vsock_accept, 0, "accept(2) on a vsock socket" },
        { "socket-inherited", socket_inherited, 0, "two children accept on one listener" },
        { NULL, NULL, 0, NULL },
};
