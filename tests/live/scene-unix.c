/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that wait in the calls on UNIX sockets. */
#include "scene.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un address_make(struct stage *st, const char *name)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const char *path = stage_path(st, name);

        if (strlen(path) >= sizeof(address.sun_path))
                stage_skip(st, "the temporary directory's name is too long for a socket");
        strcpy(address.sun_path, path);
        return address;
}

static int socket_bound(const struct sockaddr_un *address, int type)
{
        int fd = (int)MUST(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));

        MUST(bind(fd, (const struct sockaddr *)address, sizeof(*address)));
        return fd;
}

static int socket_connected(const struct sockaddr_un *address, int type)
{
        int fd = (int)MUST(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));

        MUST(connect(fd, (const struct sockaddr *)address, sizeof(*address)));
        return fd;
}

static pid_t accept_start(struct stage *st, int fd)
{
        pid_t pid = child_start(st);

        if (pid == 0) {
                accept(fd, NULL, NULL);
                child_end();
        }
        wait_call(st, pid, SYS_accept, -1);
        return pid;
}

static void unix_accept(struct stage *st, int type)
{
        struct sockaddr_un address = address_make(st, "listener");
        int fd = socket_bound(&address, type);
        pid_t pid;

        MUST(listen(fd, 8));
        pid = accept_start(st, fd);
        stage_ready(st, pid, pid, "fd=%d local=%s inode=%lu", fd, address.sun_path, fd_inode(fd));
}

static void unix_accept_abstract(struct stage *st, int type)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = (int)MUST(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
        socklen_t len;
        pid_t pid;

        /* An abstract name begins with a NUL and has no other end than the address's. */
        len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                          (size_t)sprintf(address.sun_path + 1, "pwhy-scene-%d", st->pid));
        MUST(bind(fd, (struct sockaddr *)&address, len));
        MUST(listen(fd, 8));
        pid = accept_start(st, fd);
        stage_ready(
                st, pid, pid, "fd=%d local=@pwhy-scene-%d inode=%lu", fd, st->pid, fd_inode(fd));
}

/*
 * A name that, where the kernel lists sockets one a line, brings a line of its own: that
 * this socket is a connected one called forged.
 */
static void unix_accept_forged(struct stage *st, int type)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = (int)MUST(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
        pid_t pid;

        /* Relative, to have room for it. */
        MUST(chdir(st->dir));
        snprintf(address.sun_path, sizeof(address.sun_path),
                "x\n0000000000000000: 00000002 00000000 00000000 0001 03 %lu forged", fd_inode(fd));
        MUST(bind(fd, (struct sockaddr *)&address, sizeof(address)));
        MUST(listen(fd, 8));
        pid = accept_start(st, fd);
        stage_ready(st, pid, pid, "fd=%d inode=%lu forged=forged", fd, fd_inode(fd));
}

/* The server's end of a connection: it has the listener's name, its peer has none. */
static void unix_recv(struct stage *st, int type)
{
        struct sockaddr_un address = address_make(st, "listener");
        int listener = socket_bound(&address, type), client, fd;
        pid_t pid;

        MUST(listen(listener, 8));
        client = socket_connected(&address, type);
        fd = (int)MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
        pid = child_start(st);
        if (pid == 0) {
                char byte;

                close(client);
                recv(fd, &byte, 1, 0);
                child_end();
        }
        close(fd);
        wait_call(st, pid, SYS_recvfrom, -1);
        stage_ready(st, pid, pid, "fd=%d local=%s peer=%d", fd, address.sun_path, st->pid);
}

static void unix_send_full(struct stage *st, int type)
{
        struct sockaddr_un address = address_make(st, "listener");
        int listener = socket_bound(&address, type), fd;
        pid_t pid;

        MUST(listen(listener, 8));
        fd = socket_connected(&address, type);
        MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
        fd_fill(fd);
        pid = child_start(st);
        if (pid == 0) {
                send(fd, "x", 1, 0);
                child_end();
        }
        wait_call(st, pid, SYS_sendto, -1);
        stage_ready(st, pid, pid, "fd=%d remote=%s inode=%lu peer=%d", fd, address.sun_path,
                fd_inode(fd), st->pid);
}

static void unix_connect_full(struct stage *st, int type)
{
        struct sockaddr_un address = address_make(st, "listener");
        int listener = socket_bound(&address, type), fd;
        pid_t pid;

        MUST(listen(listener, 0));
        do
                fd = (int)MUST(socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        while (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
        if (errno != EAGAIN)
                stage_fail("connect: %s", strerror(errno));
        fd = (int)MUST(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
        pid = child_start(st);
        if (pid == 0) {
                close(listener);
                connect(fd, (struct sockaddr *)&address, sizeof(address));
                child_end();
        }
        wait_call(st, pid, SYS_connect, -1);
        stage_ready(st, pid, pid, "fd=%d remote=%s inode=%lu peer=%d", fd, address.sun_path,
                fd_inode(fd), st->pid);
}

static void unix_dgram_recv(struct stage *st, int type)
{
        struct sockaddr_un address = address_make(st, "receiver");
        int fd = socket_bound(&address, type);
        pid_t pid = child_start(st);

        if (pid == 0) {
                char byte;

                recv(fd, &byte, 1, 0);
                child_end();
        }
        wait_call(st, pid, SYS_recvfrom, -1);
        stage_ready(st, pid, pid, "fd=%d local=%s inode=%lu", fd, address.sun_path, fd_inode(fd));
}

/* Not a socketpair: only between strangers does the receiver's queue stop the sender. */
static void unix_dgram_send_full(struct stage *st, int type)
{
        struct sockaddr_un address = address_make(st, "receiver");
        int receiver = socket_bound(&address, type), fd = socket_connected(&address, type);
        pid_t pid;

        while (send(fd, "x", 1, MSG_DONTWAIT) == 1)
                ;
        if (errno != EAGAIN)
                stage_fail("send: %s", strerror(errno));
        pid = child_start(st);
        if (pid == 0) {
                close(receiver);
                send(fd, "x", 1, 0);
                child_end();
        }
        wait_call(st, pid, SYS_sendto, -1);
        stage_ready(st, pid, pid, "fd=%d remote=%s inode=%lu peer=%d", fd, address.sun_path,
                fd_inode(fd), st->pid);
}

/* The same without being connected: the call names the receiver. */
static void unix_dgram_sendto_full(struct stage *st, int type)
{
        struct sockaddr_un address = address_make(st, "receiver");
        int receiver = socket_bound(&address, type);
        int fd = (int)MUST(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
        const struct sockaddr *to = (const struct sockaddr *)&address;
        pid_t pid;

        while (sendto(fd, "x", 1, MSG_DONTWAIT, to, sizeof(address)) == 1)
                ;
        if (errno != EAGAIN)
                stage_fail("sendto: %s", strerror(errno));
        pid = child_start(st);
        if (pid == 0) {
                close(receiver);
                sendto(fd, "x", 1, 0, to, sizeof(address));
                child_end();
        }
        wait_call(st, pid, SYS_sendto, -1);
        stage_ready(st, pid, pid, "fd=%d remote=%s inode=%lu peer=%d", fd, address.sun_path,
                fd_inode(fd), st->pid);
}

static void unix_pair_read(struct stage *st, int type)
{
        int fds[2];
        pid_t pid;

        MUST(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds));
        pid = child_start(st);
        if (pid == 0) {
                char byte;

                close(fds[1]);
                (void)!read(fds[0], &byte, 1);
                child_end();
        }
        wait_call(st, pid, SYS_read, -1);
        stage_ready(st, pid, pid, "fd=%d inode=%lu peer=%d peer-inode=%lu", fds[0],
                fd_inode(fds[0]), st->pid, fd_inode(fds[1]));
}

const struct scene scenes_unix[] = {
        { "unix-accept", unix_accept, SOCK_STREAM, "accept(2) on a UNIX listener" },
        { "unix-accept-abstract", unix_accept_abstract, SOCK_STREAM, "the same, abstract name" },
        { "unix-accept-forged", unix_accept_forged, SOCK_STREAM, "the same, hostile name" },
        { "unix-seqpacket-accept", unix_accept, SOCK_SEQPACKET, "accept(2), SOCK_SEQPACKET" },
        { "unix-recv", unix_recv, SOCK_STREAM, "recv(2) from a silent client" },
        { "unix-seqpacket-recv", unix_recv, SOCK_SEQPACKET, "the same, SOCK_SEQPACKET" },
        { "unix-send-full", unix_send_full, SOCK_STREAM, "send(2) to a peer that does not read" },
        { "unix-connect-full", unix_connect_full, SOCK_STREAM, "connect(2), the queue is full" },
        { "unix-dgram-recv", unix_dgram_recv, SOCK_DGRAM, "recv(2), SOCK_DGRAM" },
        { "unix-dgram-send-full", unix_dgram_send_full, SOCK_DGRAM, "send(2), the queue is full" },
        { "unix-dgram-sendto-full", unix_dgram_sendto_full, SOCK_DGRAM, "sendto(2), the same" },
        { "unix-socketpair-read", unix_pair_read, SOCK_STREAM, "read(2) from a socketpair" },
        { NULL, NULL, 0, NULL },
};
