/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page writes straight to the stream; only what must be escaped or composed goes through
 * a scratch arena, which is renewed between blocks, so that a snapshot of any size takes
 * little memory. Colours are closed before each line end: pagers start every line plain.
 */
#include "render/page.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/arena.h"
#include "base/escape.h"

#define ELLIPSIS "…"
#define COLUMNS_MIN 40 /* narrower, wrapping hurts more than it helps */
#define SCRATCH_MAX ((size_t)1 << 20)

static const char *const style_codes[] = {
        [STYLE_PLAIN] = NULL,
        [STYLE_BOLD] = "\033[1m",
        [STYLE_DIM] = "\033[2m",
        [STYLE_BLOCKED] = "\033[33m",
        [STYLE_ALARM] = "\033[31m",
};

int page_init(struct page *p, FILE *out, bool colour, unsigned columns, bool marks)
{
        *p = (struct page){
                .out = out,
                .scratch = arena_new(),
                .colour = colour,
                .columns = columns > 0 && columns < COLUMNS_MIN ? COLUMNS_MIN : columns,
                .margin = marks ? 2 : 0,
        };
        if (!p->scratch)
                return -ENOMEM;
        /* Once, instead of for every piece of text. */
        flockfile(out);
        return 0;
}

int page_done(struct page *p)
{
        if (p->error == 0 && p->scratch && arena_failed(p->scratch))
                p->error = -ENOMEM;
        arena_free(p->scratch);
        p->scratch = NULL;
        if (p->error == 0 && fflush(p->out) != 0)
                p->error = errno > 0 ? -errno : -EIO;
        funlockfile(p->out);
        return p->error;
}

bool page_block(struct page *p)
{
        if (p->error == 0 && arena_failed(p->scratch))
                p->error = -ENOMEM;
        if (p->error == 0 && arena_used(p->scratch) > SCRATCH_MAX) {
                arena_free(p->scratch);
                p->scratch = arena_new();
                if (!p->scratch)
                        p->error = -ENOMEM;
        }
        return p->error == 0;
}

static void page_write(struct page *p, const char *text, size_t len)
{
        if (p->error == 0 && len > 0 && fwrite_unlocked(text, 1, len, p->out) != len)
                p->error = errno > 0 ? -errno : -EIO;
}

static void page_spaces(struct page *p, unsigned n)
{
        static const char spaces[] = "                                ";

        p->column += n;
        while (n > 0) {
                unsigned part = n < sizeof(spaces) - 1 ? n : (unsigned)sizeof(spaces) - 1;
                page_write(p, spaces, part);
                n -= part;
        }
}

static void style_open(struct page *p, enum style style)
{
        if (p->colour && style_codes[style])
                page_write(p, style_codes[style], strlen(style_codes[style]));
}

static void style_close(struct page *p, enum style style)
{
        if (p->colour && style_codes[style])
                page_write(p, "\033[0m", 4);
}

/* Bytes of the first max characters of text, and how many there are. */
static size_t text_fit(const char *text, size_t len, unsigned max, unsigned *ret_width)
{
        unsigned width = 0;
        size_t i = 0;

        for (; i < len; i++) {
                if (((unsigned char)text[i] & 0xc0) == 0x80)
                        continue;
                if (width == max)
                        break;
                width++;
        }
        *ret_width = width;
        return i;
}

void page_begin(struct page *p, char mark, unsigned indent, unsigned hanging)
{
        p->column = 0;
        p->pending = 0;
        p->hanging = p->margin + hanging;
        if (p->margin > 0 && mark != ' ') {
                page_write(p, &mark, 1);
                p->column = 1;
                page_spaces(p, p->margin - 1 + indent);
        } else {
                page_spaces(p, p->margin + indent);
        }
}

void page_end(struct page *p)
{
        page_write(p, "\n", 1);
        p->column = 0;
}

static void page_wrap(struct page *p, enum style style)
{
        style_close(p, style);
        page_end(p);
        page_spaces(p, p->hanging);
        style_open(p, style);
        p->pending = 0;
}

/* A word goes to the next line when it does not fit on this one, and is broken where it fits
 * on none. */
static void page_word(struct page *p, enum style style, const char *word, size_t len)
{
        unsigned width;

        text_fit(word, len, UINT32_MAX, &width);
        if (p->columns > 0 && p->column > p->hanging &&
                (uint64_t)p->column + p->pending + width > p->columns)
                page_wrap(p, style);
        page_spaces(p, p->pending);
        p->pending = 0;
        while (p->columns > 0 && p->column + (uint64_t)width > p->columns) {
                unsigned part_width;
                size_t part = text_fit(word, len,
                        p->columns > p->column ? p->columns - p->column : 1, &part_width);
                page_write(p, word, part);
                page_wrap(p, style);
                word += part;
                len -= part;
                width -= part_width;
        }
        page_write(p, word, len);
        p->column += width;
}

void page_flow(struct page *p, enum style style, const char *text)
{
        if (*text == '\0')
                return;
        style_open(p, style);
        while (*text) {
                size_t spaces = strspn(text, " ");
                size_t len = strcspn(text + spaces, " ");
                p->pending += (unsigned)spaces;
                if (len > 0)
                        page_word(p, style, text + spaces, len);
                text += spaces + len;
        }
        style_close(p, style);
}

void page_cut(struct page *p, enum style style, const char *text)
{
        size_t len = strlen(text), fit = len;
        unsigned width;

        page_spaces(p, p->pending);
        p->pending = 0;
        text_fit(text, len, UINT32_MAX, &width);
        bool cut = p->columns > 0 && (uint64_t)p->column + width > p->columns;
        if (cut) {
                unsigned room = p->columns > p->column ? p->columns - p->column : 0;
                fit = text_fit(text, len, room > 0 ? room - 1 : 0, &width);
        }
        if (len == 0)
                return;
        style_open(p, style);
        page_write(p, text, fit);
        if (cut)
                page_write(p, ELLIPSIS, strlen(ELLIPSIS));
        style_close(p, style);
        p->column += width + (cut ? 1 : 0);
}

const char *page_safe(struct page *p, const char *hostile, size_t max)
{
        if (!hostile)
                return "?";
        /* Never longer a look than needed to know whether there is more than max. */
        const char *safe = escape_text(p->scratch, hostile, strnlen(hostile, max + 1), max);
        return safe ? safe : "";
}

const char *page_join(struct page *p, ...)
{
        va_list parts, again;
        size_t len = 0;

        va_start(parts, p);
        va_copy(again, parts);
        for (const char *s = va_arg(parts, const char *); s; s = va_arg(parts, const char *))
                len += strlen(s);
        va_end(parts);

        char *joined = arena_alloc(p->scratch, len + 1), *end = joined;
        for (const char *s = va_arg(again, const char *); s && joined;
                s = va_arg(again, const char *))
                end = stpcpy(end, s);
        va_end(again);
        return joined ? joined : "";
}

static const char *page_digits(struct page *p, uint64_t value, unsigned base, const char *prefix)
{
        char digits[24];
        size_t at = sizeof(digits), prefix_len = strlen(prefix);

        do {
                digits[--at] = "0123456789abcdef"[value % base];
                value /= base;
        } while (value > 0);
        at -= prefix_len;
        memcpy(digits + at, prefix, prefix_len);
        const char *text = arena_strn(p->scratch, digits + at, sizeof(digits) - at);
        return text ? text : "";
}

const char *page_number(struct page *p, uint64_t value)
{
        return page_digits(p, value, 10, "");
}

const char *page_hex(struct page *p, uint64_t value)
{
        return page_digits(p, value, 16, "0x");
}
