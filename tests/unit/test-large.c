/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/large.c: zeroed memory of any size, also of those around its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/large.h"

#define MIB ((size_t)1 << 20)

static void test_sizes(void **state)
{
        static const size_t sizes[] = { 1, 4096, MIB / 2 - 1, MIB / 2, MIB / 2 + 1, 2 * MIB - 1,
                2 * MIB, 2 * MIB + 1, 7 * MIB };

        (void)state;
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
                unsigned char *p = large_new(sizes[i]), *q = large_new(sizes[i]);

                assert_non_null(p);
                assert_non_null(q);
                for (size_t at = 0; at < sizes[i]; at += 511)
                        assert_int_equal(p[at], 0);
                assert_int_equal(p[sizes[i] - 1], 0);
                memset(p, 1, sizes[i]);
                for (size_t at = 0; at < sizes[i]; at += 511)
                        assert_int_equal(q[at], 0);
                large_free(p, sizes[i]);
                q[sizes[i] - 1] = 2; /* it has not gone with the other one */
                large_free(q, sizes[i]);
        }
}

static void test_bounds(void **state)
{
        void *none = large_new(0);

        (void)state;
        assert_non_null(none);
        large_free(none, 0);
        large_free(NULL, 0);
        large_free(NULL, 3 * MIB);
        assert_null(large_new(SIZE_MAX));
        assert_null(large_new(SIZE_MAX - MIB));
        assert_null(large_new(SIZE_MAX - 5 * MIB));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_bounds),
        };

        return cmocka_run_group_tests_name("large", tests, NULL, NULL);
}
