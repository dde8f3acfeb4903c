/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unwind/maps.c and symbol/perfmap.c: lines of hostile files, and files as a whole. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/procio.h"
#include "model.h"
#include "symbol/perfmap.h"
#include "unwind/maps.h"

static int parse(const char *text, struct map *ret)
{
        static char line[8192];

        snprintf(line, sizeof(line), "%s", text);
        return map_parse(line, ret);
}

static void test_line(void **state)
{
        struct map m;

        (void)state;
        assert_int_equal(parse("7f50cd028000-7f50cd1bd000 r-xp 00028000 fe:01 1234567"
                               "                     /usr/lib/x86_64-linux-gnu/libc.so.6",
                                 &m),
                1);
        assert_int_equal(m.start, 0x7f50cd028000);
        assert_int_equal(m.end, 0x7f50cd1bd000);
        assert_int_equal(m.offset, 0x28000);
        assert_int_equal(m.device_major, 0xfe);
        assert_int_equal(m.device_minor, 1);
        assert_int_equal(m.inode, 1234567);
        assert_string_equal(m.name, "/usr/lib/x86_64-linux-gnu/libc.so.6");

        assert_int_equal(parse("7ffd1000-7ffd2000 rw-p 00000000 00:00 0 [stack]", &m), 0);
        assert_int_equal(parse("7ffd1000-7ffd2000 r-xp 00000000 00:00 0 [vdso]", &m), 1);
        assert_string_equal(m.name, "[vdso]");
        assert_int_equal(parse("1000-2000 rwxp 00000000 00:00 0", &m), 1);
        assert_string_equal(m.name, "");
        assert_int_equal(parse("1000-2000 rwxp 00000000 00:00 0 ", &m), 1);
        assert_string_equal(m.name, "");
        /* A path that was deleted, with a newline and a blank in it. */
        assert_int_equal(parse("1000-2000 r-xp 0 08:01 5  /a\\012b c (deleted)", &m), 1);
        assert_string_equal(m.name, "/a\nb c (deleted)");
        assert_int_equal(parse("0-ffffffffffffffff --xp ffffffffffffffff ff:ff 18446744073709551615"
                               " x",
                                 &m),
                1);
        assert_int_equal(m.end, UINT64_MAX);
}

static void test_bad_lines(void **state)
{
        static const char *const bad[] = { "", "x", "-", "1000", "1000-", "1000-2000", "1000-2000 ",
                "1000-2000 r-x", "1000-2000 r-xp", "1000-2000 r-xp 0", "1000-2000 r-xp 0 08",
                "1000-2000 r-xp 0 08:", "1000-2000 r-xp 0 08:01", "1000-2000 r-xp 0 08:01 x",
                "2000-1000 r-xp 0 08:01 5", "1000-1000 r-xp 0 08:01 5",
                "10000000000000000-2 r-xp 0 08:01 5", "1000-2000 r-?p 0 08:01 5",
                "1000-2000 r-xp 0 08:01 18446744073709551616", "1000-2000 r-xp 0 100000000:1 5",
                "1000-2000r-xp 0 08:01 5", "Size: 4 kB" };
        struct map m;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                if (parse(bad[i], &m) != -EINVAL)
                        fail_msg("understood: \"%s\"", bad[i]);
}

struct folder {
        char path[64];
        int fd;
};

static void folder_make(struct folder *f)
{
        strcpy(f->path, "/tmp/pwhy-test-maps-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(f->fd >= 0);
}

static FILE *folder_file(struct folder *f, const char *name)
{
        int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

        assert_non_null(file);
        return file;
}

static void folder_remove(struct folder *f)
{
        char command[128];

        close(f->fd);
        snprintf(command, sizeof(command), "rm -rf %s", f->path);
        assert_int_equal(system(command), 0); /* NOLINT(concurrency-mt-unsafe) */
}

/* More lines than fit into one reading, of which only a few are of code. */
static void test_file(void **state)
{
        struct folder f;
        struct procio *io;
        struct maps m;
        FILE *file;

        (void)state;
        folder_make(&f);
        file = folder_file(&f, "maps");
        for (unsigned i = 1; i < 20000; i++)
                fprintf(file, "%x000-%x800 r%c-%cp 00000000 08:01 %u   /some/where/%s\n", i, i, 'w',
                        i % 100 ? '-' : 'p', i, "file");
        for (unsigned i = 20000; i < 20100; i++)
                fprintf(file, "%x000-%x800 r-xp 00000000 08:01 %u   /lib/%u\n", i, i, i, i / 2);
        fprintf(file, "ffffff000-ffffff800 r-xp 00000000 08:01 1   /without/end");
        fclose(file);
        assert_int_equal(procio_new(f.path, NULL, &io), 0);
        assert_int_equal(maps_read(io, NULL, procio_root(io), 1, &m), 0);
        assert_int_equal(m.n, 100);
        assert_false(m.partial);
        assert_null(maps_find(&m, 0x1000));
        assert_null(maps_find(&m, UINT64_C(20000) * 4096 - 1));
        assert_string_equal(maps_find(&m, UINT64_C(20000) * 4096)->name, "/lib/10000");
        assert_string_equal(maps_find(&m, UINT64_C(20000) * 4096 + 2047)->name, "/lib/10000");
        assert_null(maps_find(&m, UINT64_C(20000) * 4096 + 2048));
        assert_string_equal(maps_find(&m, UINT64_C(20099) * 4096 + 5)->name, "/lib/10049");
        assert_null(maps_find(&m, UINT64_MAX));
        maps_done(&m);
        /* A line that is longer than any can be. */
        file = folder_file(&f, "maps");
        for (unsigned i = 0; i < 100000; i++)
                fputc('x', file);
        fclose(file);
        assert_int_equal(maps_read(io, NULL, procio_root(io), 1, &m), -EINVAL);
        procio_free(io);
        folder_remove(&f);
}

static void test_perf_line(void **state)
{
        uint64_t start = 0, size = 0;
        const char *symbol = NULL;
        char good[] = "7f2e3c001000 1a0 LazyCompile:~main app.js:1";
        char prefixed[] = "0x10 0X20 f";
        char *bad[] = { strdup(""), strdup("1"), strdup("1 2"), strdup("1 2 "), strdup("x 2 f"),
                strdup("1 x f"), strdup("1 0 f"), strdup("ffffffffffffffff 2 f"),
                strdup("11111111111111111 2 f"), strdup(" 1 2 f") };

        (void)state;
        assert_int_equal(perfmap_parse(good, &start, &size, &symbol), 0);
        assert_int_equal(start, 0x7f2e3c001000);
        assert_int_equal(size, 0x1a0);
        assert_string_equal(symbol, "LazyCompile:~main app.js:1");
        assert_int_equal(perfmap_parse(prefixed, &start, &size, &symbol), 0);
        assert_int_equal(start, 0x10);
        assert_int_equal(size, 0x20);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                char shown[64];

                snprintf(shown, sizeof(shown), "%s", bad[i]);
                if (perfmap_parse(bad[i], &start, &size, &symbol) != -EINVAL)
                        fail_msg("understood: \"%s\"", shown);
                free(bad[i]);
        }
}

static int find(struct folder *f, pid_t inner, struct perfmap_name *names, size_t n)
{
        struct arena *a = arena_new();
        struct process p = { .pid = 4242, .inner_pid = inner, .uid = getuid(), .has_uid = true };
        int r = perfmap_find(NULL, a, &p, f->fd, names, n);

        for (size_t i = 0; i < n; i++)
                if (names[i].symbol) {
                        static char kept[8][64];

                        snprintf(kept[i], sizeof(kept[i]), "%s", names[i].symbol);
                        names[i].symbol = kept[i];
                }
        arena_free(a);
        return r;
}

static void test_perf_file(void **state)
{
        struct perfmap_name names[] = { { .address = 0x1000 }, { .address = 0x1fff },
                { .address = 0x2000 }, { .address = 0x9000 } };
        struct perfmap_name none[] = { { .address = 0x1000 } };
        struct folder f;
        FILE *file;
        char path[128];

        (void)state;
        folder_make(&f);
        assert_int_equal(mkdirat(f.fd, "root", 0700), 0);
        assert_int_equal(mkdirat(f.fd, "root/tmp", 0700), 0);
        assert_int_equal(find(&f, 0, names, 4), -ENOENT);
        file = folder_file(&f, "root/tmp/perf-17.map");
        fprintf(file, "1000 1000 before\nrubbish\n2000 10 second\n");
        for (unsigned i = 0; i < 100000; i++)
                fputc('y', file); /* a line without end */
        fprintf(file, "\n1000 1000 after\n9001 10 beside");
        fclose(file);
        /* By the PID that the process has for itself. */
        assert_int_equal(find(&f, 17, names, 4), 0);
        assert_string_equal(names[0].symbol, "after"); /* written last */
        assert_int_equal(names[1].offset, 0xfff);
        assert_string_equal(names[2].symbol, "second");
        assert_null(names[3].symbol);
        /* Neither links nor what is no regular file. */
        assert_int_equal(symlinkat("perf-17.map", f.fd, "root/tmp/perf-4242.map"), 0);
        assert_true(find(&f, 0, none, 1) < 0);
        assert_int_equal(unlinkat(f.fd, "root/tmp/perf-4242.map", 0), 0);
        snprintf(path, sizeof(path), "%s/root/tmp/perf-4242.map", f.path);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_int_equal(find(&f, 0, none, 1), -EPERM);
        assert_null(none[0].symbol);
        folder_remove(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_line),
                cmocka_unit_test(test_bad_lines),
                cmocka_unit_test(test_file),
                cmocka_unit_test(test_perf_line),
                cmocka_unit_test(test_perf_file),
        };

        return cmocka_run_group_tests_name("maps", tests, NULL, NULL);
}
