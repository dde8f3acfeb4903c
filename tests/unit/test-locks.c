/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolve/{locktext,flockmem}.c: lines of /proc/locks and fdinfo as kernels from 2.6 on write
 * them, whole and cut, and struct flock of each ABI.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model.h"
#include "resolve/flockmem.h"
#include "resolve/locktext.h"
#include "resolve/syscall.h"

static const char LOCKS_2_6[] =
        "1: POSIX  ADVISORY  READ  2310 fd:00:917506 1073741826 1073742335\n"
        "2: FLOCK  ADVISORY  WRITE 2211 fd:00:131077 0 EOF\n"
        "2: -> FLOCK  ADVISORY  WRITE 2219 fd:00:131077 0 EOF\n"
        "3: POSIX  MANDATORY WRITE 2190 08:01:12 0 0\n"
        "4: FLOCK  MSNFS     RW    2191 08:01:13 0 EOF\n";

static const char LOCKS_6_18[] = "1: OFDLCK ADVISORY  WRITE -1 fe:00:10977411 0 99\n"
                                 "1: -> OFDLCK ADVISORY  WRITE -1 fe:00:10977411 0 99\n"
                                 "2: LEASE  BREAKING  UNLCK 30079 fe:00:10977412 0 EOF\n"
                                 "2: -> LEASE  BREAKER   WRITE 30080 <none>:0 0 EOF\n"
                                 "3: POSIX  ADVISORY  WRITE 77 00:2e:5 100 199\n"
                                 "3: -> POSIX  ADVISORY  WRITE 78 00:2e:5 150 EOF\n"
                                 "3:  -> POSIX  ADVISORY  READ 79 00:2e:5 160 170\n"
                                 "4: DELEG  ACTIVE    READ 0 08:01:9 0 EOF\n"
                                 "5: LEASE  ACTIVE    READ 80 08:01:8 0 EOF\n";

static struct lock_line *parse(const char *text, size_t expected)
{
        struct lock_line *lines;
        size_t n;

        assert_int_equal(lock_lines_parse(text, strlen(text), 1000, &lines, &n), 0);
        assert_int_equal(n, expected);
        return lines;
}

static void test_old(void **state)
{
        _cleanup_free_ struct lock_line *l = parse(LOCKS_2_6, 5);

        (void)state;
        assert_int_equal(l[0].type, LOCK_POSIX);
        assert_false(l[0].write);
        assert_int_equal(l[0].pid, 2310);
        assert_int_equal(l[0].major, 0xfd);
        assert_int_equal(l[0].minor, 0);
        assert_int_equal(l[0].inode, 917506);
        assert_int_equal(l[0].start, 1073741826);
        assert_int_equal(l[0].end, 1073742335);
        assert_true(l[2].blocked);
        assert_int_equal(l[2].root, 1);
        assert_int_equal(l[2].pid, 2219);
        assert_true(l[2].write);
        assert_true(l[2].end == LOCK_EOF);
        assert_true(l[3].write);
        assert_true(l[4].write);
}

static void test_new(void **state)
{
        _cleanup_free_ struct lock_line *l = parse(LOCKS_6_18, 9);

        (void)state;
        assert_int_equal(l[1].type, LOCK_OFD);
        assert_int_equal(l[1].pid, -1);
        assert_true(l[1].blocked);
        assert_true(l[2].breaking);
        assert_int_equal(l[3].type, LOCK_LEASE);
        assert_false(l[3].has_file);
        assert_int_equal(l[3].root, 2);
        assert_int_equal(l[6].root, 4);
        assert_int_equal(l[6].pid, 79);
        assert_int_equal(l[4].minor, 0x2e);
        assert_int_equal(l[7].type, LOCK_LEASE);
        assert_int_equal(l[7].pid, 0);
        assert_false(l[8].breaking);
}

static void test_hostile(void **state)
{
        static const char *const bad[] = {
                "",
                "1:",
                "1: FLOCK",
                "x: FLOCK  ADVISORY  WRITE 1 08:01:1 0 EOF",
                "1: FLUCK  ADVISORY  WRITE 1 08:01:1 0 EOF",
                "1: FLOCK  ADVISORY  WRITE x 08:01:1 0 EOF",
                "1: FLOCK  ADVISORY  WRITE 99999999999 08:01:1 0 EOF",
                "1: FLOCK  ADVISORY  WRITE 1 08:01 0 EOF",
                "1: FLOCK  ADVISORY  WRITE 1 08:01:-1 0 EOF",
                "1: FLOCK  ADVISORY  WRITE 1 08:01:99999999999999999999 0 EOF",
                "1: FLOCK  ADVISORY  WRITE 1 08:01:1 0",
                "1: POSIX  ADVISORY  WRITE 1 08:01:1 -5 7",
                "1: POSIX  ADVISORY  WRITE 1 08:01:1 10 9",
                "1: POSIX  ADVISORY  WRITE 1 08:01:1 0 99999999999999999999",
                "1: -> POSIX  ADVISORY  WRITE 1 08:01:1 0",
        };
        struct lock_line line;
        char big[512];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                if (lock_line_parse(bad[i], strlen(bad[i]), &line))
                        fail_msg("%s", bad[i]);
        memset(big, 'A', sizeof(big));
        assert_false(lock_line_parse(big, sizeof(big), &line));
}

/* Cut in the last line; a waiter whose lock was not understood; more than is taken. */
static void test_cut(void **state)
{
        static const char cut[] = "1: -> FLOCK  ADVISORY  WRITE 3 08:01:1 0 EOF\n"
                                  "2: SHINY  NEW       WRITE 2 08:01:1 0 EOF\n"
                                  "2: -> FLOCK  ADVISORY  WRITE 3 08:01:1 0 EOF\n"
                                  "3: FLOCK  ADVISORY  WRITE 4 08:01:2 0 EOF\n"
                                  "3: -> FLOCK  ADVISORY  WRITE 5 08:01:2 0 EO";
        _cleanup_free_ struct lock_line *l = parse(cut, 1);
        struct lock_line *lines;
        size_t n, len = 0;
        char *text;

        (void)state;
        assert_int_equal(l[0].pid, 4);
        text = malloc(3000 * 64);
        for (int i = 0; i < 3000; i++)
                len += (size_t)sprintf(text + len, "%d: FLOCK  ADVISORY  WRITE 1 08:01:%d 0 EOF\n",
                        i + 1, i + 100);
        assert_true(len > 65536);
        assert_int_equal(lock_lines_parse(text, len, 2000, &lines, &n), 0);
        assert_int_equal(n, 2000);
        assert_int_equal(lines[1999].inode, 2099);
        free(lines);
        free(text);
}

static void test_info(void **state)
{
        const char *cursor = "pos:\t0\nflags:\t0100002\nmnt_id:\t31\nino:\t5\n"
                             "lock:\t1: FLOCK  ADVISORY  WRITE 1234 08:01:5 0 EOF\n"
                             "lock:\tjunk\n"
                             "lock:\t2: OFDLCK ADVISORY  READ -1 08:01:5 7 9\n"
                             "lock:\t3: OFDLCK ADVISORY  READ -1 08:01:5 7";
        struct lock_line line;

        (void)state;
        assert_true(lock_info_next(&cursor, &line));
        assert_int_equal(line.type, LOCK_FLOCK);
        assert_true(lock_info_next(&cursor, &line));
        assert_int_equal(line.type, LOCK_OFD);
        assert_int_equal(line.end, 9);
        assert_false(lock_info_next(&cursor, &line));
        assert_false(lock_info_next(&cursor, &line));
}

static void test_conflicts(void **state)
{
        struct lock_line a = { .type = LOCK_POSIX, .start = 0, .end = 99, .write = true };
        struct lock_line b = { .type = LOCK_OFD, .start = 99, .end = LOCK_EOF };

        (void)state;
        assert_true(lock_conflicts(&a, &b));
        b.start = 100;
        assert_false(lock_conflicts(&a, &b));
        b.start = 0;
        a.write = false;
        assert_false(lock_conflicts(&a, &b)); /* two readers */
        b.write = true;
        assert_true(lock_conflicts(&a, &b));
        b.type = LOCK_FLOCK;
        assert_false(lock_conflicts(&a, &b)); /* they do not see each other */
}

static struct call fcntl_call(
        enum abi abi, const char *name, unsigned command, const void *bytes, size_t len)
{
        struct call c = { .state = CALL_INSIDE, .abi = abi, .nr = syscall_number(abi, name) };

        c.desc = syscall_find(abi, c.nr);
        assert_non_null(c.desc);
        c.args[1] = command;
        c.memory[2] = (struct call_memory){ bytes, len };
        return c;
}

static void test_flock_memory(void **state)
{
        struct {
                int16_t type, whence;
                int32_t pad;
                int64_t start, len;
                int32_t pid, pad2;
        } wide = { F_WRLCK, SEEK_SET, 0, 100, 50, 0, 0 };
        struct {
                int16_t type, whence;
                int32_t start, len, pid;
        } narrow = { F_RDLCK, SEEK_CUR, 20, -10, 0 };
        struct __attribute__((packed)) {
                int16_t type, whence;
                int64_t start, len;
                int32_t pid;
        } packed = { F_WRLCK, SEEK_SET, INT64_C(1) << 40, 0, 0 };
        struct flock_wanted w;
        struct call c = fcntl_call(ABI_X86_64, "fcntl", 7, &wide, sizeof(wide));

        (void)state;
        assert_int_equal(flock_size(&c), sizeof(wide));
        assert_true(flock_command_waits(&c));
        assert_true(flock_wanted(&c, 0, &w));
        assert_true(w.write && w.has_range);
        assert_int_equal(w.start, 100);
        assert_int_equal(w.end, 149);
        wide.start = INT64_MAX;
        wide.len = 2;
        assert_true(flock_wanted(&c, 0, &w));
        assert_false(w.has_range);
        wide.whence = SEEK_END;
        assert_true(flock_wanted(&c, 0, &w));
        assert_false(w.has_range);
        c.args[1] = F_SETFL;
        assert_int_equal(flock_size(&c), 0);
        assert_false(flock_wanted(&c, 0, &w));

        c = fcntl_call(ABI_I386, "fcntl64", 7, &narrow, sizeof(narrow));
        assert_int_equal(flock_size(&c), sizeof(narrow));
        assert_true(flock_wanted(&c, 100, &w));
        assert_true(w.has_range && !w.write);
        assert_int_equal(w.start, 110);
        assert_int_equal(w.end, 119);
        narrow.start = -200;
        assert_true(flock_wanted(&c, 100, &w));
        assert_false(w.has_range);

        c = fcntl_call(ABI_I386, "fcntl64", 14, &packed, sizeof(packed));
        assert_int_equal(flock_size(&c), sizeof(packed));
        assert_true(flock_wanted(&c, 0, &w));
        assert_true(w.start == INT64_C(1) << 40 && w.end == INT64_MAX);
        c.memory[2].len--;
        assert_false(flock_wanted(&c, 0, &w));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_old),
                cmocka_unit_test(test_new),
                cmocka_unit_test(test_hostile),
                cmocka_unit_test(test_cut),
                cmocka_unit_test(test_info),
                cmocka_unit_test(test_conflicts),
                cmocka_unit_test(test_flock_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
