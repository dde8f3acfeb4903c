/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list is the target's memory, walked as kernel/futex/core.c exit_robust_list() does, within
 * the same bound and more: it may be anything.
 */
#include "resolve/robust.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/procio.h"
#include "base/procmem.h"
#include "resolve/resolver.h"

#define LOCKS_MAX 256 /* of one thread */

uint64_t robust_head(struct resolver *r, pid_t tid)
{
        struct robust_list_head *head = NULL;
        size_t len = 0;

        if (!procio_live(resolver_io(r)) || syscall(SYS_get_robust_list, (int)tid, &head, &len) < 0)
                return 0;
        return (uint64_t)(uintptr_t)head;
}

/* Three words: "list, futex_offset, list_op_pending". Of an i386 program they are narrow. */
static bool words_read(struct procio *io, int dir, pid_t pid, enum abi abi, uint64_t address,
        uint64_t *ret, size_t n)
{
        size_t width = abi == ABI_I386 ? 4 : 8;
        uint64_t wide[3];
        int32_t narrow[3];

        if (procio_memory(io, dir, pid, address, abi == ABI_I386 ? (void *)narrow : wide,
                    n * width) != (ssize_t)(n * width))
                return false;
        for (size_t i = 0; i < n; i++)
                ret[i] = abi == ABI_I386 ? (uint64_t)(int64_t)narrow[i] : wide[i];
        return true;
}

int robust_holds(struct resolver *r, pid_t pid, pid_t tid, enum abi abi, uint64_t word)
{
        struct procio *io = resolver_io(r);
        _cleanup_close_ int dir = procio_open_process(io, pid);
        uint64_t head = abi == ABI_I386 ? 0 : robust_head(r, tid), words[3], node;

        if (!head || dir < 0 || !words_read(io, dir, pid, abi, head, words, 3))
                return -1;
        /* Being taken or given up: it may hold it or not. */
        if (words[2] && (words[2] & ~1ULL) + words[1] == word)
                return -1;
        node = words[0];
        for (size_t i = 0; i < LOCKS_MAX; i++) {
                node &= ~1ULL; /* marks those with priority inheritance */
                if (node == head)
                        return 0;
                if (node + words[1] == word)
                        return 1;
                if (!words_read(io, dir, pid, abi, node, &node, 1))
                        return -1;
        }
        return -1;
}
