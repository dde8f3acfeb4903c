/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/elfline.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/worker.h"
#include "symbol/elfhelper.h"

#define SLICE_MS 50 /* between two beats */

int elfline_open(struct elfline *l)
{
        const struct timeval slice = { .tv_usec = SLICE_MS * 1000 };
        int r = elfhelper_start(&l->socket, &l->pid);

        if (r < 0) {
                l->socket = -1;
                return r;
        }
        setsockopt(l->socket, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof(slice));
        return 0;
}

void elfline_close(struct elfline *l)
{
        close(l->socket);
        l->socket = -1;
        l->n = 0;
}

/* So that the worker does not count as hanging. */
static void line_beat(struct elfline *l)
{
        watch_enter(l->watch, 0, HANG_NONE);
        watch_leave(l->watch);
}

/* Until the socket has something, or takes something. -ETIMEDOUT. */
static int line_wait(struct elfline *l, short events, const struct deadline *until)
{
        for (;;) {
                struct pollfd p = { .fd = l->socket, .events = events };
                int64_t now_ns = clock_ns(CLOCK_MONOTONIC), left_ns = until->idle_ns - now_ns;
                int r;

                if (left_ns <= 0 && worker_wants_cpu(l->pid))
                        left_ns = until->busy_ns - now_ns;
                if (left_ns <= 0)
                        return -ETIMEDOUT;
                r = poll(&p, 1,
                        left_ns > SLICE_MS * NS_PER_MS ? SLICE_MS : (int)(left_ns / NS_PER_MS) + 1);
                if (r < 0 && errno != EINTR)
                        return -errno;
                if (r > 0)
                        return 0;
                line_beat(l);
        }
}

/*
 * What has come, at least one byte and at most n. Waits in recv() itself as long as that may
 * take a whole slice: most answers come soon, and take one call so instead of three.
 */
static ssize_t line_take(struct elfline *l, void *buffer, size_t n, const struct deadline *until)
{
        for (;;) {
                bool patient = until->idle_ns - clock_ns(CLOCK_MONOTONIC) > SLICE_MS * NS_PER_MS;
                ssize_t got = recv(l->socket, buffer, n, patient ? 0 : MSG_DONTWAIT);
                int r = 0;

                if (got > 0)
                        return got;
                if (got == 0 || (errno != EAGAIN && errno != EINTR))
                        return -EIO;
                if (patient)
                        line_beat(l);
                else
                        r = line_wait(l, POLLIN, until);
                if (r < 0)
                        return r;
        }
}

int elfline_receive(struct elfline *l, void *buffer, size_t n, const struct deadline *until)
{
        char *p = buffer;

        while (n) {
                size_t part = l->n < n ? l->n : n;
                ssize_t got;

                memcpy(p, l->ahead + l->from, part);
                l->from += part;
                l->n -= part;
                p += part;
                n -= part;
                if (!n)
                        return 0;
                /* Long ones where they belong, short ones together with what is behind them. */
                if (n >= sizeof(l->ahead)) {
                        got = line_take(l, p, n, until);
                        if (got < 0)
                                return (int)got;
                        p += got;
                        n -= (size_t)got;
                        continue;
                }
                got = line_take(l, l->ahead, sizeof(l->ahead), until);
                if (got < 0)
                        return (int)got;
                l->from = 0;
                l->n = (size_t)got;
        }
        return 0;
}

int elfline_send(
        struct elfline *l, const void *buffer, size_t n, int fd, const struct deadline *until)
{
        const char *p = buffer;

        /* Many short waits are no hang, either. */
        line_beat(l);
        while (n) {
                union {
                        struct cmsghdr header;
                        char bytes[CMSG_SPACE(sizeof(int))];
                } control = { .bytes = { 0 } };
                struct iovec part = { (char *)p, n };
                struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
                ssize_t sent;

                if (fd >= 0) {
                        control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                                .cmsg_level = SOL_SOCKET,
                                .cmsg_type = SCM_RIGHTS };
                        message.msg_control = control.bytes;
                        message.msg_controllen = sizeof(control.bytes);
                        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
                }
                sent = sendmsg(l->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (sent < 0) {
                        int r = errno == EAGAIN || errno == EINTR ? line_wait(l, POLLOUT, until)
                                                                  : -EIO;

                        if (r < 0)
                                return r;
                        continue;
                }
                fd = -1;
                p += sent;
                n -= (size_t)sent;
        }
        return 0;
}
