/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A single-threaded TCP server that blocks in accept(2): it accepts a connection, closes it
 * at once, and waits for the next one. Nearly all its life it does not move, and that is
 * what pwhy is asked about:
 *
 *      $ build/examples/accept.out &
 *      $ build/pwhy accept.out
 *
 * It listens on TCP port 1337, or the port given as the argument, of every IPv4 address of
 * this host. Each example is one file without anything of ours around it, so that it can be
 * read, copied and compiled alone: cc -g accept_server.c -o accept.out
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
        fprintf(stderr, "accept.out: cannot listen on port %u: %s%s\n", port, strerror(error),
                advice);
        exit(EXIT_FAILURE);
}

/*
 * A passive socket, bound to the port on every IPv4 address: the kernel completes the
 * handshakes of clients that connect to it, and accept(2) hands out the connections.
 */
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
                fprintf(stderr, "accept.out: cannot make a TCP socket: %s\n", strerror(errno));
                exit(EXIT_FAILURE);
        }

        /* Closed connections linger in TIME_WAIT, and a server that is started again would
         * have to wait for them. A port with a live listener is refused all the same. */
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
                fprintf(stderr, "accept.out: cannot set SO_REUSEADDR: %s; going on without\n",
                        strerror(errno));

        if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                bind_failed(port, errno);
        /* Two sockets may be bound with SO_REUSEADDR, and the second is refused only here. */
        if (listen(fd, BACKLOG) < 0)
                bind_failed(port, errno);
        return fd;
}

/* Wait until a client connects, and hang up on it. Says what it does. */
static void server_accept_and_close(int listener)
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
                fprintf(stderr, "accept.out: cannot accept a connection: %s\n", strerror(errno));
                exit(EXIT_FAILURE);
        }
        if (!inet_ntop(AF_INET, &client.sin_addr, name, sizeof(name)))
                strcpy(name, "?");
        printf("accepted %s:%u, closing it\n", name, ntohs(client.sin_port));
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
                fprintf(stderr, "accept.out: '%s' is not a port: give a number from 1 to 65535\n",
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
                fprintf(stderr, "usage: accept.out [PORT]\n");
                return 2;
        }
        port = argc == 2 ? port_parse(argv[1]) : DEFAULT_PORT;

        /* What is printed is wanted now, in a pipe or a log as well as on a terminal. */
        setvbuf(stdout, NULL, _IOLBF, 0);

        listener = server_listen(port);
        printf("listening on 0.0.0.0:%u, process %d\n", port, (int)getpid());
        for (;;)
                server_accept_and_close(listener);
}
