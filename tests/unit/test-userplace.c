/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explain/userplace.c: what a user stack says of a wait, and what it must not be taken to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "explain/userplace.h"
#include "model.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"
#define LOADER "/lib64/ld-linux-x86-64.so.2"
#define PROGRAM "/usr/bin/program"

static struct user_place place_of(struct user_frame *frames, size_t n)
{
        const struct user_stack stack = { .frames = frames, .n_frames = n };
        struct user_place place;

        user_place_find(&stack, &place);
        return place;
}

#define PLACE(...)                                                                                 \
        place_of((struct user_frame[]){ __VA_ARGS__ },                                             \
                sizeof((struct user_frame[]){ __VA_ARGS__ }) / sizeof(struct user_frame))

static void assert_name(const char *name, const char *wanted)
{
        if (!wanted)
                assert_null(name);
        else
                assert_string_equal(name ? name : "(none)", wanted);
}

static void test_without_symbols(void **state)
{
        struct user_place p;

        (void)state;
        /* As Debian's libc without debug symbols shows it. */
        p = PLACE({ .module = LIBC }, { .module = LIBC, .exported = "pthread_mutex_lock" },
                { .module = PROGRAM }, { .module = PROGRAM, .symbol = "work" });
        assert_name(p.leaf, "pthread_mutex_lock");
        assert_name(p.callers[0], NULL); /* whatever called it has no name */
        p = PLACE({ .module = LIBC }, { .module = LIBC, .exported = "pthread_mutex_lock" },
                { .module = PROGRAM, .symbol = "work" }, { .module = PROGRAM, .symbol = "main" });
        assert_name(p.callers[0], "work");
        assert_name(p.callers[1], "main");
        assert_name(p.callers[2], NULL);
        /* sem_wait is not on the stack: the program's own function is no leaf. */
        p = PLACE({ .module = LIBC }, { .module = LIBC },
                { .module = PROGRAM, .symbol = "pthread_mutex_lock" });
        assert_name(p.leaf, NULL);
        assert_name(p.callers[0], "pthread_mutex_lock");
        /* Nor is anything behind code without a name in another file. */
        p = PLACE({ .module = LIBC }, { .module = "/usr/lib/libx.so" },
                { .module = LIBC, .symbol = "pthread_mutex_lock" });
        assert_name(p.leaf, NULL);
        assert_name(p.callers[0], NULL);
}

static void test_with_symbols(void **state)
{
        struct user_place p;

        (void)state;
        p = PLACE({ .module = LIBC, .symbol = "futex_wait", .inlined = true },
                { .module = LIBC, .symbol = "__lll_lock_wait" },
                { .module = LIBC,
                        .symbol = "___pthread_mutex_lock",
                        .exported = "pthread_mutex_lock" },
                { .module = LOADER }, { .module = LIBC, .exported = "dlopen" });
        assert_name(p.leaf, "pthread_mutex_lock");
        assert_name(p.callers[0], "dlopen"); /* the loader and the C library are one */
        /* What C++ exports is mangled; rules are written in names of people. */
        p = PLACE({ .module = LIBC }, { .module = LIBC, .exported = "pthread_cond_timedwait" },
                { .module = PROGRAM, .symbol = "lock::take(int)", .exported = "_ZN4lock4takeEi" });
        assert_name(p.callers[0], "lock::take(int)");
        /* A program that waits on a futex itself. */
        p = PLACE({ .module = LIBC, .exported = "syscall" },
                { .module = PROGRAM, .symbol = "std::sys::pal::unix::futex::futex_wait" },
                { .module = PROGRAM,
                        .symbol = "std::sys::sync::mutex::futex::Mutex::lock_contended" });
        assert_name(p.leaf, "std::sys::sync::mutex::futex::Mutex::lock_contended");
}

/* What is not certain says nothing, and what a signal interrupted is not what waits. */
static void test_doubt(void **state)
{
        struct user_place p;

        (void)state;
        p = PLACE({ .module = LIBC },
                { .module = LIBC, .exported = "pthread_mutex_lock", .unreliable = true });
        assert_name(p.leaf, NULL);
        p = PLACE({ .module = LIBC, .exported = "read" },
                { .module = PROGRAM, .symbol = "handler" }, { .module = LIBC, .signal = true },
                { .module = LIBC, .exported = "pthread_mutex_lock" });
        assert_name(p.leaf, "read");
        assert_name(p.callers[0], "handler");
        assert_name(p.callers[1], NULL);
        user_place_find(NULL, &p);
        assert_name(p.leaf, NULL);
}

static void test_fits(void **state)
{
        const struct rule both = { .user = "pthread_mutex_lock", .caller = "dl*" };
        const struct rule within = { .user_within = "ObjectMonitor::enter*" };
        const struct rule nothing = { 0 };
        struct user_place p = { .leaf = "pthread_mutex_lock",
                .callers = { "dlopen", "ObjectMonitor::enter(JavaThread*)" } };
        const struct user_place unknown = { 0 };

        (void)state;
        assert_int_equal(user_place_fits(&both, &p), TRUE);
        assert_int_equal(user_place_fits(&within, &p), TRUE);
        assert_int_equal(user_place_fits(&nothing, &p), TRUE);
        assert_int_equal(user_place_fits(&nothing, &unknown), TRUE);
        assert_int_equal(user_place_fits(&both, &unknown), FALSE);
        assert_int_equal(user_place_fits(&within, &unknown), FALSE);
        p.callers[0] = "main";
        assert_int_equal(user_place_fits(&both, &p), FALSE);
        p.leaf = "pthread_cond_wait";
        p.callers[0] = "dlopen";
        assert_int_equal(user_place_fits(&both, &p), FALSE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_without_symbols),
                cmocka_unit_test(test_with_symbols),
                cmocka_unit_test(test_doubt),
                cmocka_unit_test(test_fits),
        };

        return cmocka_run_group_tests_name("userplace", tests, NULL, NULL);
}
