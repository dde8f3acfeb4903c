/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/procfile.c: files of each kernel generation, hostile names, cut texts. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/procfile.h"

/* From a heap buffer of the exact length, so that a sanitizer sees any look beyond it. */
#define PARSE_EXACT(function, text, len, ret)                                                      \
        ({                                                                                         \
                size_t len_ = (len);                                                               \
                _cleanup_free_ char *exact_ = malloc(len_ ? len_ : 1);                             \
                assert_non_null(exact_);                                                           \
                memcpy(exact_, (text), len_);                                                      \
                function(len_ ? exact_ : exact_ + 1, len_, (ret));                                 \
        })

#define PARSE(function, text, ret) PARSE_EXACT(function, text, strlen(text), ret)

static const char stat_6_18[] =
        "4242 (accept.out) S 1 4242 4242 34816 4242 4194304 113 0 0 0 7 9 0 0 20 0 1 0 140849 "
        "3133440 358 18446744073709551615 94908611522560 94908611541273 140728605608960 0 0 0 0 "
        "0 0 1 0 0 17 3 0 0 0 0 0 94908611556272 94908611557920 94908629225472 140728605615567 "
        "140728605615571 140728605615571 140728605618155 0\n";
static const char stat_kthread[] =
        "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 25 0 0 18446744073709551615 "
        "0 0 0 0 0 0 0 2147483647 0 1 0 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
static const char stat_2_6_32[] =
        "1904 (sshd) S 1 1904 1904 0 -1 4202816 581 1301 0 0 0 1 2 3 20 0 1 0 1613 65646592 148 "
        "18446744073709551615 1 1 0 0 0 0 0 4096 81925 18446744073709551615 0 0 17 0 0 0 0 0 0\n";
static const char stat_tail[] =
        " D 7 1 1 0 -1 4194304 0 0 0 0 5 6 0 0 20 0 1 0 99 0 0 1 0 0 0 0 0 0 "
        "0 0 0 1 0 0 17 2 0 0 0\n";

static void test_stat(void **state)
{
        struct procfile_stat s;

        (void)state;
        assert_int_equal(PARSE(procfile_stat, stat_6_18, &s), 1);
        assert_string_equal(s.comm, "accept.out");
        assert_int_equal(s.comm_len, 10);
        assert_int_equal(s.state, 'S');
        assert_int_equal(s.ppid, 1);
        assert_int_equal(s.flags, 4194304);
        assert_int_equal(s.utime, 7);
        assert_int_equal(s.stime, 9);
        assert_int_equal(s.start_time, 140849);
        assert_int_equal(s.cpu, 3);
        assert_int_equal(s.exit_signal, SIGCHLD);

        assert_int_equal(PARSE(procfile_stat, stat_kthread, &s), 1);
        assert_true(s.flags & 0x00200000);
        assert_int_equal(s.ppid, 0);
        assert_int_equal(s.start_time, 25);
        assert_int_equal(s.cpu, 1);

        assert_int_equal(PARSE(procfile_stat, stat_2_6_32, &s), 1);
        assert_string_equal(s.comm, "sshd");
        assert_int_equal(s.start_time, 1613);
        assert_int_equal(s.cpu, 0);

        /* Without the field of the CPU. */
        assert_int_equal(PARSE(procfile_stat,
                                 "1 (init) S 0 0 0 0 -1 256 0 0 0 0 1 2 3 4 20 0 1 0 44 5 6\n", &s),
                1);
        assert_int_equal(s.start_time, 44);
        assert_int_equal(s.cpu, -1);
        assert_int_equal(s.exit_signal, 0);
}

static void test_stat_names(void **state)
{
        static const char *const names[] = { "", " ", ")", "(", "a b", "a) R 1 2 3", ") S (", "\n",
                "x\n1 (y) R 2", "))))", "kworker/u16:3-events_unbound", "\033[31m", "\377\376",
                "0123456789012345678901234567890123456789012345678901234567890123" };
        struct procfile_stat s;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                char text[512];

                snprintf(text, sizeof(text), "31 (%s)%s", names[i], stat_tail);
                assert_int_equal(PARSE(procfile_stat, text, &s), 1);
                assert_string_equal(s.comm, names[i]);
                assert_int_equal(s.comm_len, strlen(names[i]));
                assert_int_equal(s.state, 'D');
                assert_int_equal(s.ppid, 7);
                assert_int_equal(s.start_time, 99);
                assert_int_equal(s.cpu, 2);
        }

        /* Longer than any kernel's: cut. */
        char text[1024];
        snprintf(text, sizeof(text), "31 (%0300d)%s", 0, stat_tail);
        assert_int_equal(PARSE(procfile_stat, text, &s), 1);
        assert_int_equal(s.comm_len, COMM_MAX);
        assert_int_equal(strlen(s.comm), COMM_MAX);
}

static void test_stat_refused(void **state)
{
        static const char *const texts[] = {
                "",
                "\n",
                "4242",
                "4242 (",
                "(x) S 1",
                "4242 (x)",
                "4242 (x) S",
                "4242 (x) S 1 2 3\n",
                "4242 (x) 1 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 99 0 0 1\n",
                "4242 (x) SS 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 99 0 0 1\n",
                "4242 (x)S 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 99 0 0 1\n",
                "4242 (x) S -1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 99 0 0 1\n",
                "4242 (x) S 4294967296 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 99 0 0 1\n",
                "4242 (x) S 1 1 1 0 -1 4294967296 0 0 0 0 5 6 0 0 20 0 1 0 99 0 0 1\n",
                "4242 (x) S 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 -99 0 0 1\n",
                "4242 (x) S 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 18446744073709551616 0 0 1\n",
                "4242 (x) S 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 99",
                "4242 (x) S 1 1 1 0 -1 0 0 0 0 0 5 six 0 0 20 0 1 0 99 0 0 1\n",
                "-4242 (x) S 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 99 0 0 1\n",
        };
        static const char with_nul[] =
                "1 (a\0b) S 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 99 0 0 1\n";
        struct procfile_stat s = { .cpu = 77 };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                assert_int_equal(PARSE(procfile_stat, texts[i], &s), 0);
        assert_int_equal(PARSE_EXACT(procfile_stat, with_nul, sizeof(with_nul) - 1, &s), 0);
        assert_int_equal(s.cpu, 77);
}

#define DASHES "-------------------------------------------------------------------\n"

static const char sched_6_18[] =
        "cat (5974, #threads: 1)\n" DASHES
        "se.exec_start                                :       1408108.233702\n"
        "se.vruntime                                  :            95.663062\n"
        "nr_switches                                  :                   42\n"
        "nr_voluntary_switches                        :                   40\n"
        "nr_involuntary_switches                      :                    2\n"
        "current_node=0, numa_group_id=0\n";
static const char sched_2_6_32[] = "sshd (1904, #threads: 1)\n"
                                   "---------------------------------------------------------\n"
                                   "se.exec_start                      :     183012345.000001\n"
                                   "se.sum_exec_runtime                :            12.345678\n"
                                   "nr_switches                        :                  271\n";

static void test_sched(void **state)
{
        struct procfile_sched s;

        (void)state;
        assert_int_equal(PARSE(procfile_sched, sched_6_18, &s), 1);
        assert_true(s.has_exec_start);
        assert_int_equal(s.exec_start_ns, 1408108233702);
        assert_true(s.has_switches);
        assert_int_equal(s.switches, 42);

        assert_int_equal(PARSE(procfile_sched, sched_2_6_32, &s), 1);
        assert_true(s.has_exec_start);
        assert_int_equal(s.exec_start_ns, 183012345000001);
        assert_int_equal(s.switches, 271);
}

static void test_sched_forged(void **state)
{
        /* All that 15 bytes can hold, and what only a longer name could. */
        static const char *const names[] = { "\nnr_switches :1", "\nnr_switches:1\n",
                "\n---\n---\n---\n-", "---------------", "\n--------------", "\n-------------\n",
                "\nse.exec_start", "x\n------\nnr_switches : 1\nse.exec_start : 1.000000\n",
                "(1, #threads: 1)\n" };
        struct procfile_sched s;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                char text[1024];

                snprintf(text, sizeof(text), "%s%s", names[i], sched_6_18 + strlen("cat"));
                assert_int_equal(PARSE(procfile_sched, text, &s), 1);
                assert_int_equal(s.exec_start_ns, 1408108233702);
                assert_int_equal(s.switches, 42);
        }
        assert_int_equal(PARSE(procfile_sched, "\nnr_switches : 1\n (1, #threads: 1)\n", &s), 0);
}

static void test_sched_numbers(void **state)
{
        static const struct {
                const char *value;
                bool told;
                uint64_t ns;
        } cases[] = {
                { "0.000000", true, 0 },
                { "0.000001", true, 1 },
                { "18446744073709.551615", true, UINT64_MAX },
                { "18446744073709.551616", false, 0 },
                { "18446744073709551615.000000", false, 0 },
                { "99999999999999999999.000000", false, 0 },
                { "-1.500000", false, 0 },
                { "1.-500000", false, 0 },
                { "1", false, 0 },
                { "1.5", false, 0 },
                { "1.0000000", false, 0 },
                { "1.000000x", false, 0 },
                { "1 .000000", false, 0 },
                { "", false, 0 },
        };
        struct procfile_sched s;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char text[512];

                snprintf(text, sizeof(text),
                        "x (1, #threads: 1)\n" DASHES "se.exec_start :  %s\nnr_switches : 5\n",
                        cases[i].value);
                assert_int_equal(PARSE(procfile_sched, text, &s), 1);
                assert_int_equal(s.has_exec_start, cases[i].told);
                if (cases[i].told)
                        assert_true(s.exec_start_ns == cases[i].ns);
                assert_int_equal(s.switches, 5);
        }
        assert_int_equal(
                PARSE(procfile_sched, "x (1, #threads: 1)\n" DASHES "nr_switches : -5\n", &s), 0);
        assert_int_equal(
                PARSE(procfile_sched, "x (1, #threads: 1)\n" DASHES "nr_switches : 5", &s), 0);
        assert_int_equal(PARSE(procfile_sched, "", &s), 0);
}

static const char status_6_18[] = "Name:\taccept.out\n"
                                  "Umask:\t0022\n"
                                  "State:\tS (sleeping)\n"
                                  "Tgid:\t4242\n"
                                  "Ngid:\t0\n"
                                  "Pid:\t4243\n"
                                  "PPid:\t1\n"
                                  "TracerPid:\t99\n"
                                  "Uid:\t1000\t1001\t1002\t1003\n"
                                  "Gid:\t1000\t1000\t1000\t1000\n"
                                  "FDSize:\t64\n"
                                  "Groups:\t4 24 \n"
                                  "NStgid:\t4242\t16\t1\n"
                                  "NSpid:\t4243\t17\t2\n"
                                  "VmPeak:\t    3060 kB\n"
                                  "CapInh:\t0000000000000000\n"
                                  "CapEff:\t000001fffeffffff\n"
                                  "Cpus_allowed_list:\t0-1\n"
                                  "voluntary_ctxt_switches:\t40\n"
                                  "nonvoluntary_ctxt_switches:\t2\n";
static const char status_2_6_32[] = "Name:\tsshd\n"
                                    "State:\tS (sleeping)\n"
                                    "Tgid:\t1904\n"
                                    "Pid:\t1904\n"
                                    "PPid:\t1\n"
                                    "TracerPid:\t0\n"
                                    "Uid:\t0\t0\t0\t0\n"
                                    "CapEff:\tffffffffffffffff\n"
                                    "voluntary_ctxt_switches:\t200\n"
                                    "nonvoluntary_ctxt_switches:\t71\n";

static void status_check(const struct procfile_status *s)
{
        assert_int_equal(s->tgid, 4242);
        assert_int_equal(s->tracer, 99);
        assert_true(s->has_uid);
        assert_int_equal(s->uid, 1001);
        assert_int_equal(s->inner_pid, 2);
        assert_true(s->has_switches);
        assert_int_equal(s->switches, 42);
        assert_true(s->cap_eff == 0x1fffeffffff);
}

static void test_status(void **state)
{
        struct procfile_status s;

        (void)state;
        assert_int_equal(PARSE(procfile_status, status_6_18, &s), 1);
        status_check(&s);

        assert_int_equal(PARSE(procfile_status, status_2_6_32, &s), 1);
        assert_int_equal(s.tgid, 1904);
        assert_int_equal(s.tracer, 0);
        assert_true(s.has_uid);
        assert_int_equal(s.uid, 0);
        assert_int_equal(s.inner_pid, 0);
        assert_int_equal(s.switches, 271);
        assert_true(s.cap_eff == UINT64_MAX);
}

static void test_status_forged(void **state)
{
        static const char *const names[] = { "x\\nTgid:\\t1", "x\nTgid:\t1", "x\nTracerPid:\t1",
                "x\nState:\nNSpid:1", "x\nNSpid:\t4\t5\n", "\nUid:\t0\t0\n", "Tgid:\t1" };
        struct procfile_status s;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                char text[2048];

                snprintf(text, sizeof(text), "Name:\t%s%s", names[i],
                        status_6_18 + strlen("Name:\taccept.out"));
                assert_int_equal(PARSE(procfile_status, text, &s), 1);
                status_check(&s);
                snprintf(text, sizeof(text), "Name:\t%s%s", names[i],
                        status_2_6_32 + strlen("Name:\tsshd"));
                assert_int_equal(PARSE(procfile_status, text, &s), 1);
                assert_int_equal(s.tgid, 1904);
                assert_int_equal(s.tracer, 0);
                assert_int_equal(s.inner_pid, 0);
        }
}

static void test_status_numbers(void **state)
{
        struct procfile_status s;

        (void)state;
        assert_int_equal(PARSE(procfile_status, "", &s), 0);
        assert_int_equal(PARSE(procfile_status, "Name:\tx\n", &s), 0);
        assert_int_equal(PARSE(procfile_status, "Tgid:\t0\n", &s), 0);
        assert_int_equal(PARSE(procfile_status, "Tgid:\t-1\n", &s), 0);
        assert_int_equal(PARSE(procfile_status, "Tgid:\t4294967297\n", &s), 0);
        assert_int_equal(PARSE(procfile_status, "Tgid:\t12", &s), 0);
        assert_int_equal(PARSE(procfile_status, " Tgid:\t12\n", &s), 0);

        assert_int_equal(PARSE(procfile_status,
                                 "Tgid:\t1\nTracerPid:\tx\nUid:\t0\nNSpid:\t1\tx\nCapEff:\tg\n"
                                 "voluntary_ctxt_switches:\t1\n",
                                 &s),
                1);
        assert_int_equal(s.tgid, 1);
        assert_int_equal(s.tracer, 0);
        assert_false(s.has_uid);
        assert_int_equal(s.inner_pid, 0);
        assert_false(s.has_switches);
        assert_int_equal(s.cap_eff, 0);

        assert_int_equal(PARSE(procfile_status,
                                 "Tgid:\t1\r\nUid:\t0\t4294967295\t0\t0\n"
                                 "voluntary_ctxt_switches:\t18446744073709551615\n"
                                 "nonvoluntary_ctxt_switches:\t1\n",
                                 &s),
                1);
        assert_true(s.has_uid);
        assert_int_equal(s.uid, UINT32_MAX);
        assert_false(s.has_switches);
}

static void test_syscall(void **state)
{
        static const char inside[] =
                "202 0x7ffedda24928 0x80 0x0 0x0 0x0 0xffffffff 0x7ffedda24900 0x7f32f63f42ad\n";
        struct procfile_syscall s;

        (void)state;
        assert_int_equal(PARSE(procfile_syscall, inside, &s), 1);
        assert_int_equal(s.state, SYSCALL_INSIDE);
        assert_int_equal(s.nr, 202);
        assert_true(s.args[0] == 0x7ffedda24928);
        assert_true(s.args[1] == 0x80);
        assert_true(s.args[5] == 0xffffffff);
        assert_true(s.sp == 0x7ffedda24900);
        assert_true(s.pc == 0x7f32f63f42ad);

        assert_int_equal(PARSE(procfile_syscall, "running\n", &s), 1);
        assert_int_equal(s.state, SYSCALL_RUNNING);
        assert_int_equal(PARSE(procfile_syscall, "running", &s), 1);
        assert_int_equal(s.state, SYSCALL_RUNNING);

        assert_int_equal(PARSE(procfile_syscall, "-1 0x7ffd00001000 0x7f0000001234\n", &s), 1);
        assert_int_equal(s.state, SYSCALL_OUTSIDE);
        assert_int_equal(s.nr, -1);
        assert_true(s.sp == 0x7ffd00001000);
        assert_true(s.pc == 0x7f0000001234);

        assert_int_equal(
                PARSE(procfile_syscall, "0 0x0 0x0 0x0 0x0 0x0 0x0 0x7ffd0 0x401000", &s), 1);
        assert_int_equal(s.state, SYSCALL_INSIDE);
        assert_int_equal(s.nr, 0);

        /* Kernel threads. */
        assert_int_equal(PARSE(procfile_syscall, "0 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n", &s), 1);
        assert_int_equal(s.state, SYSCALL_OUTSIDE);
        assert_true(s.sp == 0 && s.pc == 0);
        assert_int_equal(PARSE(procfile_syscall, "-1 0x0 0x0\n", &s), 1);
        assert_int_equal(s.state, SYSCALL_OUTSIDE);

        /* 64-bit values, and the x32 bit of a number. */
        assert_int_equal(PARSE(procfile_syscall,
                                 "1073741824 0xffffffffffffffff 0x0 0x0 0x0 0x0 0x0 0x1 0x2\n", &s),
                1);
        assert_int_equal(s.nr, 0x40000000);
        assert_true(s.args[0] == UINT64_MAX);
}

static void test_syscall_refused(void **state)
{
        static const char *const texts[] = { "", "\n", "run", "runningx", "-", "-1", "-1 0x1",
                "-1 0x1 0x2 0x3", "0", "0 0x1 0x2", "0 0x1 0x2 0x3 0x4 0x5 0x6 0x7",
                "0 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8 0x9", "0 1 2 3 4 5 6 7 8",
                "0 0x 0x 0x 0x 0x 0x 0x 0x", "x 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8",
                "2147483648 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8",
                "0 0x11111111111111111 0x2 0x3 0x4 0x5 0x6 0x7 0x8",
                "0 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8\nrunning\n" };
        struct procfile_syscall s = { .nr = 77 };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                assert_int_equal(PARSE(procfile_syscall, texts[i], &s), 0);
        assert_int_equal(s.nr, 77);
}

static void test_every_cut(void **state)
{
        static const char syscall[] = "202 0x7ffe 0x80 0x0 0x0 0x0 0xff 0x7ffe 0x7f32\n";
        static const char *const texts[] = { stat_6_18, stat_kthread, stat_2_6_32, sched_6_18,
                sched_2_6_32, status_6_18, status_2_6_32, syscall, "running\n", "-1 0x1 0x2\n" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                for (size_t len = 0; len <= strlen(texts[i]); len++) {
                        struct procfile_stat stat;
                        struct procfile_sched sched;
                        struct procfile_status status;
                        struct procfile_syscall call;

                        /* A cut text is refused or true, never a shorter number. */
                        if (PARSE_EXACT(procfile_stat, texts[i], len, &stat) > 0) {
                                struct procfile_stat whole;

                                assert_int_equal(PARSE(procfile_stat, texts[i], &whole), 1);
                                assert_true(stat.start_time == whole.start_time);
                                assert_true(stat.cpu == -1 || stat.cpu == whole.cpu);
                        }
                        if (PARSE_EXACT(procfile_sched, texts[i], len, &sched) > 0) {
                                struct procfile_sched whole;

                                assert_int_equal(PARSE(procfile_sched, texts[i], &whole), 1);
                                assert_true(!sched.has_exec_start ||
                                            sched.exec_start_ns == whole.exec_start_ns);
                                assert_true(
                                        !sched.has_switches || sched.switches == whole.switches);
                        }
                        if (PARSE_EXACT(procfile_status, texts[i], len, &status) > 0) {
                                struct procfile_status whole;

                                assert_int_equal(PARSE(procfile_status, texts[i], &whole), 1);
                                assert_int_equal(status.tgid, whole.tgid);
                                assert_true(
                                        !status.has_switches || status.switches == whole.switches);
                        }
                        PARSE_EXACT(procfile_syscall, texts[i], len, &call);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stat),
                cmocka_unit_test(test_stat_names),
                cmocka_unit_test(test_stat_refused),
                cmocka_unit_test(test_sched),
                cmocka_unit_test(test_sched_forged),
                cmocka_unit_test(test_sched_numbers),
                cmocka_unit_test(test_status),
                cmocka_unit_test(test_status_forged),
                cmocka_unit_test(test_status_numbers),
                cmocka_unit_test(test_syscall),
                cmocka_unit_test(test_syscall_refused),
                cmocka_unit_test(test_every_cut),
        };

        return cmocka_run_group_tests_name("procfile", tests, NULL, NULL);
}
