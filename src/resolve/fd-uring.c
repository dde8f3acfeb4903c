/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An io_uring. Of requests that were taken and have not completed, fdinfo tells what they do, as
 * far as they wait for a file to become ready, and not which file: the entries it shows with their
 * fds are those that have not been taken yet.
 */
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "model.h"
#include "resolve/kinds.h"

#define OPS_MAX 64
#define TEXT_LEN 256
#define OP_LEN 32 /* a number and a name, at most */

/* The numbers are the kernel's interface (linux/io_uring.h); these can wait for a file. */
static const char *const op_names[OPS_MAX] = {
        [IORING_OP_READV] = "readv",
        [IORING_OP_WRITEV] = "writev",
        [IORING_OP_READ_FIXED] = "read",
        [IORING_OP_WRITE_FIXED] = "write",
        [IORING_OP_POLL_ADD] = "poll",
        [IORING_OP_SENDMSG] = "sendmsg",
        [IORING_OP_RECVMSG] = "recvmsg",
        [IORING_OP_ACCEPT] = "accept",
        [IORING_OP_CONNECT] = "connect",
        [22] = "read",
        [23] = "write",
        [26] = "send",
        [27] = "recv",
        [30] = "splice",
        [33] = "tee",
        [46] = "command",
        [47] = "send",
        [48] = "sendmsg",
        [49] = "read",
        [50] = "waitid",
        [51] = "futex-wait",
        [53] = "futex-wait",
        [58] = "recv",
        [59] = "epoll-wait",
};

static bool uring_match(const struct fd_view *v)
{
        return strcmp(v->link, "anon_inode:[io_uring]") == 0 ||
               strcmp(v->link, "anon_inode:io_uring") == 0;
}

/* The same by another number is one. */
static unsigned op_first(unsigned op)
{
        unsigned first = 0;

        while (!op_names[first] || strcmp(op_names[first], op_names[op]) != 0)
                first++;
        return first;
}

/* "PollList:" and below it "  op=22, task_works=0", one for each; up to a line that is not
 * indented. */
static const char *ops_read(const struct fd_view *v)
{
        const char *line = v->info ? strstr(v->info, "\nPollList:\n") : NULL;
        static const char begin[] = "  op=";
        unsigned count[OPS_MAX] = { 0 };
        char text[TEXT_LEN] = "";
        unsigned long op;
        size_t len = 0;

        if (!line)
                return NULL;
        line += strlen("\nPollList:\n");
        while (strncmp(line, begin, strlen(begin)) == 0) {
                op = strtoul(line + strlen(begin), NULL, 10);
                if (op < OPS_MAX && op_names[op])
                        count[op_first((unsigned)op)]++;
                line += strcspn(line, "\n");
                line += *line == '\n';
        }
        for (op = 0; op < OPS_MAX && len < sizeof(text) - OP_LEN; op++)
                if (count[op])
                        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u %s",
                                len ? ", " : "", count[op], op_names[op]);
        return len ? arena_str(v->arena, text) : NULL;
}

/* "SqHead:\t7", "CqTail:\t5": 32-bit counters of requests taken and completions posted */
static void uring_parse(const struct fd_view *v, struct object *o)
{
        uint64_t taken, completed;

        o->requests = ops_read(v);
        if (!fdinfo_number(v->info, "SqHead", 10, &taken) ||
                !fdinfo_number(v->info, "CqTail", 10, &completed))
                return;
        o->pending = (uint32_t)taken - (uint32_t)completed;
        /* One request may complete many times: then the difference says nothing. */
        o->has_pending = o->pending <= INT32_MAX;
}

const struct fd_kind fd_kind_uring = { "io_uring", uring_match, uring_parse };
