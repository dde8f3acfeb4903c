/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits whose other end is not easily found: in other namespaces, not accepted yet, one's own. */
#include "scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct sockaddr_in address_make(const char *host, unsigned port)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

        inet_pton(AF_INET, host, &a.sin_addr);
        return a;
}

static int listener_make(const char *host, struct sockaddr_in *ret_address)
{
        struct sockaddr_in a = address_make(host, 0);
        socklen_t len = sizeof(a);
        int fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

        MUST(bind(fd, (struct sockaddr *)&a, len));
        MUST(listen(fd, 8));
        MUST(getsockname(fd, (struct sockaddr *)&a, &len));
        *ret_address = a;
        return fd;
}

struct request {
        struct nlmsghdr header;
        struct ifinfomsg link;
        char attributes[256];
};

static struct rtattr *attribute_add(
        struct request *r, unsigned short type, const void *data, size_t len)
{
        struct rtattr *a = (void *)((char *)r + NLMSG_ALIGN(r->header.nlmsg_len));

        a->rta_type = type;
        a->rta_len = (unsigned short)RTA_LENGTH(len);
        memcpy(RTA_DATA(a), data, len);
        r->header.nlmsg_len = NLMSG_ALIGN(r->header.nlmsg_len) + (unsigned)RTA_ALIGN(a->rta_len);
        return a;
}

/* What was added since belongs to it. */
static void attribute_end(struct request *r, struct rtattr *a)
{
        a->rta_len = (unsigned short)((char *)r + r->header.nlmsg_len - (char *)a);
}

/* As "ip link add v0 type veth peer name v0 netns PID" does, so that nobody needs ip. */
static void cable_make(struct stage *st, pid_t peer)
{
        struct request r = { .header = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.link)),
                                     .nlmsg_type = RTM_NEWLINK,
                                     .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK } };
        struct {
                struct nlmsghdr header;
                struct nlmsgerr error;
                char request[sizeof(r)];
        } answer = { 0 };
        struct rtattr *info, *data, *end;
        int fd = (int)NEED(st, socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));

        attribute_add(&r, IFLA_IFNAME, "v0", sizeof("v0"));
        info = attribute_add(&r, IFLA_LINKINFO, "", 0);
        attribute_add(&r, IFLA_INFO_KIND, "veth", sizeof("veth"));
        data = attribute_add(&r, IFLA_INFO_DATA, "", 0);
        end = attribute_add(&r, VETH_INFO_PEER, &r.link, sizeof(r.link));
        attribute_add(&r, IFLA_IFNAME, "v0", sizeof("v0"));
        attribute_add(&r, IFLA_NET_NS_PID, &peer, sizeof(peer));
        attribute_end(&r, end);
        attribute_end(&r, data);
        attribute_end(&r, info);
        MUST(send(fd, &r, r.header.nlmsg_len, 0));
        MUST(recv(fd, &answer, sizeof(answer), 0));
        close(fd);
        if (answer.error.error != 0)
                stage_skip(st, "a veth cable: %s", strerror(-answer.error.error));
}

/* Of this end of the cable, which is up then. */
static void address_set(const char *host)
{
        struct ifreq request = { .ifr_name = "v0" };
        struct sockaddr_in a = address_make(host, 0);
        int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

        memcpy(&request.ifr_addr, &a, sizeof(a));
        MUST(ioctl(fd, SIOCSIFADDR, &request));
        request.ifr_flags = IFF_UP | IFF_RUNNING;
        MUST(ioctl(fd, SIOCSIFFLAGS, &request));
        close(fd);
}

#define SERVER_HOST "10.99.0.1"
#define CLIENT_HOST "10.99.0.2"
#define REMOTE_HOST "10.99.0.3"

/* The ends of a cable between two network namespaces, as containers have. */
static void server_plug(struct stage *st)
{
        NEED(st, unshare(CLONE_NEWNET));
        cable_make(st, (pid_t)shared_wait(st, 0));
        address_set(SERVER_HOST);
}

/* Returns what the server tells when it is ready. */
static uint64_t client_plug(struct stage *st)
{
        uint64_t told;

        NEED(st, unshare(CLONE_NEWNET));
        shared_set(st, 0, (uint64_t)getpid());
        told = shared_wait(st, 1);
        address_set(CLIENT_HOST);
        return told;
}

/* Each has connected its socket to the other's. */
static void udp_between(struct stage *st, int how)
{
        struct sockaddr_in a = address_make(SERVER_HOST, 4711);
        struct sockaddr_in b = address_make(CLIENT_HOST, 4712);
        pid_t server, client;

        (void)how;
        server = child_start(st);
        if (server == 0) {
                int fd;

                server_plug(st);
                fd = (int)MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
                MUST(bind(fd, (struct sockaddr *)&a, sizeof(a)));
                MUST(connect(fd, (struct sockaddr *)&b, sizeof(b)));
                shared_set(st, 1, 1);
                for (;;)
                        pause();
        }
        client = child_start(st);
        if (client == 0) {
                char byte;
                int fd;

                (void)client_plug(st);
                fd = (int)MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
                MUST(bind(fd, (struct sockaddr *)&b, sizeof(b)));
                MUST(connect(fd, (struct sockaddr *)&a, sizeof(a)));
                (void)!recv(fd, &byte, 1, 0);
                child_end();
        }
        wait_call(st, client, SYS_recvfrom, -1);
        stage_ready(st, client, client, "fd=3 peer=%d", server);
}

static void tcp_between(struct stage *st, int how)
{
        struct sockaddr_in a;
        pid_t server, client;

        (void)how;
        server = child_start(st);
        if (server == 0) {
                int fd;

                server_plug(st);
                fd = listener_make(SERVER_HOST, &a);
                shared_set(st, 1, ntohs(a.sin_port));
                MUST(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
                for (;;)
                        pause();
        }
        client = child_start(st);
        if (client == 0) {
                char byte;
                int fd;

                a = address_make(SERVER_HOST, (unsigned)client_plug(st));
                fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
                MUST(connect(fd, (struct sockaddr *)&a, sizeof(a)));
                (void)!recv(fd, &byte, 1, 0);
                child_end();
        }
        wait_call(st, client, SYS_recvfrom, -1);
        stage_ready(st, client, client, "fd=3 peer=%d", server);
}

/* A host at the other end that is no part of this one: of the connection there is this end only. */
static void tcp_remote(struct stage *st, int how)
{
        struct sockaddr_in a = address_make(REMOTE_HOST, 4711), b = address_make(CLIENT_HOST, 4712);
        pid_t server, client;

        (void)how;
        server = child_start(st);
        if (server == 0) {
                server_plug(st);
                shared_set(st, 1, 1);
                for (;;)
                        pause();
        }
        client = child_start(st);
        if (client == 0) {
                char byte;
                int fd;

                (void)client_plug(st);
                fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
                NEED(st, setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &(int){ TCP_REPAIR_ON },
                                 sizeof(int)));
                MUST(bind(fd, (struct sockaddr *)&b, sizeof(b)));
                MUST(connect(fd, (struct sockaddr *)&a, sizeof(a)));
                MUST(setsockopt(
                        fd, IPPROTO_TCP, TCP_REPAIR, &(int){ TCP_REPAIR_OFF_NO_WP }, sizeof(int)));
                (void)!recv(fd, &byte, 1, 0);
                child_end();
        }
        wait_call(st, client, SYS_recvfrom, -1);
        stage_ready(
                st, client, client, "fd=3 local=%s:4712 remote=%s:4711", CLIENT_HOST, REMOTE_HOST);
}

/* The server has not accepted it: whoever has the listener can. */
static void tcp_backlog(struct stage *st, int how)
{
        struct sockaddr_in a;
        int fd;
        pid_t pid;

        (void)how;
        listener_make("127.0.0.1", &a);
        fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        MUST(connect(fd, (struct sockaddr *)&a, sizeof(a)));
        pid = child_start(st);
        if (pid == 0) {
                char byte;

                for (int other = 3; other < fd; other++)
                        close(other);
                (void)!recv(fd, &byte, 1, 0);
                child_end();
        }
        close(fd);
        wait_call(st, pid, SYS_recvfrom, -1);
        stage_ready(st, pid, pid, "fd=%d peer=%d", fd, st->pid);
}

static void udp_connected(struct stage *st, int how)
{
        struct sockaddr_in a = address_make("127.0.0.1", 0), b = a;
        socklen_t len = sizeof(a);
        int fd = (int)MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        int other = (int)MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        pid_t pid;

        MUST(bind(fd, (struct sockaddr *)&a, sizeof(a)));
        MUST(bind(other, (struct sockaddr *)&b, sizeof(b)));
        MUST(getsockname(fd, (struct sockaddr *)&a, &len));
        MUST(getsockname(other, (struct sockaddr *)&b, &len));
        MUST(connect(fd, (struct sockaddr *)&b, sizeof(b)));
        if (how)
                MUST(connect(other, (struct sockaddr *)&a, sizeof(a)));
        pid = child_start(st);
        if (pid == 0) {
                char byte;

                close(other);
                (void)!recv(fd, &byte, 1, 0);
                child_end();
        }
        close(fd);
        wait_call(st, pid, SYS_recvfrom, -1);
        stage_ready(st, pid, pid, "fd=%d peer=%d", fd, st->pid);
}

static void signal_handle(int number)
{
        (void)number;
}

/* The reader forgot to close its own copy of the writing end: it will never see the end. */
static void pipe_self(struct stage *st, int catches)
{
        pid_t pid = child_start(st);

        if (pid == 0) {
                int fds[2];
                char byte;

                MUST(pipe2(fds, O_CLOEXEC));
                /* Whoever handles signals may write to it from there. */
                if (catches)
                        signal(SIGUSR1, signal_handle);
                shared_set(st, 0, (uint64_t)fds[0]);
                (void)!read(fds[0], &byte, 1);
                child_end();
        }
        wait_call(st, pid, SYS_read, -1);
        stage_ready(st, pid, pid, "fd=%d", (int)shared_get(st, 0));
}

static void eventfd_other(struct stage *st, int how)
{
        int fd = (int)MUST(eventfd(0, EFD_CLOEXEC));
        pid_t pid = child_start(st);

        (void)how;
        if (pid == 0) {
                uint64_t count;

                (void)!read(fd, &count, sizeof(count));
                child_end();
        }
        wait_call(st, pid, SYS_read, -1);
        stage_ready(st, pid, pid, "fd=%d peer=%d", fd, st->pid);
}

/*
 * A terminal of another devpts, as a container has; another one here has the same number. Neither
 * must be taken for the other.
 */
static void tty_container(struct stage *st, int how)
{
        pid_t decoy, pid;
        int master, index, unlock = 0;
        const char *dir = stage_path(st, "pts");
        char path[4200];

        (void)how;
        /* The first of the other devpts will be 0; so is one of the host's, if only this. */
        decoy = child_start(st);
        if (decoy == 0) {
                NEED(st, posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
                shared_set(st, 0, 1);
                for (;;)
                        pause();
        }
        shared_wait(st, 0);
        MUST(mkdir(dir, 0700));
        NEED(st, unshare(CLONE_NEWNS));
        NEED(st, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        NEED(st, mount("devpts", dir, "devpts", 0, "newinstance,ptmxmode=0666,mode=0620"));
        MUST(mount(dir, "/dev/pts", NULL, MS_BIND, NULL));
        snprintf(path, sizeof(path), "/dev/pts/ptmx");
        master = (int)MUST(open(path, O_RDWR | O_NOCTTY | O_CLOEXEC));
        MUST(ioctl(master, TIOCSPTLCK, &unlock));
        MUST(ioctl(master, TIOCGPTN, &index));
        snprintf(path, sizeof(path), "/dev/pts/%d", index);
        pid = child_start(st);
        if (pid == 0) {
                int slave = (int)MUST(open(path, O_RDWR | O_NOCTTY | O_CLOEXEC));
                char line[80];

                close(master);
                (void)!read(slave, line, sizeof(line));
                child_end();
        }
        wait_call(st, pid, SYS_read, -1);
        stage_ready(st, pid, pid, "path=%s peer=%d", path, st->pid);
}

const struct scene scenes_peer[] = {
        { "tcp-between-netns", tcp_between, 0, "recv(2), the peer is in another network" },
        { "tcp-remote", tcp_remote, 0, "recv(2), the peer is on another host" },
        { "udp-between-netns", udp_between, 0, "recv(2) of UDP, the peer is in another network" },
        { "tcp-backlog", tcp_backlog, 0, "recv(2), the server has not accepted it" },
        { "udp-connected", udp_connected, 1, "recv(2), two sockets connected to each other" },
        { "udp-bound", udp_connected, 0, "recv(2), the peer is bound and not connected" },
        { "pipe-self", pipe_self, 0, "read(2) from a pipe that only the reader writes to" },
        { "pipe-self-signal", pipe_self, 1, "the same, in a program that handles signals" },
        { "eventfd-other", eventfd_other, 0, "read(2) of an eventfd of another process" },
        { "tty-container", tty_container, 0, "read(2) from a terminal of another devpts" },
        { NULL, NULL, 0, NULL },
};
