/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/arena.c: alignment, fresh memory, sharing with a forked child, sticky failure. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static int arena_setup(void **state)
{
        *state = arena_new();
        return *state ? 0 : -1;
}

static int arena_teardown(void **state)
{
        arena_free(*state);
        return 0;
}

/* Exit status of a child that runs the function: assertions do not work there. */
static int child_run(int (*run)(void *arg), void *arg)
{
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0)
                _exit(run(arg));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void test_alignment(void **state)
{
        struct arena *a = *state;
        unsigned char *last = NULL;

        for (size_t size = 0; size < 300; size++) {
                unsigned char *p = arena_alloc(a, size);

                assert_non_null(p);
                assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
                assert_true(p != last);
                if (last)
                        assert_true(p >= last + (size ? size - 1 : 0));
                for (size_t i = 0; i < size; i++)
                        assert_int_equal(p[i], 0);
                memset(p, 0xa5, size);
                last = p;
        }
        assert_false(arena_failed(a));
}

/* What was written to one allocation never shows in the next: nothing is handed out twice. */
static void test_zeroed(void **state)
{
        for (size_t size = 1; size < 1 << 20; size = size * 3 + 1) {
                unsigned char *p = arena_alloc(*state, size);

                assert_non_null(p);
                for (size_t i = 0; i < size; i++)
                        if (p[i])
                                fail_msg("byte %zu of %zu is %02x", i, size, p[i]);
                memset(p, 0xff, size);
        }
}

/* The caller's own: zeroed, aligned, nothing twice, and a child's writes are its own. */
static void test_own(void **state)
{
        struct arena *a = *state;
        unsigned char *first = NULL;
        int status;
        pid_t pid;

        for (size_t i = 0; i < 20000; i++) {
                unsigned char *p = arena_alloc_own(a, 700);

                assert_non_null(p);
                assert_int_equal((uintptr_t)p % 16, 0);
                for (size_t j = 0; j < 700; j++)
                        if (p[j])
                                fail_msg("byte %zu of %zu is %02x", j, i, p[j]);
                memset(p, 0xff, 700);
                first = first ? first : p;
        }
        assert_int_equal(*first, 0xff);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                *first = 1;
                _exit(*(unsigned char *)arena_alloc_own(a, 1));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(*first, 0xff);
        /* What does not fit goes to the shared part, and fails there. */
        assert_null(arena_alloc_own(a, (size_t)8 << 30));
        assert_true(arena_failed(a));
        assert_null(arena_alloc_own(a, 1));
}

static void test_used_grows(void **state)
{
        struct arena *a = *state;
        size_t before = arena_used(a);

        assert_true(before > 0);
        arena_alloc(a, 1000);
        assert_true(arena_used(a) >= before + 1000);
        assert_true(arena_used(a) < before + 1100);
}

static void test_arrays(void **state)
{
        uint64_t *n = arena_new_array(*state, uint64_t, 1000);
        struct {
                char c;
                long double d;
        } *one = arena_new_one(*state, __typeof__(*one));

        assert_non_null(n);
        assert_non_null(one);
        for (size_t i = 0; i < 1000; i++)
                assert_true(n[i] == 0);
        assert_int_equal((uintptr_t)one % _Alignof(__typeof__(*one)), 0);
}

static void test_copies(void **state)
{
        struct arena *a = *state;
        static const char bytes[] = { 'a', 0, 'b', 0, 'c' };
        char *text = strdup("some text"), *p, *q;

        p = arena_str(a, text);
        q = arena_dup(a, bytes, sizeof(bytes));
        memset(text, 'x', strlen(text));
        free(text);
        assert_string_equal(p, "some text");
        assert_memory_equal(q, bytes, sizeof(bytes));

        assert_null(arena_str(a, NULL));
        assert_null(arena_strn(a, NULL, 5));
        assert_string_equal(arena_str(a, ""), "");
        assert_string_equal(arena_strn(a, "abcdef", 3), "abc");
        assert_string_equal(arena_strn(a, "abcdef", 0), "");
        /* As many bytes as asked for, a NUL among them too. */
        assert_memory_equal(arena_strn(a, bytes, sizeof(bytes)), "a\0b\0c", 6);
        assert_non_null(arena_dup(a, NULL, 0));
        assert_non_null(arena_dup(a, bytes, 0));
        assert_false(arena_failed(a));
}

static char *vprint(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static char *vprint(struct arena *a, const char *format, ...)
{
        va_list ap;
        char *p;

        va_start(ap, format);
        p = arena_vprintf(a, format, ap);
        va_end(ap);
        return p;
}

static void test_printf(void **state)
{
        struct arena *a = *state;
        enum { BIG = 3 << 20 };
        char *big = malloc(BIG + 1), *p;

        assert_string_equal(arena_printf(a, "%d %s", 42, "x"), "42 x");
        assert_string_equal(vprint(a, "%s|%5.2f|%llx", "y", 1.5, 0xffULL), "y| 1.50|ff");
        assert_string_equal(arena_printf(a, "%s", ""), "");

        memset(big, 'z', BIG);
        big[BIG] = 0;
        p = arena_printf(a, "<%s>", big);
        assert_non_null(p);
        assert_int_equal(strlen(p), BIG + 2);
        assert_int_equal(p[0], '<');
        assert_int_equal(p[BIG + 1], '>');
        p = arena_str(a, big);
        assert_string_equal(p, big);
        free(big);
        assert_false(arena_failed(a));
}

struct message { /* in the arena, from the child */
        char *text;
        struct message *next;
};

static int child_fill(void *arg)
{
        struct message **head = arg;
        struct arena *a = *(struct arena **)(head + 1);

        for (int i = 0; i < 100; i++) {
                struct message *m = arena_new_one(a, struct message);

                if (!m)
                        return 1;
                m->text = arena_printf(a, "message %d", i);
                m->next = *head;
                *head = m;
        }
        return 0;
}

/* The parent reads what a child left, at the same addresses, and goes on behind it. */
static void test_shared(void **state)
{
        struct arena *a = *state;
        void **shared = arena_new_array(a, void *, 2);
        struct message *m;
        size_t used;
        char *mine;
        int n = 0;

        shared[1] = a;
        used = arena_used(a);
        assert_int_equal(child_run(child_fill, shared), 0);
        assert_true(arena_used(a) > used + 100 * sizeof(*m));
        mine = arena_alloc(a, 64);
        memset(mine, 0xee, 64);
        for (m = shared[0]; m; m = m->next) {
                char expected[32];

                snprintf(expected, sizeof(expected), "message %d", 99 - n++);
                assert_string_equal(m->text, expected);
        }
        assert_int_equal(n, 100);

        /* A second child finds what the first one and the parent did. */
        assert_int_equal(child_run(child_fill, shared), 0);
        for (n = 0, m = shared[0]; m; m = m->next)
                n++;
        assert_int_equal(n, 200);
        assert_int_equal((unsigned char)mine[63], 0xee);
}

static int child_killed(void *arg)
{
        arena_str(arg, "left behind");
        kill(getpid(), SIGKILL);
        return 1;
}

static void test_killed_child(void **state)
{
        struct arena *a = *state;
        size_t used = arena_used(a);
        pid_t child = fork();
        int status;

        if (child == 0)
                _exit(child_killed(a));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_true(arena_used(a) > used);
        assert_string_equal((char *)a + used, "left behind");
        assert_false(arena_failed(a));
}

/* Too much at once fails, for ever after, and hurts nothing that is there. */
static void test_too_big(void **state)
{
        static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 15, SIZE_MAX - 16,
                SIZE_MAX / 2, SIZE_MAX / 2 + 1, (size_t)1 << 40 };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                struct arena *a = arena_new();
                char *kept = arena_str(a, "kept");
                size_t used = arena_used(a);

                assert_null(arena_alloc(a, sizes[i]));
                assert_true(arena_failed(a));
                assert_int_equal(arena_used(a), used);
                assert_null(arena_alloc(a, 1));
                assert_null(arena_str(a, "x"));
                assert_null(arena_printf(a, "%d", 1));
                assert_null(arena_dup(a, "x", 1));
                assert_string_equal(kept, "kept");
                arena_free(a);
        }
        {
                struct arena *a = arena_new();

                assert_null(arena_strn(a, "x", SIZE_MAX));
                assert_true(arena_failed(a));
                arena_free(a);
        }
}

/* In an address space of its own size: a smaller arena is made, and used to its last byte. */
static int child_small(void *arg)
{
        struct rlimit limit = { (rlim_t)96 << 20, (rlim_t)96 << 20 };
        struct arena *a;
        unsigned char *p;
        size_t total = 0;

        (void)arg;
        if (setrlimit(RLIMIT_AS, &limit) < 0)
                return 77;
        a = arena_new();
        if (!a)
                return 2;
        while ((p = arena_alloc(a, 65536))) {
                /* The last byte must be there, else this dies of SIGBUS or SIGSEGV. */
                p[0] = p[65535] = 1;
                total += 65536;
                if (total > (size_t)96 << 20)
                        return 3;
        }
        if (!arena_failed(a) || total < (size_t)15 << 20)
                return 4;
        /* Sticky, though a small one would fit. */
        if (arena_alloc(a, 1))
                return 5;
        arena_free(a);
        return 0;
}

static void test_small_address_space(void **state)
{
        int status;

        (void)state;
        if (SANITIZED)
                skip(); /* a sanitizer needs terabytes of address space */
        status = child_run(child_small, NULL);
        if (status == 77)
                skip();
        assert_int_equal(status, 0);
}

static int child_none(void *arg)
{
        struct rlimit limit = { (rlim_t)1 << 20, (rlim_t)1 << 20 };

        (void)arg;
        if (setrlimit(RLIMIT_AS, &limit) < 0)
                return 77;
        return arena_new() ? 1 : 0;
}

static void test_no_address_space(void **state)
{
        int status;

        (void)state;
        if (SANITIZED)
                skip();
        status = child_run(child_none, NULL);
        if (status == 77)
                skip();
        assert_int_equal(status, 0);
}

/* The same text is there once, and no other one in its place. */
static void test_share(void **state)
{
        struct arena *a = *state;
        const char *first = arena_share(a, "read(3, 0x7f00, 1)"), *texts[500];
        char again[] = "read(3, 0x7f00, 1)";
        size_t used;

        assert_ptr_equal(arena_share(a, again), first);
        again[0] = 'R';
        assert_string_equal(first, "read(3, 0x7f00, 1)");
        assert_string_equal(arena_share(a, again), again);
        assert_null(arena_share(a, NULL));
        assert_string_equal(arena_share(a, ""), "");
        for (int i = 0; i < 500; i++)
                texts[i] = arena_share_printf(a, "text %d", i);
        for (int i = 0; i < 500; i++) {
                char text[16];

                snprintf(text, sizeof(text), "text %d", i);
                assert_string_equal(texts[i], text);
        }
        used = arena_used(a);
        assert_ptr_equal(arena_share_printf(a, "text %d", 499), texts[499]);
        assert_int_equal(arena_used(a), used);
}

/* Longer than what is looked for: whole all the same. */
static void test_share_long(void **state)
{
        struct arena *a = *state;
        char text[5000];

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = 0;
        assert_string_equal(arena_share(a, text), text);
        assert_string_equal(arena_share_printf(a, "%s", text), text);
}

static void test_free_null(void **state)
{
        (void)state;
        arena_free(NULL);
}

int main(void)
{
#define IN_ARENA(f) cmocka_unit_test_setup_teardown(f, arena_setup, arena_teardown)
        const struct CMUnitTest tests[] = {
                IN_ARENA(test_alignment),
                IN_ARENA(test_zeroed),
                IN_ARENA(test_used_grows),
                IN_ARENA(test_arrays),
                IN_ARENA(test_copies),
                IN_ARENA(test_printf),
                IN_ARENA(test_shared),
                IN_ARENA(test_killed_child),
                IN_ARENA(test_own),
                IN_ARENA(test_share),
                IN_ARENA(test_share_long),
                cmocka_unit_test(test_too_big),
                cmocka_unit_test(test_small_address_space),
                cmocka_unit_test(test_no_address_space),
                cmocka_unit_test(test_free_null),
        };

        return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
