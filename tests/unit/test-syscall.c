/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of system calls against the kernel's own headers and against numbers that
 * every tracer knows, and calls as text, from honest memory and from hostile memory.
 *
 * Memory is handed over in heap blocks of its exact length, so that the sanitizers see a
 * read beyond it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "resolve/syscall.h"

#define STRING(x) #x
#define EXPANDED(x) STRING(x)

#define LETTERS "iulxopsfFnPSt6vmLeGwOcWHBK"
#define NR_END 600

/* A name that the headers know expands to its number, another stays a name. */
static const struct {
        const char *name, *number;
        int x86_64, arm64;
} rows[] = {
#define CALL(name, x86_64, i386, arm64, args) { #name, EXPANDED(__NR_##name), x86_64, arm64 },
#define CALL32(name, i386, args)
#include "resolve/syscalls.def"
#undef CALL
#undef CALL32
};

static void test_headers(void **state)
{
        unsigned checked = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char *end;
                long number = strtol(rows[i].number, &end, 10);
#if defined(__x86_64__) && !defined(__ILP32__)
                enum abi abi = ABI_X86_64;
#elif defined(__aarch64__)
                enum abi abi = ABI_ARM64;
#else
                enum abi abi = ABI_UNKNOWN;
#endif

                if (abi == ABI_UNKNOWN || end == rows[i].number || *end)
                        continue;
                if (number != (abi == ABI_X86_64 ? rows[i].x86_64 : rows[i].arm64))
                        fail_msg("%s is %ld", rows[i].name, number);
                assert_int_equal(syscall_number(abi, rows[i].name), number);
                assert_string_equal(syscall_find(abi, number)->name, rows[i].name);
                checked++;
        }
#if defined(__x86_64__) || defined(__aarch64__)
        assert_true(checked >= 290);
#endif
}

struct spot {
        const char *name;
        long number;
};

static void check_spots(enum abi abi, const struct spot *spots, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                if (syscall_number(abi, spots[i].name) != spots[i].number)
                        fail_msg("%s is not %ld", spots[i].name, spots[i].number);
                assert_string_equal(syscall_find(abi, spots[i].number)->name, spots[i].name);
        }
}

static void test_numbers(void **state)
{
        static const struct spot x86_64[] = { { "read", 0 }, { "poll", 7 }, { "select", 23 },
                { "pause", 34 }, { "nanosleep", 35 }, { "accept", 43 }, { "wait4", 61 },
                { "semop", 65 }, { "flock", 73 }, { "futex", 202 }, { "epoll_wait", 232 },
                { "waitid", 247 }, { "openat", 257 }, { "accept4", 288 }, { "rseq", 334 },
                { "uprobe", 336 }, { "io_uring_enter", 426 }, { "epoll_pwait2", 441 },
                { "futex_waitv", 449 }, { "cachestat", 451 }, { "fchmodat2", 452 },
                { "map_shadow_stack", 453 }, { "futex_wake", 454 }, { "futex_wait", 455 },
                { "futex_requeue", 456 }, { "statmount", 457 }, { "listmount", 458 },
                { "lsm_list_modules", 461 }, { "mseal", 462 }, { "setxattrat", 463 },
                { "open_tree_attr", 467 }, { "file_setattr", 469 }, { "listns", 470 } };
        static const struct spot i386[] = { { "restart_syscall", 0 }, { "exit", 1 }, { "read", 3 },
                { "write", 4 }, { "open", 5 }, { "waitpid", 7 }, { "execve", 11 }, { "pause", 29 },
                { "ioctl", 54 }, { "fcntl", 55 }, { "sigsuspend", 72 }, { "select", 82 },
                { "mmap", 90 }, { "socketcall", 102 }, { "wait4", 114 }, { "ipc", 117 },
                { "fsync", 118 }, { "clone", 120 }, { "_llseek", 140 }, { "_newselect", 142 },
                { "flock", 143 }, { "readv", 145 }, { "nanosleep", 162 }, { "poll", 168 },
                { "rt_sigtimedwait", 177 }, { "pread64", 180 }, { "vfork", 190 }, { "mmap2", 192 },
                { "fcntl64", 221 }, { "futex", 240 }, { "epoll_wait", 256 },
                { "clock_nanosleep", 267 }, { "mq_timedreceive", 280 }, { "waitid", 284 },
                { "openat", 295 }, { "pselect6", 308 }, { "ppoll", 309 }, { "splice", 313 },
                { "recvmmsg", 337 }, { "connect", 362 }, { "accept4", 364 }, { "recvfrom", 371 },
                { "statx", 383 }, { "semget", 393 }, { "msgrcv", 401 }, { "clock_gettime64", 403 },
                { "clock_nanosleep_time64", 407 }, { "ppoll_time64", 414 },
                { "semtimedop_time64", 420 }, { "futex_time64", 422 },
                { "sched_rr_get_interval_time64", 423 }, { "pidfd_send_signal", 424 },
                { "epoll_pwait2", 441 }, { "futex_wait", 455 }, { "mseal", 462 } };
        static const struct spot arm64[] = { { "io_setup", 0 }, { "epoll_create1", 20 },
                { "epoll_pwait", 22 }, { "fcntl", 25 }, { "ioctl", 29 }, { "flock", 32 },
                { "renameat", 38 }, { "statfs", 43 }, { "openat", 56 }, { "close", 57 },
                { "pipe2", 59 }, { "lseek", 62 }, { "read", 63 }, { "write", 64 },
                { "pread64", 67 }, { "sendfile", 71 }, { "pselect6", 72 }, { "ppoll", 73 },
                { "splice", 76 }, { "newfstatat", 79 }, { "fstat", 80 }, { "fsync", 82 },
                { "exit", 93 }, { "waitid", 95 }, { "futex", 98 }, { "nanosleep", 101 },
                { "clock_nanosleep", 115 }, { "ptrace", 117 }, { "restart_syscall", 128 },
                { "rt_sigsuspend", 133 }, { "rt_sigtimedwait", 137 }, { "msgrcv", 188 },
                { "semtimedop", 192 }, { "semop", 193 }, { "accept", 202 }, { "connect", 203 },
                { "recvfrom", 207 }, { "clone", 220 }, { "mmap", 222 }, { "accept4", 242 },
                { "wait4", 260 }, { "syncfs", 267 }, { "statx", 291 }, { "kexec_file_load", 294 },
                { "io_uring_enter", 426 }, { "futex_waitv", 449 }, { "mseal", 462 } };

        (void)state;
        check_spots(ABI_X86_64, x86_64, ARRAY_SIZE(x86_64));
        check_spots(ABI_I386, i386, ARRAY_SIZE(i386));
        check_spots(ABI_ARM64, arm64, ARRAY_SIZE(arm64));
}

/* No number of the ranges that the kernel uses is missing. */
static void test_complete(void **state)
{
        (void)state;
        for (long nr = 0; nr <= 471; nr++) {
                bool unused = nr >= 337 && nr < 424;

                if (!!syscall_find(ABI_X86_64, nr) == unused)
                        fail_msg("x86-64: %ld", nr);
                unused = nr == 222 || nr == 223 || nr == 251 || nr == 285 || nr == 415 ||
                         (nr >= 387 && nr <= 392);
                if (!!syscall_find(ABI_I386, nr) == unused)
                        fail_msg("i386: %ld", nr);
                unused = (nr >= 244 && nr < 260) || (nr >= 295 && nr < 424);
                if (!!syscall_find(ABI_ARM64, nr) == unused)
                        fail_msg("arm64: %ld", nr);
        }
}

/* Every row found is well-formed, and found again by its name: no two share a name. */
static void test_rows(void **state)
{
        static const enum abi abis[] = { ABI_X86_64, ABI_I386, ABI_ARM64 };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(abis); i++)
                for (long nr = 0; nr < 512; nr++) {
                        const struct syscall_desc *d = syscall_find(abis[i], nr);

                        if (!d)
                                continue;
                        assert_true(strlen(d->name) >= 2);
                        assert_true(strlen(d->args) <= 6);
                        assert_int_equal(strspn(d->args, LETTERS), strlen(d->args));
                        assert_int_equal(syscall_number(abis[i], d->name), nr);
                        if (strpbrk(d->args, "SLB")) /* the length follows */
                                assert_int_equal(*(strpbrk(d->args, "SLB") + 1), 'u');
                        if (abis[i] != ABI_I386)
                                assert_null(strchr(d->args, '6'));
                        if (strchr(d->args, 'e'))
                                assert_memory_equal(d->args, "ieee", 4);
                        if (strchr(d->args, 'O'))
                                assert_memory_equal(d->args, "wOu", 3);
                }
}

static void test_find(void **state)
{
        const struct syscall_desc *d;

        (void)state;
        assert_null(syscall_find(ABI_UNKNOWN, 0));
        assert_null(syscall_find(ABI_X86_64, -1));
        assert_null(syscall_find(ABI_X86_64, 511));
        assert_null(syscall_find(ABI_I386, 512));
        assert_null(syscall_find(ABI_ARM64, 0x7fffffffffffffffL));
        assert_null(syscall_find(ABI_X86_64, (long)(1UL << 63)));
        assert_int_equal(syscall_number(ABI_X86_64, "no_such_call"), -1);
        assert_int_equal(syscall_number(ABI_ARM64, "open"), -1);
        assert_int_equal(syscall_number(ABI_I386, "accept"), -1);
        assert_int_equal(syscall_number(ABI_UNKNOWN, "read"), -1);

        /* x32: the bit, and numbers of its own */
        assert_string_equal(syscall_find(ABI_X86_64, 0x40000000 + 202)->name, "futex");
        assert_string_equal(syscall_find(ABI_X86_64, 0x40000000 + 512)->name, "rt_sigaction");
        assert_string_equal(syscall_find(ABI_X86_64, 517)->name, "recvfrom");
        assert_string_equal(syscall_find(ABI_X86_64, 0x40000000 + 529)->name, "waitid");
        assert_string_equal(syscall_find(ABI_X86_64, 547)->name, "pwritev2");
        assert_null(syscall_find(ABI_X86_64, 548));
        for (long nr = 548; nr < NR_END; nr++)
                assert_null(syscall_find(ABI_I386, nr));

        d = syscall_find(ABI_X86_64, 275);
        assert_string_equal(d->name, "splice");
        assert_int_equal(syscall_arg(d, 'f', 0), 0);
        assert_int_equal(syscall_arg(d, 'f', 1), 2);
        assert_int_equal(syscall_arg(d, 'f', 2), -1);
        assert_int_equal(syscall_arg(d, 't', 0), -1);
        assert_int_equal(syscall_arg(d, '\0', 0), -1);
        assert_int_equal(syscall_arg(NULL, 'f', 0), -1);

        /* the same call, other arguments */
        assert_string_equal(syscall_find(ABI_X86_64, 441)->args, "fpitGu");
        assert_string_equal(syscall_find(ABI_I386, 441)->args, "fpi6Gu");
        assert_string_equal(syscall_find(ABI_X86_64, 23)->args, "ieeev");
        assert_string_equal(syscall_find(ABI_I386, 82)->args, "p");
        assert_string_equal(syscall_find(ABI_I386, 142)->args, "ieeev");

        assert_int_equal(abi_from_machine("x86_64"), ABI_X86_64);
        assert_int_equal(abi_from_machine("aarch64"), ABI_ARM64);
        assert_int_equal(abi_from_machine("riscv64"), ABI_UNKNOWN);
        assert_int_equal(abi_from_machine(NULL), ABI_UNKNOWN);
}

static void test_is(void **state)
{
        struct call call = { .desc = syscall_find(ABI_X86_64, 43) };

        (void)state;
        assert_true(call_is(&call, "accept"));
        assert_true(call_is(&call, "accept4|accept"));
        assert_true(call_is(&call, "accept|accept4"));
        assert_false(call_is(&call, "accept4|acc|acceptx"));
        assert_false(call_is(&call, ""));
        assert_false(call_is(&call, "|"));
        call.desc = NULL;
        assert_false(call_is(&call, "accept"));
}

static struct call call_new(enum abi abi, const char *name)
{
        struct call call = { .state = CALL_INSIDE, .abi = abi };

        call.nr = syscall_number(abi, name);
        call.desc = syscall_find(abi, call.nr);
        assert_non_null(call.desc);
        return call;
}

/* The line for a call by this name, with those arguments; none has memory. */
static void check_call(enum abi abi, const char *name, const uint64_t args[6], const char *expected)
{
        struct call call = call_new(abi, name);
        struct arena *a = arena_new();

        memcpy(call.args, args, sizeof(call.args));
        assert_string_equal(call_format(a, &call), expected);
        arena_free(a);
}

#define ARGS(...) ((const uint64_t[6]){ __VA_ARGS__ })

/* …with memory behind the i-th argument, which is 0x1000. */
static void check_memory(enum abi abi, const char *name, const uint64_t args[6], int i,
        const void *bytes, size_t len, const char *expected)
{
        struct call call = call_new(abi, name);
        struct arena *a = arena_new();
        _cleanup_free_ void *copy = malloc(len ? len : 1);

        assert_non_null(copy);
        memcpy(copy, bytes, len);
        memcpy(call.args, args, sizeof(call.args));
        call.args[i] = 0x1000;
        call.memory[i] = (struct call_memory){ copy, len };
        assert_string_equal(call_format(a, &call), expected);
        arena_free(a);
}

static void test_format(void **state)
{
        const uint64_t minus_1 = UINT64_MAX, fdcwd = (uint64_t)-100;
        struct call call = {
                .state = CALL_INSIDE, .abi = ABI_X86_64, .nr = 1234, .args = { 1, 2 }
        };
        struct arena *a = arena_new();

        (void)state;
        assert_string_equal(call_format(a, &call), "syscall 1234(0x1, 0x2, 0x0, 0x0, 0x0, 0x0)");
        call.state = CALL_OUTSIDE;
        assert_null(call_format(a, &call));
        call.state = CALL_RUNNING;
        assert_null(call_format(a, &call));
        call.state = CALL_UNKNOWN;
        assert_null(call_format(a, &call));
        arena_free(a);

        check_call(ABI_X86_64, "accept", ARGS(3, 0x7ffc1234, 0x7ffc1230),
                "accept(3, 0x7ffc1234, 0x7ffc1230)");
        check_call(ABI_X86_64, "accept", ARGS(0xffffffff00000003), "accept(3, NULL, NULL)");
        check_call(ABI_X86_64, "pause", ARGS(7), "pause()");
        check_call(ABI_X86_64, "poll", ARGS(0, 0, minus_1), "poll(NULL, 0, -1)");
        check_call(ABI_X86_64, "poll", ARGS(0x10, 1, 0xffffffff), "poll(0x10, 1, -1)");
        check_call(ABI_X86_64, "read", ARGS(minus_1, 0x10, 1UL << 40),
                "read(-1, 0x10, 1099511627776)");
        check_call(ABI_I386, "read", ARGS(0, 0xffffffff00000010, minus_1),
                "read(0, 0x10, 4294967295)");
        check_call(ABI_X86_64, "wait4", ARGS(minus_1, 0, 0x40000000),
                "wait4(-1, NULL, 0x40000000, NULL)");
        check_call(ABI_X86_64, "waitid", ARGS(1, 77, 0, 4), "waitid(P_PID, 77, NULL, 0x4, NULL)");
        check_call(ABI_X86_64, "waitid", ARGS(9, 77, 0, 4), "waitid(9, 77, NULL, 0x4, NULL)");
        check_call(ABI_X86_64, "kill", ARGS(7, 15), "kill(7, SIGTERM)");
        check_call(ABI_X86_64, "kill", ARGS(minus_1, 0), "kill(-1, 0)");
        check_call(ABI_ARM64, "tgkill", ARGS(7, 8, 34), "tgkill(7, 8, SIGRT_2)");
        check_call(ABI_ARM64, "tgkill", ARGS(7, 8, 65), "tgkill(7, 8, 65)");
        check_call(ABI_X86_64, "openat", ARGS(fdcwd, 0x10, 0x80000, 0666),
                "openat(AT_FDCWD, 0x10, 0x80000)");
        check_call(ABI_X86_64, "openat", ARGS(4, 0x10, 0x80041, 0644),
                "openat(4, 0x10, 0x80041, 0644)");
        check_call(
                ABI_X86_64, "openat", ARGS(4, 0x10, 0x410002, 0), "openat(4, 0x10, 0x410002, 0)");
        check_call(ABI_X86_64, "mq_open", ARGS(0x10, 0, 5, 5), "mq_open(0x10, 0x0)");
        check_call(ABI_I386, "lseek", ARGS(3, 0xfffffff0, 0), "lseek(3, -16, 0)");
        check_call(ABI_X86_64, "lseek", ARGS(3, 0xfffffff0, 0), "lseek(3, 4294967280, 0)");
        check_call(ABI_X86_64, "clock_nanosleep", ARGS(1, 1, 0x10, 0),
                "clock_nanosleep(CLOCK_MONOTONIC, 0x1, 0x10, NULL)");
        check_call(ABI_X86_64, "clock_nanosleep", ARGS(0xfffffffa, 0, 0x10, 0),
                "clock_nanosleep(-6, 0x0, 0x10, NULL)");
}

static void test_futex(void **state)
{
        static const uint8_t second[16] = { 1 };

        (void)state;
        check_call(ABI_X86_64, "futex", ARGS(0x1000, 128, 2, 0, 9, 9),
                "futex(0x1000, FUTEX_WAIT_PRIVATE, 2, NULL)");
        check_call(ABI_X86_64, "futex", ARGS(0x1000, 129, 1, 9, 9, 9),
                "futex(0x1000, FUTEX_WAKE_PRIVATE, 1)");
        check_call(ABI_X86_64, "futex", ARGS(0x1000, 393, 2, 0x20, 0, 0xffffffff),
                "futex(0x1000, FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME, 2, 0x20, NULL, "
                "0xffffffff)");
        check_call(ABI_X86_64, "futex", ARGS(0x1000, 3, 1, 100, 0x2000, 9),
                "futex(0x1000, FUTEX_REQUEUE, 1, 100, 0x2000)");
        check_call(ABI_X86_64, "futex", ARGS(0x1000, 99, 1, 2, 3, 4),
                "futex(0x1000, 0x63, 1, 0x2, 0x3, 0x4)");
        check_call(ABI_X86_64, "futex", ARGS(0x1000, 0x400, 1, 2, 3, 4),
                "futex(0x1000, 0x400, 1, 0x2)");
        check_memory(ABI_X86_64, "futex", ARGS(0x1000, 0, 1), 3, second, 16,
                "futex(0x1000, FUTEX_WAIT, 1, {tv_sec=1, tv_nsec=0})");
        check_memory(ABI_I386, "futex", ARGS(0x1000, 0, 1), 3, second, 8,
                "futex(0x1000, FUTEX_WAIT, 1, {tv_sec=1, tv_nsec=0})");
        check_memory(ABI_I386, "futex_time64", ARGS(0x1000, 0, 1), 3, second, 16,
                "futex_time64(0x1000, FUTEX_WAIT, 1, {tv_sec=1, tv_nsec=0})");
        check_memory(ABI_X86_64, "futex", ARGS(0x1000, 0, 1), 0, second, 4,
                "futex(0x1000, FUTEX_WAIT, 1, NULL)");
}

static void test_times(void **state)
{
        static const uint8_t t64[16] = { 2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xc9, 0x9a, 0x3b };
        static const uint8_t t32[8] = { 0xff, 0xff, 0xff, 0xff, 5 };
        static const uint8_t padded[16] = { 2, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0xee, 0xee, 0xee };

        (void)state;
        check_memory(ABI_X86_64, "nanosleep", ARGS(0), 0, t64, 16,
                "nanosleep({tv_sec=2, tv_nsec=999999999}, NULL)");
        check_memory(ABI_X86_64, "nanosleep", ARGS(0), 0, t64, 15, "nanosleep(0x1000, NULL)");
        check_memory(ABI_I386, "nanosleep", ARGS(0), 0, t32, 8,
                "nanosleep({tv_sec=-1, tv_nsec=5}, NULL)");
        check_memory(ABI_I386, "nanosleep", ARGS(0), 0, t32, 7, "nanosleep(0x1000, NULL)");
        check_memory(ABI_I386, "clock_nanosleep_time64", ARGS(0), 2, padded, 16,
                "clock_nanosleep_time64(CLOCK_REALTIME, 0x0, {tv_sec=2, tv_nsec=7}, NULL)");
        check_memory(ABI_X86_64, "select", ARGS(0), 4, t64, 16,
                "select(0, NULL, NULL, NULL, {tv_sec=2, tv_usec=999999999})");
        check_memory(ABI_I386, "_newselect", ARGS(0), 4, t32, 8,
                "_newselect(0, NULL, NULL, NULL, {tv_sec=-1, tv_usec=5})");
}

static void test_sets(void **state)
{
        uint8_t set[128], signals[8] = { 0x02, 0, 0x01, 0x80 };

        (void)state;
        memset(set, 0, sizeof(set));
        set[0] = 0x28;
        set[2] = 0x01;
        check_memory(ABI_X86_64, "select", ARGS(17), 1, set, 8,
                "select(17, [3 5 16], NULL, NULL, NULL)");
        check_memory(
                ABI_X86_64, "select", ARGS(16), 1, set, 8, "select(16, [3 5], NULL, NULL, NULL)");
        check_memory(
                ABI_X86_64, "select", ARGS(17), 1, set, 1, "select(17, [3 5 …], NULL, NULL, NULL)");
        check_memory(
                ABI_X86_64, "select", ARGS(17), 1, set, 0, "select(17, 0x1000, NULL, NULL, NULL)");
        check_memory(ABI_X86_64, "select", ARGS(0x80000000), 1, set, 8,
                "select(-2147483648, [], NULL, NULL, NULL)");
        memset(set, 0xff, sizeof(set));
        check_memory(ABI_X86_64, "select", ARGS(16), 2, set, 8,
                "select(16, NULL, [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15], NULL, NULL)");
        check_memory(ABI_X86_64, "select", ARGS(0x7fffffff), 2, set, 128,
                "select(2147483647, NULL, [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 …], NULL, NULL)");

        check_memory(ABI_X86_64, "rt_sigsuspend", ARGS(0, 8), 0, signals, 8,
                "rt_sigsuspend([INT CHLD RT_0], 8)");
        check_memory(
                ABI_X86_64, "rt_sigsuspend", ARGS(0, 8), 0, signals, 7, "rt_sigsuspend(0x1000, 8)");
        memset(signals, 0xff, 8);
        check_memory(
                ABI_X86_64, "rt_sigsuspend", ARGS(0, 8), 0, signals, 8, "rt_sigsuspend(~[], 8)");
        signals[1] = 0xfe;
        check_memory(ABI_X86_64, "rt_sigsuspend", ARGS(0, 8), 0, signals, 8,
                "rt_sigsuspend(~[KILL], 8)");
}

static void test_arrays(void **state)
{
        static const uint8_t two[] = { 3, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 5, 0x20, 9,
                9 };
        static const uint8_t odd[] = { 3, 0, 0, 0, 0, 0x40, 0, 0 };
        static const uint8_t sembuf[] = { 1, 0, 0xff, 0xff, 0, 0x10 };
        uint8_t many[80] = { 0 };

        (void)state;
        check_memory(ABI_X86_64, "poll", ARGS(0, 2, 1000), 0, two, 16,
                "poll([{fd=3, events=POLLIN}, {fd=-1, events=POLLIN|POLLOUT|POLLRDHUP}], 2, 1000)");
        check_memory(ABI_X86_64, "poll", ARGS(0, 3, 0), 0, two, 15,
                "poll([{fd=3, events=POLLIN}, …], 3, 0)");
        check_memory(ABI_X86_64, "poll", ARGS(0, 1, 0), 0, odd, 8,
                "poll([{fd=3, events=0x4000}], 1, 0)");
        check_memory(ABI_X86_64, "poll", ARGS(0, 1, 0), 0, odd, 7, "poll(0x1000, 1, 0)");
        check_memory(ABI_X86_64, "poll", ARGS(0, 0, 0), 0, two, 16, "poll([], 0, 0)");
        check_memory(ABI_X86_64, "poll", ARGS(0, 0xffffffff, 0), 0, many, 80,
                "poll([{fd=0, events=0}, {fd=0, events=0}, {fd=0, events=0}, {fd=0, events=0}, "
                "{fd=0, events=0}, {fd=0, events=0}, {fd=0, events=0}, {fd=0, events=0}, …], "
                "4294967295, 0)");
        check_memory(ABI_X86_64, "semop", ARGS(4, 0, 1), 1, sembuf, 6,
                "semop(4, [{sem_num=1, sem_op=-1, sem_flg=0x1000}], 1)");
        check_memory(ABI_X86_64, "semtimedop", ARGS(4, 0, 2), 1, sembuf, 6,
                "semtimedop(4, [{sem_num=1, sem_op=-1, sem_flg=0x1000}, …], 2, NULL)");
        check_memory(ABI_X86_64, "semop", ARGS(4, 0, 1), 1, sembuf, 5, "semop(4, 0x1000, 1)");
}

static void test_sockaddrs(void **state)
{
        static const uint8_t in[16] = { 2, 0, 0x1f, 0x90, 127, 0, 0, 1 };
        static const uint8_t in6[28] = { 10, 0, 0, 80, [8] = 0xfe, 0x80, [23] = 1, 2 };
        static const uint8_t netlink[12] = { 16, 0, 0, 0, 5, 0, 0, 0, 1 };
        static const uint8_t other[4] = { 40 };

        (void)state;
        check_memory(ABI_X86_64, "connect", ARGS(3, 0, 16), 1, in, 16,
                "connect(3, {AF_INET, 127.0.0.1:8080}, 16)");
        check_memory(ABI_X86_64, "connect", ARGS(3, 0, 16), 1, in, 7, "connect(3, {family=2}, 16)");
        check_memory(ABI_X86_64, "connect", ARGS(3, 0, 16), 1, in, 1, "connect(3, 0x1000, 16)");
        check_memory(ABI_X86_64, "connect", ARGS(3, 0, 28), 1, in6, 28,
                "connect(3, {AF_INET6, [fe80::1%2]:80}, 28)");
        check_memory(ABI_X86_64, "connect", ARGS(3, 0, 24), 1, in6, 24,
                "connect(3, {AF_INET6, [fe80::1]:80}, 24)");
        check_memory(ABI_X86_64, "bind", ARGS(3, 0, 12), 1, netlink, 12,
                "bind(3, {AF_NETLINK, pid=5, groups=0x1}, 12)");
        check_memory(ABI_X86_64, "bind", ARGS(3, 0, 4), 1, other, 4, "bind(3, {family=40}, 4)");
        check_memory(ABI_X86_64, "bind", ARGS(3, 0, 2), 1, "\0\0", 2, "bind(3, {AF_UNSPEC}, 2)");
        check_memory(ABI_X86_64, "connect", ARGS(3, 0, 110), 1, "\1\0/run/x\0garbage", 16,
                "connect(3, {AF_UNIX, \"/run/x\"}, 110)");
        check_memory(ABI_X86_64, "connect", ARGS(3, 0, 8), 1, "\1\0/run/x", 8,
                "connect(3, {AF_UNIX, \"/run/x\"}, 8)");
        check_memory(ABI_X86_64, "connect", ARGS(3, 0, 6), 1, "\1\0\0bus more", 11,
                "connect(3, {AF_UNIX, @\"bus\"}, 6)");
        check_memory(
                ABI_X86_64, "connect", ARGS(3, 0, 2), 1, "\1\0", 2, "connect(3, {AF_UNIX}, 2)");
        check_memory(ABI_X86_64, "connect", ARGS(3, 0, 3), 1, "\1\0\0", 3,
                "connect(3, {AF_UNIX, @\"\"}, 3)");
        check_memory(ABI_X86_64, "sendto", ARGS(3, 0x20, 5, 0, 0, 16), 4, in, 16,
                "sendto(3, 0x20, 5, 0x0, {AF_INET, 127.0.0.1:8080}, 16)");
}

static void test_strings(void **state)
{
        const uint64_t fdcwd = (uint64_t)-100;
        struct call call = call_new(ABI_X86_64, "mount");
        struct arena *a = arena_new();
        const char *line;
        char *hostile;

        (void)state;
        check_memory(ABI_X86_64, "openat", ARGS(fdcwd), 1, "/dev/x\0rest", 11,
                "openat(AT_FDCWD, \"/dev/x\", 0x0)");
        check_memory(ABI_X86_64, "openat", ARGS(fdcwd), 1, "/dev/x", 6,
                "openat(AT_FDCWD, \"/dev/x\"…, 0x0)");
        check_memory(ABI_X86_64, "openat", ARGS(fdcwd), 1, "", 0, "openat(AT_FDCWD, 0x1000, 0x0)");
        check_memory(ABI_X86_64, "openat", ARGS(fdcwd), 1, "", 1, "openat(AT_FDCWD, \"\", 0x0)");
        check_memory(ABI_X86_64, "openat", ARGS(fdcwd), 1, "a\033[2Jb\n\"\\", 10,
                "openat(AT_FDCWD, \"a\\e[2Jb\\n\\\"\\\\\", 0x0)");

        /* As long as it gets: three strings of nothing but what must be escaped. */
        hostile = malloc(5000);
        assert_non_null(hostile);
        memset(hostile, 0xff, 5000);
        for (int i = 0; i < 3; i++) {
                call.args[i] = 0x1000;
                call.memory[i] = (struct call_memory){ hostile, 5000 };
        }
        line = call_format(a, &call);
        free(hostile);
        assert_non_null(line);
        assert_true(strlen(line) < 4096);
        assert_null(strchr(line, '\033'));
        assert_memory_equal(line, "mount(\"\\xff\\xff", 15);
        arena_free(a);
}

/* Bytes and registers without sense, behind every argument of every call: no reading
 * beyond, nothing that acts on a terminal, always a line. */
static void test_nonsense(void **state)
{
        static const enum abi abis[] = { ABI_X86_64, ABI_I386, ABI_ARM64 };
        uint32_t random = 12345;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(abis) * 512; i++) {
                struct call call = { .state = CALL_INSIDE, .abi = abis[i / 512], .nr = i % 512 };
                struct arena *a = arena_new();
                uint8_t *blocks[6];
                const char *line;

                call.desc = syscall_find(call.abi, call.nr);
                for (int k = 0; k < 6; k++) {
                        size_t len = (random = random * 1664525 + 1013904223) >> 24;

                        blocks[k] = malloc(len ? len : 1);
                        assert_non_null(blocks[k]);
                        for (size_t n = 0; n < len; n++)
                                blocks[k][n] =
                                        (random = random * 1664525 + 1013904223) >> 24 & 0x9f;
                        call.args[k] = random & 0x100 ? random : UINT64_MAX - (random >> 20);
                        call.memory[k] = (struct call_memory){ blocks[k], len };
                }
                line = call_format(a, &call);
                assert_non_null(line);
                for (const char *c = line; *c; c++)
                        assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
                for (int k = 0; k < 6; k++)
                        free(blocks[k]);
                arena_free(a);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_headers),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_complete),
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_find),
                cmocka_unit_test(test_is),
                cmocka_unit_test(test_format),
                cmocka_unit_test(test_futex),
                cmocka_unit_test(test_times),
                cmocka_unit_test(test_sets),
                cmocka_unit_test(test_arrays),
                cmocka_unit_test(test_sockaddrs),
                cmocka_unit_test(test_strings),
                cmocka_unit_test(test_nonsense),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
