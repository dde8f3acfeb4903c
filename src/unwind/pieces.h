/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads pieces of the stacks of many threads of one process at once. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct piece;
struct watch;

struct piece_request {
        uint64_t start;
        uint32_t len;
        struct piece *piece; /* made by pieces_read(); shorter where memory ends; NULL: no memory */
};

/*
 * Up to IOV_MAX (1,024) of them in one call of the kernel. 0; -EPERM, -ESRCH …: nothing more
 * can be read of this process; -ETIMEDOUT: it hung before; -ENOMEM. tid: whom the kernel is asked
 * for the memory (process_memory_tid()).
 */
int pieces_read(
        struct watch *watch, pid_t pid, pid_t tid, struct piece_request *requests, size_t n);
