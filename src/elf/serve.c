/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request after the other. What cannot be understood ends the server: the client is pwhy
 * itself, and if it talks nonsense there is nothing to go on with.
 */
#include "elf/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "elf/cfi.h"
#include "elf/module.h"
#include "elf/names.h"
#include "elf/wire.h"

#define RECENT_MAX 8 /* modules that are not at rest: each takes megabytes */

struct server {
        int socket;
        struct module **modules; /* by id; NULL: none */
        size_t n_modules;
        struct module *recent[RECENT_MAX]; /* the latest first; NULL: none */
};

/* Exactly n bytes, and the fd that came with them. 0: the other side has gone; 1. */
static int receive(int socket, void *buffer, size_t n, int *fd)
{
        char *p = buffer;

        while (n) {
                union {
                        struct cmsghdr header;
                        char bytes[CMSG_SPACE(sizeof(int))];
                } control;
                struct iovec part = { p, n };
                struct msghdr message = { .msg_iov = &part,
                        .msg_iovlen = 1,
                        .msg_control = fd ? control.bytes : NULL,
                        .msg_controllen = fd ? sizeof(control.bytes) : 0 };
                ssize_t r = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
                const struct cmsghdr *c;

                if (r < 0 && errno == EINTR)
                        continue;
                if (r <= 0)
                        return r < 0 ? -errno : 0;
                c = fd ? CMSG_FIRSTHDR(&message) : NULL;
                if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int))) {
                        memcpy(fd, CMSG_DATA(c), sizeof(int));
                        fd = NULL;
                }
                p += r;
                n -= (size_t)r;
        }
        return 1;
}

/* Both in one call: whoever waits for the first is there at once, and would have to wait again. */
static int reply(int socket, const struct wire_answer *header, const void *bytes)
{
        struct iovec parts[] = { { (void *)header, sizeof(*header) },
                { (void *)bytes, header->length } };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts) };

        while (parts[0].iov_len + parts[1].iov_len) {
                ssize_t r = sendmsg(socket, &message, MSG_NOSIGNAL);

                if (r < 0 && errno != EINTR)
                        return -errno;
                for (size_t i = 0; i < ARRAY_SIZE(parts) && r > 0; i++) {
                        size_t n = (size_t)r < parts[i].iov_len ? (size_t)r : parts[i].iov_len;

                        parts[i].iov_base = (char *)parts[i].iov_base + n;
                        parts[i].iov_len -= n;
                        r -= (ssize_t)n;
                }
        }
        return 0;
}

static struct module *server_module(const struct server *s, uint32_t id)
{
        return id < s->n_modules ? s->modules[id] : NULL;
}

static int server_add(struct server *s, uint32_t id, int fd)
{
        struct module *m;
        int r;

        if (id >= WIRE_MODULES_MAX || server_module(s, id)) {
                close(fd);
                return -EINVAL;
        }
        if (id >= s->n_modules) {
                size_t n = (size_t)id * 2 + 16;
                struct module **p = realloc(s->modules, n * sizeof(*p));

                if (!p) {
                        close(fd);
                        return -ENOMEM;
                }
                memset(p + s->n_modules, 0, (n - s->n_modules) * sizeof(*p));
                s->modules = p;
                s->n_modules = n;
        }
        m = malloc(sizeof(*m));
        if (!m) {
                close(fd);
                return -ENOMEM;
        }
        r = module_open(m, fd);
        if (r < 0)
                free(m);
        else
                s->modules[id] = m;
        return r;
}

static int answer_copy(struct answer *a, const void *bytes, size_t n)
{
        a->bytes = malloc(n);
        if (!a->bytes)
                return -ENOMEM;
        a->n = n;
        memcpy(a->bytes, bytes, n);
        return 0;
}

static int server_rows(struct module *m, const uint64_t *addresses, size_t n, struct answer *a)
{
        struct cfi_row *rows = calloc(n ? n : 1, sizeof(*rows));

        if (!rows)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                cfi_row(m, addresses[i], &rows[i]);
        *a = (struct answer){ rows, n * sizeof(*rows) };
        return 0;
}

/* Much of this module is in memory now: what is of another has to go. */
static void server_touch(struct server *s, struct module *m)
{
        size_t at = 0;

        while (at < RECENT_MAX - 1 && s->recent[at] && s->recent[at] != m)
                at++;
        if (s->recent[at] && s->recent[at] != m)
                module_rest(s->recent[at]);
        memmove(s->recent + 1, s->recent, at * sizeof(*s->recent));
        s->recent[0] = m;
}

/* fd: -1 for none; it is consumed. */
static int server_do(struct server *s, const struct wire_request *q, const uint64_t *addresses,
        int fd, struct answer *a)
{
        struct module *m = server_module(s, q->module);
        struct elf_facts facts;
        int r;

        if (q->op == WIRE_ADD && fd >= 0) {
                r = server_add(s, q->module, fd);
                return r < 0 ? r
                             : answer_copy(
                                       a, &s->modules[q->module]->facts, sizeof(struct elf_facts));
        }
        r = m ? module_wake(m) : 0;
        if (r < 0) {
                if (fd >= 0)
                        close(fd);
                return r;
        }
        if (m)
                m->until_ns = clock_ns(CLOCK_MONOTONIC) + (int64_t)q->patience_ns;
        if (m && q->op == WIRE_DEBUG && fd >= 0) {
                r = module_debug(m, (enum elf_debug)q->flags, fd, &facts);
                return r < 0 ? r : answer_copy(a, &facts, sizeof(facts));
        }
        if (fd >= 0)
                close(fd);
        if (!m)
                return -EINVAL;
        if (q->op == WIRE_ROWS)
                r = server_rows(m, addresses, q->n, a);
        else if (q->op == WIRE_NAMES)
                r = names_answer(m, (enum elf_names)q->flags, addresses, q->n, a);
        else
                r = -EINVAL;
        server_touch(s, m);
        return r;
}

static int server_request(struct server *s, const struct wire_request *q, int fd)
{
        uint64_t addresses[WIRE_ADDRESSES_MAX];
        struct wire_answer header = { .op = q->op, .n = q->n };
        struct answer a = { 0 };
        int r;

        if (q->n > WIRE_ADDRESSES_MAX || q->patience_ns > INT64_MAX / 2)
                return -EINVAL;
        if (q->n && receive(s->socket, addresses, q->n * sizeof(*addresses), NULL) <= 0)
                return -EPIPE;
        header.result = server_do(s, q, addresses, fd, &a);
        header.length = (uint32_t)a.n;
        r = reply(s->socket, &header, a.bytes);
        free(a.bytes);
        return r;
}

int serve(int socket, uint32_t sandbox)
{
        const struct wire_hello hello = { WIRE_VERSION, sandbox };
        const struct wire_answer header = { .op = WIRE_HELLO, .length = sizeof(hello) };
        struct server s = { .socket = socket };
        int r = reply(socket, &header, &hello);

        while (r == 0) {
                struct wire_request q;
                int fd = -1;

                r = receive(socket, &q, sizeof(q), &fd);
                if (r == 0)
                        return 0;
                if (r > 0)
                        r = server_request(&s, &q, fd);
        }
        return r;
}
