/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system call of a task in a text: its wrapper on the stack tells the name, and the user
 * registers that x86 prints below the stack tell number and arguments.
 *
 * Registers are believed only when the stack ends in the entry of a system call and agrees
 * with their number: after a page fault the same place holds an error code, and in a log of
 * several CPUs they may be another task's. What arguments point to is not in a text.
 */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "capture/paste-parts.h"
#include "model.h"
#include "resolve/syscall.h"
#include "symbol/stacktext.h"

enum reg { RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP, R8, R9, R10, ORIG_RAX, RIP, N_REGS };

static const struct {
        const char *name;
        enum reg reg;
} names[] = {
        { "ORIG_RAX:", ORIG_RAX },
        { "RAX:", RAX },
        { "RBX:", RBX },
        { "RCX:", RCX },
        { "RDX:", RDX },
        { "RSI:", RSI },
        { "RDI:", RDI },
        { "RBP:", RBP },
        { "RSP:", RSP },
        { "R08:", R8 },
        { "R09:", R9 },
        { "R10:", R10 },
};

static const char ENTRIES[] = "entry_SYSCALL_64*|system_call_fastpath|tracesys*|"
                              "entry_SYSENTER_compat*|entry_INT80_compat*|sysenter_dispatch|"
                              "ia32_sysret|cstar_dispatch|entry_SYSCALL_compat*|"
                              "asm_int80_emulation|el0_svc*|el0t_64_sync|ret_fast_syscall";
static const char FAULTS[] = "asm_exc_*|page_fault|async_page_fault|el0_da|el0_ia|do_mem_abort|"
                             "error_exit|asm_sysvec_*";

static void register_set(struct paste_registers *r, enum reg reg, uint64_t value)
{
        r->values[reg] = value;
        r->seen |= 1u << reg;
}

/* "RIP: 0033:0x7fb78036ee00", "RIP: 0033:[<00007fb78036ee00>]  [<00007…>] 0x7…" */
static bool rip_read(struct span text, struct paste_registers *r)
{
        struct span s = text;
        uint64_t value;

        if (!span_take(&s, "RIP: 00") || (!span_begins(s, "33:") && !span_begins(s, "23:")))
                return false;
        *r = (struct paste_registers){ .user = true, .compat = *s.p == '2' };
        s.p += 3;
        span_take(&s, "[<");
        span_take(&s, "0x");
        if (span_len(s) >= 8 && span_take_hex(&s, &value))
                register_set(r, RIP, value);
        return true;
}

bool paste_registers_read(struct span text, struct paste_registers *r)
{
        struct span s = text, word;
        bool any = false;

        if (rip_read(text, r))
                return true;
        if (!r->user)
                return false;
        while (span_len(word = span_take_word(&s)) > 0) {
                for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
                        struct span value;
                        uint64_t number;
                        const char *start;

                        if (span_len(word) != strlen(names[i].name) ||
                                !span_begins(word, names[i].name))
                                continue;
                        value = span_take_word(&s);
                        if (names[i].reg == RSP)
                                span_take(&value, "002b:");
                        start = value.p;
                        if (span_take_hex(&value, &number) && value.p - start == 16 &&
                                value.p == value.end) {
                                register_set(r, names[i].reg, number);
                                any = true;
                        }
                        break;
                }
        }
        return any;
}

bool paste_place_read(struct span text, struct span *ret_frame)
{
        struct span s = text;

        if (!span_take(&s, "RIP: 0010:") && !span_take(&s, "pc : "))
                return false;
        *ret_frame = span_trim(s);
        return true;
}

/* The call that a wrapper is of; the table's rows are those of every ABI that has the name. */
static const struct syscall_desc *desc_find(const char *name)
{
        static const enum abi abis[] = { ABI_X86_64, ABI_ARM64, ABI_I386 };
        size_t len = symbol_base_length(name);
        char bare[32];

        if (strncmp(name, "new", 3) == 0) { /* newfstat, newuname: the names of their functions */
                name += 3;
                len -= 3;
        }
        if (len == 0 || len >= sizeof(bare))
                return NULL;
        memcpy(bare, name, len);
        bare[len] = 0;
        for (size_t i = 0; i < sizeof(abis) / sizeof(*abis); i++) {
                long nr = syscall_number(abis[i], bare);

                if (nr >= 0)
                        return syscall_find(abis[i], nr);
        }
        return NULL;
}

/* The object that the arguments alone tell: an fd, the address of a futex. */
static void call_object(struct arena *a, struct call *c)
{
        int fd = syscall_arg(c->desc, 'f', 0), word = syscall_arg(c->desc, 'w', 0);
        int timeout = syscall_arg(c->desc, 'm', 0);
        struct object *o;

        if (timeout >= 0) {
                c->has_timeout = true;
                c->timeout_ns = (int)c->args[timeout] * NS_PER_MS;
                c->timeout_set = c->timeout_ns >= 0;
        }
        if ((fd < 0 || (int)c->args[fd] < 0) && word < 0)
                return;
        o = arena_new_one(a, struct object);
        if (!o)
                return;
        o->fd = word < 0 ? (int)c->args[fd] : -1;
        if (word >= 0) {
                o->kind = "futex";
                o->address = c->args[word];
                o->has_address = true;
        }
        c->object = o;
}

static void call_registers(struct arena *a, const struct paste_registers *r, struct call *c)
{
        static const enum reg wide[] = { RDI, RSI, RDX, R10, R8, R9 };
        static const enum reg compat[] = { RBX, RCX, RDX, RSI, RDI, RBP };
        const enum reg *order = r->compat ? compat : wide;
        const struct syscall_desc *desc;
        bool complete = true;
        long nr;

        if (!r->user || !(r->seen >> ORIG_RAX & 1) || r->values[ORIG_RAX] > INT32_MAX)
                return;
        nr = (long)r->values[ORIG_RAX];
        desc = syscall_find(r->compat ? ABI_I386 : ABI_X86_64, nr);
        if (c->desc && desc && strcmp(c->desc->name, desc->name) != 0)
                return; /* another task's, or a name that this table does not know */
        for (int i = 0; i < 6; i++)
                complete &= r->seen >> order[i] & 1;
        c->desc = desc;
        if (!complete)
                return;
        c->state = CALL_INSIDE;
        c->abi = r->compat ? ABI_I386 : ABI_X86_64;
        c->nr = nr;
        for (int i = 0; i < 6; i++)
                c->args[i] = r->compat ? (uint32_t)r->values[order[i]] : r->values[order[i]];
        c->sp = r->values[RSP];
        c->pc = r->values[RIP];
        call_object(a, c);
}

void paste_call_fill(
        struct arena *a, const struct stack *k, const struct paste_registers *r, struct call *ret)
{
        const char *last = NULL;

        *ret = (struct call){ .state = CALL_UNKNOWN };
        for (size_t i = 0; k && i < k->n_frames; i++) {
                const struct frame *f = &k->frames[i];
                const char *name;

                if (!f->symbol || f->unreliable)
                        continue;
                last = f->symbol;
                name = symbol_syscall(f->symbol);
                if (name && *name)
                        ret->desc = desc_find(name);
        }
        if (!last)
                return;
        if (symbol_matches(last, FAULTS) || stack_has(k, "el0_da|el0_ia")) {
                ret->desc = NULL;
                ret->state = CALL_OUTSIDE;
        } else if (symbol_matches(last, ENTRIES)) {
                call_registers(a, r, ret);
        }
}
