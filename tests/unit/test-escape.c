/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hostile text: nothing that acts on a terminal and nothing that is not UTF-8 gets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/escape.h"

#define LEN(s) (sizeof(s) - 1)
#define ROW(in, text, utf8)                                                                        \
        {                                                                                          \
                in, LEN(in), text, utf8                                                            \
        }

static const struct {
        const char *in;
        size_t len;
        const char *text, *utf8;
} rows[] = {
        ROW("", "", ""),
        ROW("nginx", "nginx", "nginx"),
        ROW("a b", "a b", "a b"),
        ROW("c:\\x", "c:\\\\x", "c:\\x"),
        ROW("a\nb\tc", "a\\nb\\tc", "a\nb\tc"),
        ROW("\r", "\\x0d", "\r"),
        ROW("\033[2J", "\\e[2J", "\033[2J"),
        ROW("\x7f", "\\x7f", "\x7f"),
        ROW("a\0b", "a\\x00b", "a\\x00b"),
        /* CSI as C1: in UTF-8, and as the bare byte of an 8-bit terminal */
        ROW("\xc2\x9b", "\\u{009b}", "\xc2\x9b"),
        ROW("\x9b"
            "2J",
                "\\x9b2J", "\\x9b2J"),
        /* order and lines */
        ROW("\xe2\x80\xae", "\\u{202e}", "\xe2\x80\xae"),
        ROW("\xe2\x81\xa6", "\\u{2066}", "\xe2\x81\xa6"),
        ROW("\xe2\x80\xa8", "\\u{2028}", "\xe2\x80\xa8"),
        ROW("\xe2\x80\x8f", "\\u{200f}", "\xe2\x80\x8f"),
        /* good UTF-8 of every length */
        ROW("\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa2", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa2",
                "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa2"),
        /* overlong, surrogate, beyond the end, cut short, stray */
        ROW("\xc0\xaf", "\\xc0\\xaf", "\\xc0\\xaf"),
        ROW("\xe0\x80\xaf", "\\xe0\\x80\\xaf", "\\xe0\\x80\\xaf"),
        ROW("\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80"),
        ROW("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\xf4\\x90\\x80\\x80"),
        ROW("\xff", "\\xff", "\\xff"),
        ROW("a\xe2\x82", "a\\xe2\\x82", "a\\xe2\\x82"),
        ROW("\xe2"
            "a",
                "\\xe2"
                "a",
                "\\xe2"
                "a"),
        ROW("\x80", "\\x80", "\\x80"),
};

static int setup(void **state)
{
        *state = arena_new();
        return *state ? 0 : -1;
}

static int teardown(void **state)
{
        arena_free(*state);
        return 0;
}

static void test_rows(void **state)
{
        struct arena *a = *state;

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const char *text = escape_text(a, rows[i].in, rows[i].len, ESCAPE_ARG_MAX);
                const char *utf8 = escape_utf8(a, rows[i].in, rows[i].len, ESCAPE_ARG_MAX);
                assert_string_equal(text, rows[i].text);
                assert_string_equal(utf8, rows[i].utf8);
        }
}

static void test_null(void **state)
{
        assert_null(escape_text(*state, NULL, 0, 10));
        assert_null(escape_utf8(*state, NULL, 7, 10));
}

static void test_bounds(void **state)
{
        struct arena *a = *state;

        assert_string_equal(escape_text(a, "abcdef", 6, 6), "abcdef");
        assert_string_equal(escape_text(a, "abcdef", 6, 5), "abcde…");
        assert_string_equal(escape_text(a, "abcdef", 6, 0), "…");
        /* A character is not cut in half, wherever the bound falls. */
        assert_string_equal(escape_text(a, "a€b", 5, 1), "a…");
        assert_string_equal(escape_text(a, "a€b", 5, 2), "a…");
        assert_string_equal(escape_text(a, "a€b", 5, 3), "a…");
        assert_string_equal(escape_text(a, "a€b", 5, 4), "a€…");
        assert_string_equal(escape_utf8(a, "\xf0\x9f\x90\xa2z", 5, 3), "…");
        /* What only looks like the middle of one still shows. */
        assert_string_equal(escape_text(a, "\x80\x80\x80\x80\x80", 5, 4), "\\x80\\x80\\x80\\x80…");
        /* The bytes beyond the bound are not looked at: there is no NUL to stop at. */
        char bare[4] = { 'a', 'b', 'c', 'd' };
        assert_string_equal(escape_text(a, bare, sizeof(bare), 2), "ab…");
        assert_string_equal(escape_text(a, bare, sizeof(bare), 4), "abcd");
}

/* One MiB of the worst: four times the memory at most, and bounded where bounded. */
static void test_long(void **state)
{
        struct arena *a = *state;
        size_t len = 1 << 20;
        _cleanup_free_ char *hostile = malloc(len);

        assert_non_null(hostile);
        memset(hostile, 0x1b, len);
        assert_int_equal(strlen(escape_text(a, hostile, len, len)), 2 * len);
        memset(hostile, 0xff, len);
        assert_int_equal(strlen(escape_text(a, hostile, len, len)), 4 * len);
        assert_int_equal(strlen(escape_utf8(a, hostile, len, len)), 4 * len);

        size_t before = arena_used(a);
        const char *text = escape_text(a, hostile, len, ESCAPE_NAME_MAX);
        assert_int_equal(strlen(text), 4 * ESCAPE_NAME_MAX + strlen("…"));
        assert_true(arena_used(a) - before < 2048);
}

/* Whatever the bytes: the result is printable, and escaping is total. */
static void test_any_bytes(void **state)
{
        struct arena *a = *state;
        unsigned seed = 1;

        for (int round = 0; round < 20000; round++) {
                char bytes[9];
                for (size_t i = 0; i < sizeof(bytes); i++) {
                        seed = seed * 1103515245U + 12345U;
                        bytes[i] = (char)(seed >> 16);
                }
                size_t max = (seed >> 8) % (sizeof(bytes) + 2);
                const char *text = escape_text(a, bytes, sizeof(bytes), max);
                for (const char *s = text; *s; s++)
                        assert_true((unsigned char)*s >= 0x20 && *s != 0x7f);
                /* What is valid stays as it is when it is made valid again. */
                const char *utf8 = escape_utf8(a, bytes, sizeof(bytes), max);
                assert_string_equal(utf8, escape_utf8(a, utf8, strlen(utf8), ESCAPE_ARG_MAX));
                assert_string_equal(text, escape_utf8(a, text, strlen(text), ESCAPE_ARG_MAX));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
                cmocka_unit_test_setup_teardown(test_null, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
                cmocka_unit_test_setup_teardown(test_long, setup, teardown),
                cmocka_unit_test_setup_teardown(test_any_bytes, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
