/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the text of /proc/PID/stack. Beyond memory errors: frames stay within their
 * bound, and what was understood, printed as a kernel prints it, is understood the same.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "model.h"
#include "symbol/stacktext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
        if (!condition)
                abort();
}

static bool text_equal(const char *a, const char *b)
{
        return a == b || (a && b && strcmp(a, b) == 0);
}

static void frame_print(FILE *out, const struct frame *f)
{
        fprintf(out, "[<%" PRIx64 ">] %s", f->address, f->unreliable ? "? " : "");
        if (f->symbol)
                fputs(f->symbol, out);
        else
                fprintf(out, "0x%" PRIx64, f->address);
        if (f->has_offset)
                fprintf(out, "+0x%" PRIx32 "/0x%" PRIx32, f->offset, f->size);
        if (f->module)
                fprintf(out, " [%s]", f->module);
        fputc('\n', out);
}

static void stack_check_again(struct arena *a, const struct stack *s)
{
        _cleanup_free_ char *text = NULL;
        struct stack again = { 0 };
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);

        require(out);
        for (size_t i = 0; i < s->n_frames; i++)
                frame_print(out, &s->frames[i]);
        fclose(out);

        require(stacktext_parse(a, text, len, &again) == 1);
        require(again.n_frames == s->n_frames);
        for (size_t i = 0; i < s->n_frames; i++) {
                const struct frame *f = &s->frames[i];
                const struct frame *g = &again.frames[i];

                require(text_equal(f->symbol, g->symbol) && text_equal(f->module, g->module));
                require(f->address == g->address && f->unreliable == g->unreliable);
                require(f->has_offset == g->has_offset);
                require(f->offset == g->offset && f->size == g->size);
        }
}

static void frame_check(const struct frame *f)
{
        static const char list[] = "inet_csk_accept|pipe_*|sys:accept|sys:recv*|futex_wait";

        require(f->symbol || !f->has_offset);
        require(!f->module || *f->module);
        if (!f->symbol)
                return;

        require(*f->symbol);
        size_t base = symbol_base_length(f->symbol);
        require(base > 0 && base <= strlen(f->symbol));

        /* A symbol's base matches it, unless it has a meaning in the list itself. */
        _cleanup_free_ char *own = strndup(f->symbol, base);
        require(own);
        if (!strpbrk(own, "|*:"))
                require(symbol_matches(f->symbol, own));
        symbol_matches(f->symbol, list);
        symbol_matches("__x64_sys_accept.isra.0", f->symbol);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct arena *a = arena_new();
        struct stack s = { 0 };

        if (!a)
                return 0;
        int r = stacktext_parse(a, (const char *)data, size, &s);
        require(r == 0 || r == 1);
        require(s.n_frames <= (size + 1) / strlen("[<0>] f\n"));
        require(!s.truncated || s.n_frames <= STACK_ENTRIES_MAX);
        for (size_t i = 0; i < s.n_frames; i++)
                frame_check(&s.frames[i]);
        stack_check_again(a, &s);
        arena_free(a);
        return 0;
}
