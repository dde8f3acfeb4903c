/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See frames.h. Of a long stack the middle is left out: both of its ends say something. */
#include "render/frames.h"

#include <string.h>

#include "base/escape.h"
#include "model.h"
#include "render/details.h"
#include "render/page.h"

#define FRAME_WIDTH 34  /* where the module of a user frame stands */
#define FRAMES_INNER 48 /* of a user stack; more are counted */
#define FRAMES_OUTER 16

static const char *frame_text(struct page *p, const struct frame *f)
{
        if (!f->symbol)
                return page_join(p, f->unreliable ? "? " : "", page_hex(p, f->address), NULL);

        const char *symbol = page_safe(p, f->symbol, ESCAPE_NAME_MAX);
        const char *offset = f->has_offset ? page_hex(p, f->offset) : "";
        return page_join(p, f->unreliable ? "? " : "", symbol, f->has_offset ? "+" : "", offset,
                f->has_offset && f->size > 0 ? "/" : "",
                f->has_offset && f->size > 0 ? page_hex(p, f->size) : "", NULL);
}

void frames_kernel_write(struct page *p, const struct stack *stack, unsigned indent)
{
        for (size_t i = 0; i < stack->n_frames; i++) {
                const struct frame *f = &stack->frames[i];
                const char *text = frame_text(p, f);
                if (f->module)
                        text = page_join(
                                p, text, " [", page_safe(p, f->module, ESCAPE_NAME_MAX), "]", NULL);
                label_cut(p, indent, i == 0 ? "kernel" : "", STYLE_DIM, text);
        }
        if (stack->truncated)
                label_cut(p, indent, "", STYLE_DIM, "… (the kernel shows no more)");
}

static const char *base_name(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* "accept+0x4d"; without a name "libx.so+0x1234", an address of the file as addr2line takes it. */
static const char *user_frame_words(struct page *p, const struct user_frame *f)
{
        const char *doubt = f->unreliable ? "? " : "";

        if (f->signal)
                return page_join(p, doubt, "<signal handler called>", NULL);
        if (f->symbol)
                return page_join(p, doubt, page_safe(p, f->symbol, ESCAPE_NAME_MAX),
                        f->has_offset ? "+" : "", f->has_offset ? page_hex(p, f->offset) : "",
                        f->inlined ? " (inlined)" : "", NULL);
        if (f->inlined)
                return page_join(p, doubt, "(inlined)", NULL);
        if (f->module && f->has_module_address)
                return page_join(p, doubt, page_safe(p, base_name(f->module), ESCAPE_NAME_MAX), "+",
                        page_hex(p, f->module_address), NULL);
        return page_join(p, doubt, page_hex(p, f->address), NULL);
}

/* Where that is: source, or the file; its whole path where one needs it, to look for a name. */
static const char *user_frame_place(struct page *p, const struct user_frame *f)
{
        if (f->source && f->line)
                return page_join(p, page_safe(p, base_name(f->source), ESCAPE_NAME_MAX), ":",
                        page_number(p, f->line), NULL);
        if (f->source)
                return page_safe(p, base_name(f->source), ESCAPE_NAME_MAX);
        if (!f->module)
                return "";
        return page_safe(p, f->symbol ? base_name(f->module) : f->module, ESCAPE_PATH_MAX);
}

static unsigned columns_of(const char *text)
{
        unsigned n = 0;

        for (; *text; text++)
                n += (*text & 0xc0) != 0x80;
        return n;
}

static void user_frame_write(
        struct page *p, const struct user_frame *f, unsigned indent, const char *label)
{
        static const char spaces[FRAME_WIDTH + 1] = "                                  ";
        const char *text = user_frame_words(p, f), *place = user_frame_place(p, f);
        unsigned width = columns_of(text);
        unsigned pad = width + 2 <= FRAME_WIDTH ? FRAME_WIDTH - width : 2;

        if (*place)
                text = page_join(p, text, spaces + FRAME_WIDTH - pad, place, NULL);
        label_cut(p, indent, label, STYLE_DIM, text);
}

void frames_user_write(struct page *p, const struct user_stack *stack, unsigned indent)
{
        size_t n = stack ? stack->n_frames : 0;
        bool cut = n > FRAMES_INNER + FRAMES_OUTER;
        /* What is left out of the middle here, and what was left out before. */
        size_t first = cut ? FRAMES_INNER : stack && stack->n_hidden ? stack->hidden_after : n;
        size_t next = cut ? n - FRAMES_OUTER : first;

        for (size_t i = 0; i < n; i++) {
                if (i == first && (i < next || stack->n_hidden)) {
                        size_t hidden = next - first;

                        if (stack->n_hidden && stack->hidden_after >= first &&
                                stack->hidden_after <= next)
                                hidden += stack->n_hidden;
                        label_cut(p, indent, "", STYLE_DIM,
                                page_join(p, "… ", page_number(p, hidden), " more", NULL));
                        i = next;
                }
                user_frame_write(p, &stack->frames[i], indent, i == 0 ? "user" : "");
        }
        if (n && stack->gap)
                label_cut(p, indent, "", STYLE_DIM,
                        page_join(p, "… (", page_safe(p, stack->gap, ESCAPE_PATH_MAX), ")", NULL));
}
