/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames as dump_stack() and its kin print them, to the form of /proc/PID/stack:
 *
 *      f+0x1/0x2                                    x86 since 4.9, arm64
 *      [<ffffffff8123>] ? f+0x1/0x2 [nfs]           until 4.8, riscv, mips
 *      f+0x1/0x2 [nfs 0123…] (P)                    build IDs; arm64: how it was found
 *      <IRQ> f+0x1/0x2                              a change of stacks, on the same line
 *      [<c001>] (f) from [<c002>] (g+0x1/0x2)       32-bit arm: the called and the caller
 *      f from g+0x1/0x2                             the same since 5.19
 *      [c001] [c002] f+0x1/0x2 (unreliable)         powerpc: stack, address
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "capture/paste-parts.h"
#include "symbol/stacktext.h"

struct parts {
        uint64_t address;
        struct span name, offset, module;
        bool bracketed, unreliable;
};

static bool char_is_symbol(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               (c && strchr("_.$:@~-", c));
}

static bool char_begins_symbol(char c)
{
        return char_is_symbol(c) && !(c >= '0' && c <= '9') && c != '-' && c != ':';
}

/* "[<ffffffff8123>] ", "[<0>] ", "[<(____ptrval____)>] "; powerpc's "[c000000000001234] " */
static bool take_address(struct span *s, struct parts *f)
{
        struct span c = *s;
        bool angled, known;

        if (!span_take(&c, "["))
                return false;
        angled = span_take(&c, "<");
        known = span_take_hex(&c, &f->address);
        if (known && !angled && c.p - s->p != 17)
                return false;
        if (!known) {
                span_skip_blanks(&c);
                if (!angled || !span_take(&c, "("))
                        return false;
                while (c.p < c.end && *c.p != ')' && *c.p != '>')
                        c.p++;
                if (!span_take(&c, ")"))
                        return false;
                f->address = 0;
        }
        if ((angled && !span_take(&c, ">")) || !span_take(&c, "]"))
                return false;
        f->bracketed |= angled;
        span_skip_blanks(&c);
        *s = c;
        return true;
}

/* "<IRQ> ", "</TASK> ", "<#DF> " */
static void skip_stack_names(struct span *s)
{
        struct span c = *s;

        while (span_take(&c, "<")) {
                span_take(&c, "/");
                while (c.p < c.end && (char_is_symbol(*c.p) || *c.p == '#'))
                        c.p++;
                if (!span_take(&c, ">"))
                        return;
                span_skip_blanks(&c);
                *s = c;
        }
}

/* "f+0x1/0x2", or "f" where that is enough. */
static bool take_symbol(struct span *s, struct parts *f, bool offset_needed)
{
        struct span c = *s;
        uint64_t number;

        f->name.p = c.p;
        if (c.p == c.end || !char_begins_symbol(*c.p))
                return false;
        while (c.p < c.end && char_is_symbol(*c.p))
                c.p++;
        f->name.end = c.p;
        f->offset = (struct span){ c.p, c.p };
        if (span_begins(c, "+0x")) {
                c.p += 3;
                if (!span_take_hex(&c, &number) || !span_take(&c, "/0x") ||
                        !span_take_hex(&c, &number))
                        return false;
                f->offset.end = c.p;
        } else if (offset_needed) {
                return false;
        }
        *s = c;
        return true;
}

/* " [nfs]", " [xfs 0123abcd]", " [nvidia(PO)]" */
static bool take_module(struct span *s, struct parts *f)
{
        struct span c = *s;

        span_skip_blanks(&c);
        if (!span_take(&c, "["))
                return true;
        f->module.p = c.p;
        while (c.p < c.end && char_is_symbol(*c.p))
                c.p++;
        f->module.end = c.p;
        while (c.p < c.end && *c.p != ']' && *c.p != '[')
                c.p++;
        if (!span_len(f->module) || !span_take(&c, "]"))
                return false;
        *s = c;
        return true;
}

/* " (P)", " (PT)", " (unreliable)" */
static bool take_notes(struct span *s, struct parts *f)
{
        for (;;) {
                struct span note;

                span_skip_blanks(s);
                if (s->p == s->end)
                        return true;
                if (!span_take(s, "("))
                        return false;
                note.p = s->p;
                while (s->p < s->end && *s->p >= 'A' && *s->p <= 'z')
                        s->p++;
                note.end = s->p;
                if (!span_take(s, ")"))
                        return false;
                f->unreliable |= span_len(note) == 10 && span_begins(note, "unreliable");
        }
}

static void frame_add(struct paste_frame *frame, const struct parts *f)
{
        char *to = frame->text + frame->len;
        size_t room = sizeof(frame->text) - frame->len;
        int n;

        n = snprintf(to, room, "[<%" PRIx64 ">] %s%.*s%.*s%s%.*s%s\n", f->address,
                f->unreliable ? "? " : "", (int)span_len(f->name), f->name.p,
                (int)span_len(f->offset), f->offset.p, f->module.p ? " [" : "",
                (int)span_len(f->module), f->module.p ? f->module.p : "", f->module.p ? "]" : "");
        if (n < 0 || (size_t)n >= room)
                return;
        frame->len += (size_t)n;
        frame->name = f->name;
        frame->bracketed |= f->bracketed;
        frame->unreliable = f->unreliable;
}

/* "[<c0997424>] (__schedule) from [<c0997a94>] (schedule+0x50/0xa8)", "__schedule from f+0x1/0x2"
 */
static bool frame_arm(struct span s, struct paste_frame *ret)
{
        struct parts called = { 0 }, caller = { 0 };
        bool parens;

        take_address(&s, &called);
        parens = span_take(&s, "(");
        if (!take_symbol(&s, &called, false) || !take_module(&s, &called) ||
                (parens && !span_take(&s, ")")) || !span_take(&s, " from "))
                return false;
        take_address(&s, &caller);
        if ((parens && !span_take(&s, "(")) || !take_symbol(&s, &caller, true) ||
                !take_module(&s, &caller) || (parens && !span_take(&s, ")")))
                return false;
        span_skip_blanks(&s);
        if (s.p < s.end)
                return false;
        frame_add(ret, &called);
        ret->first_len = ret->len;
        frame_add(ret, &caller);
        return ret->len > ret->first_len;
}

/* "0xffffffffa0364fff", behind an address in brackets: no name is known. */
static bool frame_bare(struct span s, struct parts *f, struct paste_frame *ret)
{
        struct span c = s;
        uint64_t address;

        if (!f->bracketed || !span_take(&c, "0x") || !span_take_hex(&c, &address) || c.p < c.end)
                return false;
        ret->is_end_mark = address == UINT64_MAX || address == UINT32_MAX;
        f->name = s;
        f->offset = (struct span){ s.end, s.end };
        frame_add(ret, f);
        ret->name = (struct span){ s.end, s.end };
        return ret->len > 0;
}

bool paste_frame_read(struct span text, struct paste_frame *ret)
{
        struct span s = text;
        struct parts f = { 0 };

        ret->len = ret->first_len = 0;
        ret->bracketed = ret->unreliable = ret->is_end_mark = false;
        skip_stack_names(&s);
        if (frame_arm(s, ret))
                return true;
        ret->len = ret->first_len = 0;
        ret->bracketed = false;
        if (take_address(&s, &f))
                take_address(&s, &f);
        if (span_take(&s, "? ")) {
                f.unreliable = true;
                span_skip_blanks(&s);
        }
        if (frame_bare(s, &f, ret))
                return true;
        if (!take_symbol(&s, &f, !f.bracketed) || !take_module(&s, &f) || !take_notes(&s, &f))
                return false;
        frame_add(ret, &f);
        return ret->len > 0;
}

bool paste_frame_is_cut(struct span text)
{
        struct span s = text;
        struct parts f = { 0 };
        bool telling = false;

        skip_stack_names(&s);
        take_address(&s, &f);
        span_take(&s, "? ");
        if (s.p == s.end || !char_begins_symbol(*s.p) || s.end[-1] == ':')
                return false;
        for (const char *p = s.p; p < s.end; p++) {
                if (!char_is_symbol(*p) && *p != '+' && *p != '/')
                        return false;
                telling |= *p == '_' || *p == '+';
        }
        return telling;
}

bool paste_frame_is_outermost(struct span name)
{
        static const char list[] =
                "entry_SYSCALL_64*|entry_SYSENTER_*|entry_INT80_*|system_call_fastpath|"
                "sysenter_dispatch|ia32_sysret|tracesys|stub_*|el0t_64_sync|el0_sync|"
                "el0t_32_sync|el0_svc_naked|ret_fast_syscall|ret_from_syscall|ret_from_fork*|"
                "child_rip|kernel_thread_helper|secondary_startup_64*";
        char copy[128];

        if (span_len(name) == 0 || span_len(name) >= sizeof(copy))
                return false;
        memcpy(copy, name.p, span_len(name));
        copy[span_len(name)] = 0;
        return symbol_matches(copy, list);
}
