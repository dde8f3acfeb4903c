/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounded copies of what pointers point to. A length that comes from the target is an upper
 * bound at most, and a string ends at a page's end when the next page is missing.
 */
#include "resolve/callmem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procio.h"
#include "base/procmem.h"
#include "model.h"
#include "resolve/flockmem.h"
#include "resolve/pagecache.h"
#include "resolve/syscall.h"

#define STRING_LEN 256
#define ADDRESS_LEN 128 /* sizeof(struct sockaddr_storage) */
#define POLLFDS 8192
#define FD_SET_LEN 8192 /* 65536 fds */
#define SEMBUFS 16
#define PAGE 4096U

/* Length of what the argument points to; 0: nothing to read. */
static size_t memory_len(const struct call *c, int i)
{
        uint64_t next = i < 5 ? c->args[i + 1] : 0;
        bool narrow = c->abi == ABI_I386;

        switch (c->desc->args[i]) {
        case 's':
                return STRING_LEN;
        case 'S':
                return (uint32_t)next < ADDRESS_LEN ? (uint32_t)next : ADDRESS_LEN;
        case 't':
        case 'v':
                return narrow ? 8 : 16;
        case '6':
                return 16;
        case 'L':
                return 8 * ((uint32_t)next < POLLFDS ? (uint32_t)next : POLLFDS);
        case 'e': {
                size_t len = ((size_t)(uint32_t)c->args[0] + 63) / 64 * 8;

                return len < FD_SET_LEN ? len : FD_SET_LEN;
        }
        case 'G':
                return 8;
        case 'w':
                return 4;
        case 'K':
                return flock_size(c);
        case 'B':
                return 6 * ((uint32_t)next < SEMBUFS ? (uint32_t)next : SEMBUFS);
        default:
                return 0;
        }
}

static ssize_t string_read(
        struct procio *io, int dir, pid_t pid, uint64_t address, char *buffer, size_t len)
{
        size_t first = PAGE - (address & (PAGE - 1));
        ssize_t n, more;

        if (first > len)
                first = len;
        n = procio_memory(io, dir, pid, address, buffer, first);
        if (n <= 0 || memchr(buffer, 0, (size_t)n) || (size_t)n < first || first == len)
                return n;
        more = procio_memory(io, dir, pid, address + first, buffer + first, len - first);
        return more > 0 ? n + more : n;
}

/*
 * i386 programs reach sockets by socketcall(call, args): args is an array of words. The call
 * inside is what everybody wants to see (net/socket.c).
 */
static int socketcall_unfold(struct procio *io, struct thread *t, int dir)
{
        static const struct {
                char name[12]; /* of the call as i386 has it by itself */
                unsigned n_args;
        } calls[] = {
                { "", 0 },
                { "socket", 3 },
                { "bind", 3 },
                { "connect", 3 },
                { "listen", 2 },
                { "accept4", 3 },
                { "getsockname", 3 },
                { "getpeername", 3 },
                { "socketpair", 4 },
                { "sendto", 4 },
                { "recvfrom", 4 },
                { "sendto", 6 },
                { "recvfrom", 6 },
                { "shutdown", 2 },
                { "setsockopt", 5 },
                { "getsockopt", 5 },
                { "sendmsg", 3 },
                { "recvmsg", 3 },
                { "accept4", 4 },
                { "recvmmsg", 5 },
                { "sendmmsg", 4 },
        };
        struct call *c = &t->call;
        uint32_t args[6] = { 0 };
        const struct syscall_desc *desc;
        ssize_t n;
        long nr;

        if (c->args[0] >= ARRAY_SIZE(calls))
                return 0;
        nr = syscall_number(ABI_I386, calls[c->args[0]].name);
        desc = syscall_find(ABI_I386, nr);
        if (!desc)
                return 0;
        n = procio_memory(io, dir, t->process->pid, c->args[1], args,
                calls[c->args[0]].n_args * sizeof(*args));
        if (n < 0)
                return (int)n;
        if ((size_t)n < calls[c->args[0]].n_args * sizeof(*args))
                return 0;
        c->nr = nr;
        c->desc = desc;
        for (size_t i = 0; i < ARRAY_SIZE(args); i++)
                c->args[i] = args[i];
        return 0;
}

int callmem_read(
        struct procio *io, struct arena *a, struct pagecache *futexes, struct thread *t, int dir)
{
        _cleanup_free_ char *large = NULL; /* of a poll set: too much for a small stack */
        struct call *c = &t->call;
        pid_t pid = t->process->pid;
        char small[512];
        int refused = 0;

        if (c->state != CALL_INSIDE || !c->desc)
                return 0;
        if (c->abi == ABI_I386 && strcmp(c->desc->name, "socketcall") == 0)
                refused = socketcall_unfold(io, t, dir);
        for (int i = 0; c->desc->args[i] && i < 6; i++) {
                size_t len = c->args[i] ? memory_len(c, i) : 0;
                char *buffer = small;
                ssize_t n;

                c->memory[i] = (struct call_memory){ 0 };
                if (!len)
                        continue;
                if (len > sizeof(small)) {
                        if (!large)
                                large = malloc(POLLFDS * 8);
                        if (!large) {
                                refused = -ENOMEM;
                                continue;
                        }
                        buffer = large;
                }
                if (c->desc->args[i] == 's')
                        n = string_read(io, dir, pid, c->args[i], buffer, len);
                else
                        n = pagecache_read(c->desc->args[i] == 'w' ? futexes : NULL, io, dir, pid,
                                c->args[i], buffer, len);
                if (n <= 0) {
                        /* A set that cannot be seen is not an empty one. */
                        if (n < 0 && (n != -EFAULT || c->desc->args[i] == 'e'))
                                refused = (int)n;
                        continue;
                }
                /* To 32-bit programs the upper half of tv_nsec is padding (get_timespec64()). */
                if (c->desc->args[i] == '6' && c->abi == ABI_I386 && n == 16)
                        memset(buffer + 12, 0, 4);
                c->memory[i].bytes = arena_dup(a, buffer, (size_t)n);
                c->memory[i].len = c->memory[i].bytes ? (size_t)n : 0;
        }
        c->memory_refused = refused < 0;
        return refused;
}
