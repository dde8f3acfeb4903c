/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A single-threaded TCP server that blocks in read(2): it accepts a connection, waits for the
 * client to send something, prints what came and closes the connection. While one client
 * says nothing, every other one waits too: the classic hang of a server that serves one
 * client at a time. pwhy tells both phases apart:
 *
 *      $ build/examples/read.out &
 *      $ build/pwhy read.out           # waits in accept for a client
 *      $ nc 127.0.0.1 1337 &
 *      $ build/pwhy read.out           # waits in read for that client
 *
 * It listens on TCP port 1337, or the port given as the argument, of every IPv4 address of
 * this host. Each example is one file without anything of ours around it, so that it can be
 * read, copied and compiled alone: cc -g read_server.c -o read.out
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_PORT 1337

/* Connections that the kernel completes and keeps for us before we accept them. */
#define BACKLOG 16

static void __attribute__((noreturn)) bind_failed(uint16_t port, int error)
{
        const char *advice = "";

        if (error == EADDRINUSE)
                advice = "; another program listens there: stop it ('ss -ltnp' names it) or "
                         "give another port as the argument";
        else if (error == EACCES)
                advice = "; ports below 1024 are reserved: give a higher one as the argument, "
                         "or run as root";
        fprintf(stderr, "read.out: cannot listen on port %u: %s%s\n", port, strerror(error),
                advice);
        exit(EXIT_FAILURE);
}

/* A passive socket, bound to the port on every IPv4 address. */
static int server_listen(uint16_t port)
{
        const struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_port = htons(port),
                .sin_addr.s_addr = htonl(INADDR_ANY),
        };
        const int on = 1;
        int fd;

        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) {
                fprintf(stderr, "read.out: cannot make a TCP socket: %s\n", strerror(errno));
                exit(EXIT_FAILURE);
        }

        /* Closed connections linger in TIME_WAIT, and a server that is started again would
         * have to wait for them. A port with a live listener is refused all the same. */
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
                fprintf(stderr, "read.out: cannot set SO_REUSEADDR: %s; going on without\n",
                        strerror(errno));

        if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                bind_failed(port, errno);
        /* Two sockets may be bound with SO_REUSEADDR, and the second is refused only here. */
        if (listen(fd, BACKLOG) < 0)
                bind_failed(port, errno);
        return fd;
}

/* Print bytes that a stranger sent: what could act on the terminal becomes \xNN. */
static void print_received(const char *bytes, size_t length)
{
        for (size_t i = 0; i < length; i++) {
                unsigned char c = (unsigned char)bytes[i];

                if (c >= 0x20 && c < 0x7f && c != '\\')
                        putchar(c);
                else
                        printf("\\x%02x", c);
        }
        putchar('\n');
}

/* Wait for what the client sends, and print it. */
static void client_read(int fd)
{
        char buffer[1024];
        ssize_t n;

        do
                n = read(fd, buffer, sizeof(buffer));
        while (n < 0 && errno == EINTR);

        if (n < 0) {
                /* This client's trouble (a reset, a time-out), not the server's. */
                fprintf(stderr, "read.out: cannot read from the client: %s\n", strerror(errno));
        } else if (n == 0) {
                printf("the client closed the connection without a word\n");
        } else {
                printf("received %zd bytes: ", n);
                print_received(buffer, (size_t)n);
        }
}

/* Serve one client, from accept(2) to close(2). Says what it does. */
static void server_accept_and_read(int listener)
{
        struct sockaddr_in client = { .sin_family = AF_INET };
        socklen_t length = sizeof(client);
        char name[INET_ADDRSTRLEN];
        int fd;

        printf("waiting for a client in accept()\n");
        fd = accept(listener, (struct sockaddr *)&client, &length);
        if (fd < 0) {
                /* A signal came, or the client gave up while it was queued: there will be
                 * others. Anything else (no fds or memory left) would come back at once. */
                if (errno == EINTR || errno == ECONNABORTED)
                        return;
                fprintf(stderr, "read.out: cannot accept a connection: %s\n", strerror(errno));
                exit(EXIT_FAILURE);
        }
        if (!inet_ntop(AF_INET, &client.sin_addr, name, sizeof(name)))
                strcpy(name, "?");
        printf("accepted %s:%u, waiting for its data in read()\n", name, ntohs(client.sin_port));
        client_read(fd);
        close(fd);
}

/* The port to listen on: 1 to 65535, in decimal and nothing else. */
static uint16_t port_parse(const char *text)
{
        char *end;
        long port;

        errno = 0;
        port = strtol(text, &end, 10);
        if (errno || end == text || *end || port < 1 || port > UINT16_MAX) {
                fprintf(stderr, "read.out: '%s' is not a port: give a number from 1 to 65535\n",
                        text);
                exit(2);
        }
        return (uint16_t)port;
}

int main(int argc, char **argv)
{
        uint16_t port;
        int listener;

        if (argc > 2) {
                fprintf(stderr, "usage: read.out [PORT]\n");
                return 2;
        }
        port = argc == 2 ? port_parse(argv[1]) : DEFAULT_PORT;

        /* What is printed is wanted now, in a pipe or a log as well as on a terminal. */
        setvbuf(stdout, NULL, _IOLBF, 0);

        listener = server_listen(port);
        printf("listening on 0.0.0.0:%u, process %d\n", port, (int)getpid());
        for (;;)
                server_accept_and_read(listener);
}
