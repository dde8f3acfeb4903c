/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hostile text made harmless, in two passes over the same walk: one that measures and one
 * that writes, so that a copy takes exactly the memory it needs. UTF-8 is decoded strictly
 * (no overlong forms, no surrogates, nothing above U+10FFFF): what terminals and JSON readers
 * disagree about never gets through.
 */
#include "base/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"

#define ELLIPSIS "…"
#define ESCAPE_LEN_MAX 12 /* "\u{10ffff}" and some */

/* Length of the well-formed sequence at s, 0 when there is none within len bytes. */
static size_t utf8_decode(const unsigned char *s, size_t len, uint32_t *ret_code)
{
        unsigned char lead = s[0];
        size_t n;
        uint32_t code, least;

        if (lead < 0x80) {
                *ret_code = lead;
                return 1;
        } else if (lead >= 0xc2 && lead <= 0xdf) {
                n = 2, code = lead & 0x1fU, least = 0x80;
        } else if (lead >= 0xe0 && lead <= 0xef) {
                n = 3, code = lead & 0x0fU, least = 0x800;
        } else if (lead >= 0xf0 && lead <= 0xf4) {
                n = 4, code = lead & 0x07U, least = 0x10000;
        } else {
                return 0;
        }
        if (n > len)
                return 0;
        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | (s[i] & 0x3fU);
        }
        if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
                return 0;
        *ret_code = code;
        return n;
}

/*
 * Bytes to look at: at most max, and not half a character at the end. A lead byte that
 * promises more than is left is dropped with what follows it.
 */
static size_t text_bound(const unsigned char *s, size_t len, size_t max)
{
        if (len <= max)
                return len;

        for (size_t back = 1; back <= 3 && back <= max; back++) {
                unsigned char c = s[max - back];
                if ((c & 0xc0) == 0x80)
                        continue;
                size_t n = c > 0xf4 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;
                return n > back ? max - back : max;
        }
        return max;
}

/* Characters above ASCII that act on a terminal or on the order of what is shown there. */
static bool code_acts(uint32_t code)
{
        return (code >= 0x80 && code <= 0x9f) ||     /* C1 controls */
               code == 0x061c ||                     /* Arabic letter mark */
               code == 0x200e || code == 0x200f ||   /* left-to-right, right-to-left mark */
               (code >= 0x2028 && code <= 0x202e) || /* separators, embeddings, overrides */
               (code >= 0x2066 && code <= 0x2069);   /* isolates */
}

static size_t hex_write(char *out, uint32_t value, unsigned digits)
{
        static const char hex[] = "0123456789abcdef";

        for (unsigned i = 0; i < digits; i++)
                out[i] = hex[value >> 4 * (digits - 1 - i) & 0xf];
        return digits;
}

static size_t byte_write(char *out, unsigned char byte)
{
        out[0] = '\\';
        out[1] = 'x';
        return 2 + hex_write(out + 2, byte, 2);
}

static size_t code_write(char *out, uint32_t code)
{
        memcpy(out, "\\u{", 3);
        size_t n = 3 + hex_write(out + 3, code, 4);
        out[n] = '}';
        return n + 1;
}

/* What stands for the character of n bytes at s in a text for people; 0: itself. */
static size_t text_replace(const unsigned char *s, size_t n, uint32_t code, char *out)
{
        const char *name = NULL;

        if (n == 0)
                return byte_write(out, s[0]);
        if (code >= 0x80)
                return code_acts(code) ? code_write(out, code) : 0;
        if (code == '\n')
                name = "\\n";
        else if (code == '\t')
                name = "\\t";
        else if (code == 0x1b)
                name = "\\e";
        else if (code == '\\')
                name = "\\\\";
        if (name) {
                memcpy(out, name, 2);
                return 2;
        }
        return code < 0x20 || code == 0x7f ? byte_write(out, s[0]) : 0;
}

/* The same for JSON. A NUL would end the copy, so it counts as invalid. */
static size_t utf8_replace(const unsigned char *s, size_t n, uint32_t code, char *out)
{
        return n == 0 || code == 0 ? byte_write(out, s[0]) : 0;
}

/* Bytes at the start of s that stand for themselves everywhere: nearly always, all of them. */
static size_t plain_run(const unsigned char *s, size_t len)
{
        size_t n = 0;

        while (n < len && s[n] >= 0x20 && s[n] < 0x7f && s[n] != '\\')
                n++;
        return n;
}

/* Length of the copy of s; written to out unless that is NULL. */
static size_t text_walk(const unsigned char *s, size_t len,
        size_t (*replace)(const unsigned char *, size_t, uint32_t, char *), char *out)
{
        size_t total = 0;

        for (size_t i = 0; i < len;) {
                size_t run = plain_run(s + i, len - i);
                if (out)
                        memcpy(out + total, s + i, run);
                total += run;
                i += run;
                if (i == len)
                        break;

                uint32_t code = 0;
                char other[ESCAPE_LEN_MAX];
                size_t n = utf8_decode(s + i, len - i, &code);
                size_t n_other = replace(s + i, n, code, other);

                if (out && n_other > 0)
                        memcpy(out + total, other, n_other);
                else if (out)
                        memcpy(out + total, s + i, n);
                total += n_other > 0 ? n_other : n;
                i += n > 0 ? n : 1;
        }
        return total;
}

static const char *text_copy(struct arena *a, const char *text, size_t len, size_t max,
        size_t (*replace)(const unsigned char *, size_t, uint32_t, char *))
{
        if (!text)
                return NULL;

        const unsigned char *s = (const unsigned char *)text;
        size_t bound = text_bound(s, len, max);
        size_t tail = len > max ? strlen(ELLIPSIS) : 0;
        size_t total = text_walk(s, bound, replace, NULL);

        char *copy = arena_alloc(a, total + tail + 1);
        if (!copy)
                return NULL;
        text_walk(s, bound, replace, copy);
        memcpy(copy + total, ELLIPSIS, tail);
        copy[total + tail] = '\0';
        return copy;
}

const char *escape_text(struct arena *a, const char *text, size_t len, size_t max)
{
        return text_copy(a, text, len, max, text_replace);
}

const char *escape_utf8(struct arena *a, const char *text, size_t len, size_t max)
{
        return text_copy(a, text, len, max, utf8_replace);
}
