/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/taskregs.h"

#include <stddef.h>
#include <string.h>

#include "base/arena.h"
#include "capture/tasktable.h"
#include "model.h"
#include "resolve/syscall.h"

/* By DWARF's numbers; a call has used rax, rcx and r11 up on its way in (System V ABI, AMD64). */
void taskregs_fill(struct snapshot *s, const struct tasktable *table, const struct taskentry *e,
        struct thread *t)
{
        const enum abi abi = s->host.arch ? abi_from_machine(s->host.arch) : ABI_UNKNOWN;
        struct user_regs *regs;
        uint64_t known = 0;
        size_t n;

        if (!(e->task.flags & WIRE_REGS) || (e->task.flags & WIRE_COMPAT) || t->state == 'R')
                return;
        if (abi == ABI_X86_64)
                known = t->call.state == CALL_INSIDE ? 0x1ffff & ~(1U << 0 | 1U << 2 | 1U << 11)
                                                     : 0x1ffff;
        else if (abi == ABI_ARM64)
                known = 0x1ffffffff;
        n = known ? 64U - (unsigned)__builtin_clzll(known) : 0;
        regs = n ? arena_alloc(s->arena, offsetof(struct user_regs, value[n])) : NULL;
        if (!regs)
                return;
        regs->known = known;
        memcpy(regs->value, tasktable_regs(table, e), n * sizeof(*regs->value));
        t->regs = regs;
}
