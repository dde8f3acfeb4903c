/* SPDX-License-Identifier: GPL-2.0-or-later */
/* symbol/stacktext.c: texts of each kernel generation, hostile and cut ones, symbol lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "model.h"
#include "symbol/stacktext.h"

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

/* From a heap buffer of the exact length, so that a sanitizer sees any look beyond it. */
static int text_parse(struct arena *a, const char *text, size_t len, struct stack *ret)
{
        _cleanup_free_ char *exact = malloc(len ? len : 1);

        assert_non_null(exact);
        memcpy(exact, text, len);
        memset(ret, 0, sizeof(*ret));
        return stacktext_parse(a, len ? exact : exact + 1, len, ret);
}

static void frame_check(
        const struct frame *f, const char *symbol, uint64_t address, uint32_t offset, uint32_t size)
{
        assert_string_equal(f->symbol, symbol);
        assert_true(f->address == address);
        assert_true(f->has_offset);
        assert_int_equal(f->offset, offset);
        assert_int_equal(f->size, size);
}

static const char text_6_18[] = "[<0>] inet_csk_accept+0x246/0x380\n"
                                "[<0>] inet_accept+0x45/0x170\n"
                                "[<0>] do_accept+0x116/0x1a0\n"
                                "[<0>] __sys_accept4+0xa6/0x100\n"
                                "[<0>] __x64_sys_accept+0x1c/0x30\n"
                                "[<0>] do_syscall_64+0x71/0x280\n"
                                "[<0>] entry_SYSCALL_64_after_hwframe+0x76/0x7e\n";

static const char text_4_19[] = "[<0>] futex_wait_queue_me+0xc4/0x120\n"
                                "[<0>] futex_wait+0x10a/0x250\n"
                                "[<0>] do_futex+0x325/0x500\n"
                                "[<0>] __x64_sys_futex+0x13f/0x190\n"
                                "[<0>] do_syscall_64+0x5a/0x110\n"
                                "[<0>] entry_SYSCALL_64_after_hwframe+0x44/0xa9\n"
                                "[<0>] 0xffffffffffffffff\n";

static const char text_3_10[] = "[<ffffffff81513e5d>] inet_csk_accept+0x1cd/0x250\n"
                                "[<ffffffff8153e8d3>] inet_accept+0x33/0x100\n"
                                "[<ffffffff814c1c5c>] SYSC_accept4+0x11c/0x220\n"
                                "[<ffffffff814c2a3e>] SyS_accept4+0xe/0x10\n"
                                "[<ffffffff814c2a50>] SyS_accept+0x10/0x20\n"
                                "[<ffffffff815f2119>] system_call_fastpath+0x16/0x1b\n"
                                "[<ffffffffffffffff>] 0xffffffffffffffff\n";

static const char text_2_6_32[] = "[<ffffffffa02d1234>] rpc_wait_bit_killable+0x24/0x40 [sunrpc]\n"
                                  "[<ffffffff8143c5d0>] sys_accept+0x10/0x20\n"
                                  "[<ffffffff8100b0f2>] system_call_fastpath+0x16/0x1b\n"
                                  "[<ffffffffffffffff>] 0xffffffffffffffff\n";

static const char text_i386[] = "[<c1065b8a>] hrtimer_nanosleep+0x8a/0x130\n"
                                "[<c1065cb1>] sys_nanosleep+0x51/0x70\n"
                                "[<c15a3cb3>] sysenter_do_call+0x12/0x28\n"
                                "[<ffffffff>] 0xffffffff\n";

static const char text_arm64_4[] = "[<ffffff8008085b34>] __switch_to+0x90/0xa8\n"
                                   "[<ffffff80081d3a10>] SyS_epoll_wait+0x2c8/0x3b0\n"
                                   "[<ffffff8008083a80>] el0_svc_naked+0x34/0x38\n"
                                   "[<ffffffffffffffff>] 0xffffffffffffffff\n";

static const char text_modules[] =
        "[<0>] __switch_to+0xe4/0x140\n"
        "[<0>] nfs_wait_bit_killable+0x1e/0x80 [nfs]\n"
        "[<0>] rpc_wait+0x1/0x2 [sunrpc 0123456789abcdef0123456789abcdef01234567]\n"
        "[<0>] ext4_sync_file+0x9f/0x310 [ext4 a1b2c3]\n"
        "[<0>] 0xffffffffc0123456\n"
        "[<ffffffffa0001234>] 0xffffffffa0001234\n"
        "[<0>] ? kthread+0x0/0x120\n"
        "[<0>] bare_offset+0x1\n"
        "[<0>] bare\n"
        "[<0>] bpf_prog_6deef7357e7b4530_name+0x1c/0x2b [bpf]\n"
        "[<0>] ftrace_trampoline+0x6a/0x1000\n"
        "[<0>] kprobe_ftrace_handler+0x10c/0x200\n"
        "[<0>] cpu_idle.isra.0.constprop.0+0x10/0x20\n"
        "[<0>] static_fn.llvm.12345678901234567890+0x1/0x2\n"
        "[<0>] _ZN4core3ptr$LT$drop$GT$17h0123456789abcdefE+0x1/0x2\n"
        "[<0>] _RNvNtCs1234_4core3fmt5write+0xabc/0xdef [rust_binder]\n";

static void test_modern(void **state)
{
        struct stack s;

        assert_int_equal(text_parse(*state, text_6_18, strlen(text_6_18), &s), 1);
        assert_int_equal(s.n_frames, 7);
        assert_false(s.truncated);
        frame_check(&s.frames[0], "inet_csk_accept", 0, 0x246, 0x380);
        frame_check(&s.frames[6], "entry_SYSCALL_64_after_hwframe", 0, 0x76, 0x7e);
        assert_null(s.frames[0].module);
        assert_false(s.frames[0].unreliable);
        assert_null(s.text);
        assert_int_equal(s.id, 0);
}

static void test_end_mark(void **state)
{
        struct stack s;

        assert_int_equal(text_parse(*state, text_4_19, strlen(text_4_19), &s), 1);
        assert_int_equal(s.n_frames, 6);
        frame_check(&s.frames[0], "futex_wait_queue_me", 0, 0xc4, 0x120);

        assert_int_equal(text_parse(*state, text_3_10, strlen(text_3_10), &s), 1);
        assert_int_equal(s.n_frames, 6);
        frame_check(&s.frames[4], "SyS_accept", 0xffffffff814c2a50, 0x10, 0x20);

        assert_int_equal(text_parse(*state, text_2_6_32, strlen(text_2_6_32), &s), 1);
        assert_int_equal(s.n_frames, 3);
        frame_check(&s.frames[0], "rpc_wait_bit_killable", 0xffffffffa02d1234, 0x24, 0x40);
        assert_string_equal(s.frames[0].module, "sunrpc");
        frame_check(&s.frames[1], "sys_accept", 0xffffffff8143c5d0, 0x10, 0x20);

        assert_int_equal(text_parse(*state, text_i386, strlen(text_i386), &s), 1);
        assert_int_equal(s.n_frames, 3);
        frame_check(&s.frames[1], "sys_nanosleep", 0xc1065cb1, 0x51, 0x70);

        assert_int_equal(text_parse(*state, text_arm64_4, strlen(text_arm64_4), &s), 1);
        assert_int_equal(s.n_frames, 3);
        frame_check(&s.frames[0], "__switch_to", 0xffffff8008085b34, 0x90, 0xa8);
}

static void test_every_form(void **state)
{
        struct stack s;

        assert_int_equal(text_parse(*state, text_modules, strlen(text_modules), &s), 1);
        assert_int_equal(s.n_frames, 16);
        frame_check(&s.frames[0], "__switch_to", 0, 0xe4, 0x140);
        assert_string_equal(s.frames[1].module, "nfs");
        assert_string_equal(s.frames[2].module, "sunrpc");
        assert_string_equal(s.frames[3].module, "ext4");
        assert_null(s.frames[4].symbol);
        assert_true(s.frames[4].address == 0xffffffffc0123456);
        assert_false(s.frames[4].has_offset);
        assert_null(s.frames[5].symbol);
        assert_true(s.frames[5].address == 0xffffffffa0001234);
        assert_true(s.frames[6].unreliable);
        frame_check(&s.frames[6], "kthread", 0, 0, 0x120);
        frame_check(&s.frames[7], "bare_offset", 0, 1, 0);
        assert_string_equal(s.frames[8].symbol, "bare");
        assert_false(s.frames[8].has_offset);
        frame_check(&s.frames[9], "bpf_prog_6deef7357e7b4530_name", 0, 0x1c, 0x2b);
        assert_string_equal(s.frames[9].module, "bpf");
        frame_check(&s.frames[10], "ftrace_trampoline", 0, 0x6a, 0x1000);
        frame_check(&s.frames[12], "cpu_idle.isra.0.constprop.0", 0, 0x10, 0x20);
        frame_check(&s.frames[13], "static_fn.llvm.12345678901234567890", 0, 1, 2);
        frame_check(&s.frames[14], "_ZN4core3ptr$LT$drop$GT$17h0123456789abcdefE", 0, 1, 2);
        frame_check(&s.frames[15], "_RNvNtCs1234_4core3fmt5write", 0, 0xabc, 0xdef);
        assert_string_equal(s.frames[15].module, "rust_binder");
}

static void test_line_ends(void **state)
{
        static const char crlf[] = "[<0>] f+0x1/0x2\r\n[<0>] g+0x3/0x4 [m]\r\n\r\n"
                                   "[<0>] 0xffffffffffffffff\r\n";
        static const char open_end[] = "  [<0>] f+0x1/0x2 \n\n[<0>] g+0x3/0x4";
        struct stack s;

        assert_int_equal(text_parse(*state, "", 0, &s), 1);
        assert_int_equal(s.n_frames, 0);
        assert_null(s.frames);
        assert_int_equal(stacktext_parse(*state, NULL, 0, &s), 1);
        assert_int_equal(text_parse(*state, "\n\n", 2, &s), 1);
        assert_int_equal(s.n_frames, 0);

        assert_int_equal(text_parse(*state, crlf, strlen(crlf), &s), 1);
        assert_int_equal(s.n_frames, 2);
        frame_check(&s.frames[1], "g", 0, 3, 4);
        assert_string_equal(s.frames[1].module, "m");

        assert_int_equal(text_parse(*state, open_end, strlen(open_end), &s), 1);
        assert_int_equal(s.n_frames, 2);
        frame_check(&s.frames[1], "g", 0, 3, 4);
}

static void test_restricted_pointers(void **state)
{
        static const char text[] = "[<0000000000000000>] f+0x1/0x2\n"
                                   "[<          (null)>] f+0x1/0x2\n"
                                   "[<(____ptrval____)>] f+0x1/0x2\n";
        struct stack s;

        assert_int_equal(text_parse(*state, text, strlen(text), &s), 1);
        assert_int_equal(s.n_frames, 3);
        for (size_t i = 0; i < s.n_frames; i++)
                frame_check(&s.frames[i], "f", 0, 1, 2);
}

/* A text of n numbered frames, perhaps with the end mark of old kernels. */
static size_t text_fill(char *buffer, size_t size, unsigned n, bool end_mark)
{
        size_t len = 0;

        for (unsigned i = 0; i < n; i++)
                len += (size_t)snprintf(buffer + len, size - len, "[<0>] f%u+0x1/0x2\n", i);
        if (end_mark)
                len += (size_t)snprintf(buffer + len, size - len, "[<0>] 0xffffffffffffffff\n");
        return len;
}

static void test_truncated(void **state)
{
        static const struct {
                unsigned n;
                bool end_mark;
                bool truncated;
        } cases[] = {
                { 63, false, false },
                { 64, false, true },
                { 65, false, false },
                { 63, true, false },
                { 64, true, false },
        };
        static char text[8192];
        struct stack s;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                size_t len = text_fill(text, sizeof(text), cases[i].n, cases[i].end_mark);

                assert_int_equal(text_parse(*state, text, len, &s), 1);
                assert_int_equal(s.n_frames, cases[i].n);
                assert_int_equal(s.truncated, cases[i].truncated);
        }
}

static void test_junk(void **state)
{
        static const char *const junk[] = {
                "f+0x1/0x2",
                "[<0>]f+0x1/0x2",
                "[<0>]",
                "[<0>] ",
                "[<0>] ?",
                "[<0>] ? ",
                "[<>] f+0x1/0x2",
                "[<0> f+0x1/0x2",
                "[<zz>] f+0x1/0x2",
                "[<(>] f+0x1/0x2",
                "[<11111111111111111>] f+0x1/0x2",
                "[<0>] f+",
                "[<0>] f+1/2",
                "[<0>] f+0x",
                "[<0>] f+0x1/",
                "[<0>] f+0x1/0x",
                "[<0>] f+0x1/0x2g",
                "[<0>] f+0x1/0x2/0x3",
                "[<0>] f+0x11111111111111111/0x2",
                "[<0>] +0x1/0x2",
                "[<0>] [nfs]",
                "[<0>] f+0x1/0x2 [nfs",
                "[<0>] f+0x1/0x2 []",
                "[<0>] f+0x1/0x2 [nfs zz]",
                "[<0>] f+0x1/0x2 [nfs] more",
                "[<0>] f+0x1/0x2 more",
                "[<0>] f\033[31m+0x1/0x2",
                "[<0>] 0x",
                "[<0>] 0xfffffffffffffffff",
                "[<0>] 0xffffffffc0123456z",
                "[<0>] 12345",
                "cat: /proc/1/stack: Operation not permitted",
        };
        struct stack s;

        for (size_t i = 0; i < ARRAY_SIZE(junk); i++) {
                char text[256];
                int len = snprintf(text, sizeof(text), "%s\n[<0>] g+0x3/0x4\n", junk[i]);

                assert_int_equal(text_parse(*state, text, (size_t)len, &s), 0);
                assert_int_equal(s.n_frames, 1);
                frame_check(&s.frames[0], "g", 0, 3, 4);
                assert_int_equal(text_parse(*state, junk[i], strlen(junk[i]), &s), 0);
                assert_int_equal(s.n_frames, 0);
        }
        assert_int_equal(text_parse(*state, "[<0>] f\0g+0x1/0x2\n", 18, &s), 0);
        assert_int_equal(s.n_frames, 0);
}

/* Numbers that the kernel prints next to code it has no true symbol for. */
static void test_huge_numbers(void **state)
{
        static const char text[] = "[<0>] _end+0x3f8000000/0x1000\n"
                                   "[<0>] f+0xffffffff/0xffffffff\n"
                                   "[<0>] g+0x1/0xffffffffffffffff\n";
        struct stack s;

        assert_int_equal(text_parse(*state, text, strlen(text), &s), 1);
        assert_int_equal(s.n_frames, 3);
        assert_string_equal(s.frames[0].symbol, "_end");
        assert_false(s.frames[0].has_offset);
        frame_check(&s.frames[1], "f", 0, UINT32_MAX, UINT32_MAX);
        assert_false(s.frames[2].has_offset);
}

static void test_long_symbol(void **state)
{
        size_t n = 100000;
        _cleanup_free_ char *text = malloc(n + 32);
        struct stack s;
        size_t len;

        assert_non_null(text);
        strcpy(text, "[<0>] ");
        memset(text + 6, 'x', n);
        strcpy(text + 6 + n, "+0x1/0x2\n");
        len = strlen(text);
        assert_int_equal(text_parse(*state, text, len, &s), 1);
        assert_int_equal(s.n_frames, 1);
        assert_int_equal(strlen(s.frames[0].symbol), n);
}

static void test_every_cut(void **state)
{
        static const char *const texts[] = { text_6_18, text_4_19, text_3_10, text_2_6_32,
                text_i386, text_arm64_4, text_modules };
        struct stack s;

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                for (size_t len = 0; len <= strlen(texts[i]); len++) {
                        size_t whole = 0;

                        assert_true(text_parse(*state, texts[i], len, &s) >= 0);
                        for (size_t k = 0; k < len; k++)
                                whole += texts[i][k] == '\n';
                        /* One whole line may be the end mark, and the cut one may make a frame. */
                        assert_in_range(s.n_frames + 1, whole, whole + 2);
                        for (size_t k = 0; k < s.n_frames; k++)
                                assert_true(!s.frames[k].symbol || *s.frames[k].symbol);
                }
        }
}

static void test_base_length(void **state)
{
        static const struct {
                const char *symbol;
                size_t len;
        } cases[] = {
                { "", 0 },
                { "f", 1 },
                { "f.isra.0", 1 },
                { "f.constprop.12", 1 },
                { "f.part.0", 1 },
                { "f.cold", 1 },
                { "f.cold.3", 1 },
                { "f.llvm.12345678901234567890", 1 },
                { "f.isra.0.constprop.0.cold", 1 },
                { "f.constprop.isra.0", 1 },
                { "f.__uniq.1234.llvm.5678", 1 },
                { "f.lto_priv.0", 1 },
                { "f.other", 7 },
                { "f.other.cold", 7 },
                { "f.0", 3 },
                { "f.cold.0.1", 10 },
                { "f.", 2 },
                { "f..cold", 2 },
                { ".cold", 5 },
                { ".isra.0", 7 },
                { "_ZN4core3ptr4drop17h..E", 23 },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                assert_int_equal(symbol_base_length(cases[i].symbol), cases[i].len);
}

static void test_matches(void **state)
{
        (void)state;
        assert_true(symbol_matches("inet_csk_accept", "inet_csk_accept"));
        assert_true(symbol_matches("inet_csk_accept", "a|inet_csk_accept|b"));
        assert_true(symbol_matches("inet_csk_accept.isra.0", "a|inet_csk_accept"));
        assert_true(symbol_matches("pipe_read", "pipe_*"));
        assert_true(symbol_matches("pipe_", "x|pipe_*"));
        assert_true(symbol_matches("anything", "*"));
        assert_true(symbol_matches("pipe_read.cold", "pipe_rea*|x"));
        assert_false(symbol_matches("inet_csk_accept", "inet_csk"));
        assert_false(symbol_matches("inet_csk", "inet_csk_accept"));
        assert_false(symbol_matches("inet_csk_accept.other", "inet_csk_accept"));
        assert_false(symbol_matches("f.cold", "f.cold"));
        assert_false(symbol_matches("f.cold", "f.co*"));
        assert_false(symbol_matches("pipe", "pipe_*"));
        assert_false(symbol_matches("f", ""));
        assert_false(symbol_matches("f", "||"));
        assert_false(symbol_matches("", "f|*"));
        assert_false(symbol_matches(NULL, "*"));
        assert_false(symbol_matches("a|b", "a|b|"));
        assert_true(symbol_matches("f", "|f|"));
        assert_false(symbol_matches("sys:accept", "sys:accept"));
}

static void test_matches_syscall(void **state)
{
        static const char *const wrappers[] = { "sys_accept", "SyS_accept", "SYSC_accept",
                "__x64_sys_accept", "__ia32_sys_accept", "__ia32_compat_sys_accept",
                "compat_sys_accept", "compat_SyS_accept", "C_SYSC_accept", "__arm64_sys_accept",
                "__arm64_compat_sys_accept", "__se_sys_accept", "__do_sys_accept",
                "__se_compat_sys_accept", "__do_compat_sys_accept", "__x64_sys_accept.cold",
                "__do_sys_accept.isra.0", "__s390x_sys_accept", "__riscv_sys_accept" };
        static const char *const others[] = { "accept", "__sys_accept", "sys_accept4",
                "__x64_sys_accept4", "xsys_accept", "ksys_accept", "__x64_accept", "sys_",
                "sys_acc", "__x64_sys_", "__", "compat_", "__x64_", "do_accept",
                "proc_sys_accept" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrappers); i++) {
                assert_true(symbol_matches(wrappers[i], "sys:accept"));
                assert_true(symbol_matches(wrappers[i], "x|sys:read|sys:accept|y"));
                assert_true(symbol_matches(wrappers[i], "sys:acc*"));
                assert_true(symbol_matches(wrappers[i], "sys:*"));
                assert_false(symbol_matches(wrappers[i], "accept|sys:accept4|sys:acc|sys:"));
        }
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                assert_false(symbol_matches(others[i], "sys:accept|sys:"));
        assert_true(symbol_matches("sys_accept", "sys_accept"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_modern, arena_setup, arena_teardown),
                cmocka_unit_test_setup_teardown(test_end_mark, arena_setup, arena_teardown),
                cmocka_unit_test_setup_teardown(test_every_form, arena_setup, arena_teardown),
                cmocka_unit_test_setup_teardown(test_line_ends, arena_setup, arena_teardown),
                cmocka_unit_test_setup_teardown(
                        test_restricted_pointers, arena_setup, arena_teardown),
                cmocka_unit_test_setup_teardown(test_truncated, arena_setup, arena_teardown),
                cmocka_unit_test_setup_teardown(test_junk, arena_setup, arena_teardown),
                cmocka_unit_test_setup_teardown(test_huge_numbers, arena_setup, arena_teardown),
                cmocka_unit_test_setup_teardown(test_long_symbol, arena_setup, arena_teardown),
                cmocka_unit_test_setup_teardown(test_every_cut, arena_setup, arena_teardown),
                cmocka_unit_test(test_base_length),
                cmocka_unit_test(test_matches),
                cmocka_unit_test(test_matches_syscall),
        };

        return cmocka_run_group_tests_name("stacktext", tests, NULL, NULL);
}
