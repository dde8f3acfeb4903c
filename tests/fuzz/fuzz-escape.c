/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as text from a target. What comes out must be UTF-8, the copy for people must
 * hold nothing that acts on a terminal, and text that is harmless must stay as it is. The
 * first byte of the input is the bound on the rest; the decoder here is written anew, since
 * one shared with escape.c would share its faults.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/escape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
        if (!condition)
                abort();
}

/* Code of the well-formed character at s (Unicode, table 3-7), its length or 0. */
static size_t character_read(const uint8_t *s, size_t len, uint32_t *ret)
{
        uint8_t low = 0x80, high = 0xbf;
        size_t n;

        if (s[0] < 0x80) {
                *ret = s[0];
                return 1;
        }
        if (s[0] < 0xc2 || s[0] > 0xf4)
                return 0;
        n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
        if (len < n)
                return 0;
        if (s[0] == 0xe0)
                low = 0xa0;
        else if (s[0] == 0xed)
                high = 0x9f;
        else if (s[0] == 0xf0)
                low = 0x90;
        else if (s[0] == 0xf4)
                high = 0x8f;
        if (s[1] < low || s[1] > high)
                return 0;

        uint32_t code = s[0] & (0x7fU >> n);
        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | (s[i] & 0x3fU);
        }
        *ret = code;
        return n;
}

static bool code_is_harmful(uint32_t code)
{
        return code < 0x20 || (code >= 0x7f && code <= 0x9f) ||
               (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* Might an escaper reasonably replace it? Between this and harmful lies what it may choose. */
static bool code_is_suspect(uint32_t code)
{
        return code_is_harmful(code) || code == '\\' || code == 0x061c || code == 0xfeff ||
               (code >= 0x2000 && code <= 0x206f) || code >= 0xe0000;
}

struct traits {
        bool utf8;
        bool harmful;
        bool suspect;
        bool nul;
};

static struct traits text_examine(const uint8_t *s, size_t len)
{
        struct traits t = { .utf8 = true };

        for (size_t i = 0; i < len;) {
                uint32_t code = 0;
                size_t n = character_read(s + i, len - i, &code);

                if (n == 0) {
                        t.utf8 = false;
                        i++;
                        continue;
                }
                t.harmful |= code_is_harmful(code);
                t.suspect |= code_is_suspect(code);
                t.nul |= code == 0;
                i += n;
        }
        return t;
}

/* Each backslash of a text for people begins an escape: else a reader could be told lies. */
static bool escapes_are_whole(const char *s)
{
        while ((s = strchr(s, '\\'))) {
                s++;
                if (strchr("nte\\", *s) && *s)
                        s++;
                else if (*s == 'x' && strspn(s + 1, "0123456789abcdefABCDEF") >= 2)
                        s += 3;
                else if (*s == 'u' && s[1] == '{' && strchr(s, '}'))
                        s = strchr(s, '}') + 1;
                else
                        return false;
        }
        return true;
}

static void copies_check(struct arena *a, const char *text, size_t len, size_t max)
{
        static const char ellipsis[] = "…";
        size_t looked_at = len < max ? len : max;
        struct traits in = text_examine((const uint8_t *)text, len);
        const char *people = escape_text(a, text, len, max);
        const char *json = escape_utf8(a, text, len, max);

        require(people && json);
        size_t n_people = strlen(people);
        size_t n_json = strlen(json);
        struct traits out = text_examine((const uint8_t *)people, n_people);

        require(out.utf8 && !out.harmful && escapes_are_whole(people));
        require(text_examine((const uint8_t *)json, n_json).utf8);
        require(n_people <= looked_at * 8 + strlen(ellipsis));
        require(n_json <= looked_at * 4 + strlen(ellipsis));

        if (len > max) {
                require(n_people >= 3 && strcmp(people + n_people - 3, ellipsis) == 0);
                require(n_json >= 3 && strcmp(json + n_json - 3, ellipsis) == 0);
                return;
        }
        if (in.utf8 && !in.nul)
                require(n_json == len && memcmp(json, text, len) == 0);
        if (in.utf8 && !in.suspect)
                require(n_people == len && memcmp(people, text, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size == 0)
                return 0;

        struct arena *a = arena_new();
        if (!a)
                return 0;
        const char *text = (const char *)data + 1;
        copies_check(a, text, size - 1, data[0]);
        copies_check(a, text, size - 1, size - 1);
        copies_check(a, text, size - 1, SIZE_MAX);
        arena_free(a);
        return 0;
}
