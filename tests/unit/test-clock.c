/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Durations, as people write them and as they read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/cleanup.h"

#define MIN (60 * NS_PER_S)
#define H (60 * MIN)
#define D (24 * H)

static void test_format(void **state)
{
        static const struct {
                int64_t ns;
                const char *text;
        } rows[] = {
                { 0, "0 ms" },
                { 1, "<1 ms" },
                { NS_PER_MS - 1, "<1 ms" },
                { NS_PER_MS, "1 ms" },
                { 350 * NS_PER_MS, "350 ms" },
                { NS_PER_S - 1, "999 ms" },
                { NS_PER_S, "1 s" },
                { 4200 * NS_PER_MS, "4.2 s" },
                { 2040 * NS_PER_MS, "2 s" },
                { MIN - 1, "59.9 s" },
                { MIN, "1 min" },
                { MIN + NS_PER_S, "1 min 1 s" },
                { 252 * NS_PER_S, "4 min 12 s" },
                { H - 1, "59 min 59 s" },
                { H, "1 h" },
                { 3 * H + 7 * MIN + 59 * NS_PER_S, "3 h 7 min" },
                { D - 1, "23 h 59 min" },
                { 12 * D + 4 * H + 59 * MIN, "12 d 4 h" },
                { INT64_MAX, "106751 d 23 h" },
                { -1500 * NS_PER_MS, "-1.5 s" },
                { INT64_MIN, "-106751 d 23 h" },
        };
        char buffer[DURATION_MAX];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_ptr_equal(duration_format(buffer, rows[i].ns), buffer);
                assert_string_equal(buffer, rows[i].text);
        }
}

static void test_parse(void **state)
{
        static const struct {
                const char *text;
                int64_t ns;
        } rows[] = {
                { "2", 2 * NS_PER_S },
                { "0", 0 },
                { "2s", 2 * NS_PER_S },
                { "1.5s", 1500 * NS_PER_MS },
                { "1.5", 1500 * NS_PER_MS },
                { ".5s", 500 * NS_PER_MS },
                { "300ms", 300 * NS_PER_MS },
                { "10us", 10000 },
                { "7ns", 7 },
                { "1.9ns", 1 },
                { "5m", 5 * MIN },
                { "5min", 5 * MIN },
                { "0.5min", 30 * NS_PER_S },
                { "2h", 2 * H },
                { "1d", D },
                { "1h30m", H + 30 * MIN },
                { "4 min 12 s", 252 * NS_PER_S },
                { " 90 ", 90 * NS_PER_S },
                { "12 d 4 h", 12 * D + 4 * H },
                { "9223372036854775807ns", INT64_MAX },
                { "0.00000000000000000000000000000000000001s", 0 },
        };
        int64_t ns;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                ns = -1;
                assert_int_equal(duration_parse(rows[i].text, &ns), 0);
                assert_int_equal(ns, rows[i].ns);
        }
}

static void test_parse_refuses(void **state)
{
        static const struct {
                const char *text;
                int error;
        } rows[] = {
                { "", -EINVAL },
                { " ", -EINVAL },
                { "s", -EINVAL },
                { ".", -EINVAL },
                { ".s", -EINVAL },
                { "-1", -EINVAL },
                { "+1", -EINVAL },
                { "1x", -EINVAL },
                { "1S", -EINVAL },
                { "0x10", -EINVAL },
                { "1e3", -EINVAL },
                { "1,5s", -EINVAL },
                { "1h30", -EINVAL },
                { "1 2", -EINVAL },
                { "1.2.3s", -EINVAL },
                { "1s\n", -EINVAL },
                { "inf", -EINVAL },
                { "99999999999999999999", -ERANGE },
                { "9223372037", -ERANGE },
                { "106752d", -ERANGE },
                { "106751d24h", -ERANGE },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                int64_t ns = 42;
                assert_int_equal(duration_parse(rows[i].text, &ns), rows[i].error);
                assert_int_equal(ns, 42); /* written only on success */
        }
}

/* What is shown can be typed back in. */
static void test_round_trip(void **state)
{
        (void)state;
        for (int64_t ns = NS_PER_MS; ns < INT64_MAX / 3; ns *= 3) {
                char text[DURATION_MAX], again[DURATION_MAX];
                int64_t parsed;
                duration_format(text, ns);
                assert_int_equal(duration_parse(text, &parsed), 0);
                assert_true(parsed <= ns);
                assert_string_equal(duration_format(again, parsed), text);
        }
}

static void test_clock(void **state)
{
        (void)state;
        int64_t before = clock_ns(CLOCK_MONOTONIC);
        assert_true(before > 0);
        assert_true(clock_ns(CLOCK_MONOTONIC) >= before);
        assert_int_equal(clock_ns((clockid_t)12345), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_format),
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_parse_refuses),
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_clock),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
