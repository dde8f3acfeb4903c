/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unwind/recorded.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procio.h"
#include "base/procmem.h"
#include "model.h"
#include "unwind/memory.h"
#include "unwind/pieces.h"

/* "0=0 1=5500800510 … 32=419ecc" */
static bool regs_parse(const char *text, struct user_regs *ret)
{
        unsigned number;
        unsigned long long value;
        int len;

        while (sscanf(text, " %2u=%16llx%n", &number, &value, &len) == 2) {
                if (number >= USER_REGS_MAX)
                        return false;
                ret->known |= UINT64_C(1) << number;
                ret->value[number] = value;
                text += len;
        }
        return ret->known;
}

int recorded_regs(struct procio *io, struct arena *arena, struct process *p)
{
        _cleanup_close_ int dir = procio_open_process(io, p->pid);

        for_each_thread(t, p) {
                struct user_regs regs = { 0 };
                const char *text;
                char path[48];

                snprintf(path, sizeof(path), "task/%d/user_regs", (int)t->tid);
                if (dir < 0 || procio_read(io, dir, path, p->pid, HANG_NONE, &text) <= 0 ||
                        !regs_parse(text, &regs))
                        continue;
                t->regs = arena_dup(arena, &regs, sizeof(regs));
                if (!t->regs)
                        return -ENOMEM;
        }
        return 0;
}

int recorded_pieces(struct procio *io, int dir, pid_t pid, struct piece_request *requests, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                struct piece *piece = malloc(sizeof(*piece) + requests[i].len);
                ssize_t len;

                if (!piece)
                        return -ENOMEM;
                len = procio_memory(io, dir, pid, requests[i].start, piece->bytes, requests[i].len);
                piece->batch = NULL;
                piece->start = requests[i].start;
                piece->asked = requests[i].len;
                piece->len = len > 0 ? (uint32_t)len : 0;
                requests[i].piece = piece;
        }
        return 0;
}
