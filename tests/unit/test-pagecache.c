/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolve/pagecache.c, of this process's own memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/procio.h"
#include "resolve/pagecache.h"

#define PAGE 4096U

struct fixture {
        struct procio *io;
        struct pagecache *cache;
        char *memory; /* two pages, and one that is not there */
};

static ssize_t look(struct fixture *f, const char *at, void *buffer, size_t len)
{
        return pagecache_read(f->cache, f->io, -1, getpid(), (uintptr_t)at, buffer, len);
}

static int setup(void **state)
{
        static struct fixture f;

        f.cache = pagecache_new();
        f.memory = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (!f.cache || f.memory == MAP_FAILED || procio_new(NULL, NULL, &f.io) < 0)
                return -1;
        munmap(f.memory + 2 * PAGE, PAGE);
        *state = &f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        munmap(f->memory, 2 * PAGE);
        pagecache_free(f->cache);
        procio_free(f->io);
        return 0;
}

/* It stays as it was until it is to be read again, and no longer. */
static void test_kept(void **state)
{
        struct fixture *f = *state;
        char buffer[8];

        strcpy(f->memory + 100, "before");
        assert_int_equal(look(f, f->memory + 100, buffer, 7), 7);
        assert_string_equal(buffer, "before");
        strcpy(f->memory + 100, "after");
        assert_int_equal(look(f, f->memory + 100, buffer, 7), 7);
        assert_string_equal(buffer, "before");
        pagecache_clear(f->cache);
        assert_int_equal(look(f, f->memory + 100, buffer, 6), 6);
        assert_string_equal(buffer, "after");
        assert_int_equal(
                pagecache_read(NULL, f->io, -1, getpid(), (uintptr_t)f->memory + 100, buffer, 6),
                6);
        assert_string_equal(buffer, "after");
}

/* Over the end of a page, and of all that is there; and nothing at all. */
static void test_edges(void **state)
{
        struct fixture *f = *state;
        char buffer[8] = "";

        memcpy(f->memory + PAGE - 3, "abcdef", 7);
        assert_int_equal(look(f, f->memory + PAGE - 3, buffer, 7), 7);
        assert_string_equal(buffer, "abcdef");
        assert_int_equal(look(f, f->memory + 2 * PAGE - 3, buffer, 7), 3);
        assert_int_equal(look(f, f->memory + 2 * PAGE, buffer, 7), -EFAULT);
        assert_true(look(f, NULL, buffer, 7) < 0);
        assert_true(look(f, (const char *)UINTPTR_MAX - 2, buffer, 7) < 0);
        assert_int_equal(look(f, f->memory, buffer, 0), 0);
}

/* Pages that have the same place do not pass for each other. */
static void test_places(void **state)
{
        struct fixture *f = *state;
        size_t n = 200;
        char *more =
                mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        assert_true(more != MAP_FAILED);
        for (size_t i = 0; i < n; i++)
                more[i * PAGE] = (char)i;
        for (int round = 0; round < 2; round++) {
                for (size_t i = 0; i < n; i++) {
                        char byte;

                        assert_int_equal(look(f, more + i * PAGE, &byte, 1), 1);
                        assert_int_equal(byte, (char)i);
                }
        }
        munmap(more, n * PAGE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
                cmocka_unit_test_setup_teardown(test_edges, setup, teardown),
                cmocka_unit_test_setup_teardown(test_places, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
