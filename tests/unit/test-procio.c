/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * base/procio.c: recorded trees made here, and the live /proc of this very process; and
 * base/privilege.c, which says why a read was refused.
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
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/privilege.h"
#include "base/procio.h"
#include "base/procmem.h"

#include "tree.h"

#define PID 4242

struct fixture {
        struct tree tree;
        struct procio *io;
        int dir; /* of PID */
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        tree_new(&f->tree);
        tree_add(&f->tree, PID, "comm", "recorded\n");
        if (procio_new(f->tree.root, NULL, &f->io) < 0)
                return -1;
        f->dir = procio_open_process(f->io, PID);
        *state = f;
        return f->dir < 0 ? -1 : 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        close(f->dir);
        procio_free(f->io);
        tree_free(&f->tree);
        free(f);
        return 0;
}

static ssize_t file_read(struct fixture *f, const char *name, const char **ret_text)
{
        return procio_read(f->io, f->dir, name, PID, HANG_NONE, ret_text);
}

static void test_text(void **state)
{
        struct fixture *f = *state;
        const char *text;

        assert_false(procio_live(f->io));
        assert_int_equal(file_read(f, "comm", &text), 9);
        assert_string_equal(text, "recorded\n");
        tree_add(&f->tree, PID, "empty", "%s", "");
        assert_int_equal(file_read(f, "empty", &text), 0);
        assert_string_equal(text, "");
        assert_int_equal(
                procio_read(f->io, procio_root(f->io), "4242/comm", 0, HANG_NONE, &text), 9);
        /* Bytes that are no text pass, and the length tells the end. */
        tree_bytes(&f->tree, "4242/cmdline", "a\0b\0\xff\0", 6);
        assert_int_equal(file_read(f, "cmdline", &text), 6);
        assert_memory_equal(text, "a\0b\0\xff\0", 7);
}

/* Lengths around those at which the buffer grows, and the bound. */
static void test_sizes(void **state)
{
        static const size_t sizes[] = { 1, 4095, 65535, 65536, 65537, 131072, 400000,
                PROCIO_TEXT_MAX - 1, PROCIO_TEXT_MAX, PROCIO_TEXT_MAX + 1, 3 * PROCIO_TEXT_MAX };
        struct fixture *f = *state;
        char *bytes = malloc(3 * PROCIO_TEXT_MAX);

        for (size_t i = 0; i < 3 * PROCIO_TEXT_MAX; i++)
                bytes[i] = (char)('a' + i * 7 % 26);
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                size_t expected = sizes[i] < PROCIO_TEXT_MAX ? sizes[i] : PROCIO_TEXT_MAX;
                const char *text;

                tree_bytes(&f->tree, "4242/maps", bytes, sizes[i]);
                assert_int_equal(file_read(f, "maps", &text), expected);
                assert_memory_equal(text, bytes, expected);
                assert_int_equal(text[expected], 0);
        }
        free(bytes);
}

static void test_missing(void **state)
{
        struct fixture *f = *state;
        const char *text = "untouched";
        struct procio *io = NULL;
        char path[PATH_MAX];

        assert_int_equal(file_read(f, "stack", &text), -ENOENT);
        assert_int_equal(file_read(f, "task/1/stack", &text), -ENOENT);
        assert_int_equal(procio_link(f->io, f->dir, "exe", &text), -ENOENT);
        assert_string_equal(text, "untouched");
        assert_int_equal(procio_open_process(f->io, 1), -ENOENT);
        assert_int_equal(procio_open_process(f->io, -1), -ENOENT);
        /* A directory is no text, and a file no process. */
        tree_add(&f->tree, PID, "fd/x", "%s", "");
        assert_int_equal(file_read(f, "fd", &text), -EISDIR);
        tree_text(&f->tree, "77", "not a directory");
        assert_int_equal(procio_open_process(f->io, 77), -ENOTDIR);

        tree_path(&f->tree, "nothing-here", path);
        assert_int_equal(procio_new(path, NULL, &io), -ENOENT);
        tree_text(&f->tree, "file", "");
        tree_path(&f->tree, "file", path);
        assert_int_equal(procio_new(path, NULL, &io), -ENOTDIR);
        assert_null(io);
        procio_free(NULL);
}

/* NAME.errno stands for the error that the kernel gave. */
static void test_errno(void **state)
{
        static const struct {
                const char *text;
                int error;
        } errors[] = {
                { "EPERM\n", EPERM },
                { "EACCES\n", EACCES },
                { "EACCES", EACCES },
                { "ENOENT\n", ENOENT },
                { "ESRCH\n", ESRCH },
                { "EIO\n", EIO },
                { "EINVAL\n", EINVAL },
                { "ENOSYS\n", ENOSYS },
                { "ETIMEDOUT\n", ETIMEDOUT },
                { "EFAULT\n", EFAULT },
                { "ENOTSUP\n", ENOTSUP },
                /* What is not known is an error all the same. */
                { "EWHATEVER\n", EIO },
                { "", EIO },
                { "eacces\n", EIO },
                { "a very long line that is the name of no error at all", EIO },
        };
        struct fixture *f = *state;
        const struct fd_ref ref = { f->dir, PID, PID, 3 };
        const char *text;

        for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
                tree_add(&f->tree, PID, "stack.errno", "%s", errors[i].text);
                assert_int_equal(file_read(f, "stack", &text), -errors[i].error);
                assert_int_equal(procio_open(f->io, f->dir, "stack"), -errors[i].error);
                tree_add(&f->tree, PID, "exe.errno", "%s", errors[i].text);
                assert_int_equal(procio_link(f->io, f->dir, "exe", &text), -errors[i].error);
                tree_add(&f->tree, PID, "fd/3.errno", "%s", errors[i].text);
                assert_int_equal(procio_fd_link(f->io, &ref, &text), -errors[i].error);
        }
        /* The file itself wins. */
        tree_add(&f->tree, PID, "stack", "text\n");
        assert_int_equal(file_read(f, "stack", &text), 5);
}

static void test_reread(void **state)
{
        struct fixture *f = *state;
        const char *text;
        int fd;

        tree_add(&f->tree, PID, "status", "one\n");
        fd = procio_open(f->io, f->dir, "status");
        assert_true(fd >= 0);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(procio_reread(f->io, fd, &text), 4);
                assert_string_equal(text, "one\n");
        }
        tree_add(&f->tree, PID, "status", "longer\n");
        assert_int_equal(procio_reread(f->io, fd, &text), 7);
        assert_string_equal(text, "longer\n");
        close(fd);
        assert_int_equal(procio_reread(f->io, fd, &text), -EBADF);
}

static void test_links(void **state)
{
        struct fixture *f = *state;
        char longest[4001];
        const char *text;

        tree_link(&f->tree, PID, "exe", "/usr/bin/thing (deleted)");
        assert_int_equal(procio_link(f->io, f->dir, "exe", &text), 24);
        assert_string_equal(text, "/usr/bin/thing (deleted)");
        memset(longest, 'p', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = 0;
        tree_link(&f->tree, PID, "cwd", longest);
        assert_int_equal(procio_link(f->io, f->dir, "cwd", &text), sizeof(longest) - 1);
        assert_string_equal(text, longest);
        /* Not a link. */
        assert_int_equal(procio_link(f->io, f->dir, "comm", &text), -EINVAL);
}

static void test_fds(void **state)
{
        static const struct {
                const char *word;
                int mode;
        } modes[] = {
                { "fifo", S_IFIFO },
                { "fifo\n", S_IFIFO },
                { "char\n", S_IFCHR },
                { "dir\n", S_IFDIR },
                { "block\n", S_IFBLK },
                { "file\n", S_IFREG },
                { "socket\n", S_IFSOCK },
                { "nonsense\n", -EINVAL },
                { "", -EINVAL },
                { "file\nfile\n", -EINVAL },
        };
        struct fixture *f = *state;
        /* One table for all threads of the process. */
        const struct fd_ref ref = { f->dir, PID, PID + 1, 5 };
        const char *text;

        assert_int_equal(procio_fd_link(f->io, &ref, &text), -ENOENT);
        assert_int_equal(procio_fd_info(f->io, &ref, &text), -ENOENT);
        assert_int_equal(procio_fd_mode(f->io, &ref), -ENOENT);
        assert_int_equal(procio_fd_protocol(f->io, &ref, &text), -ENOENT);
        tree_link(&f->tree, PID, "fd/5", "/dev/thing");
        tree_add(&f->tree, PID, "fdinfo/5", "pos:\t0\nflags:\t0100002\n");
        assert_int_equal(procio_fd_link(f->io, &ref, &text), 10);
        assert_string_equal(text, "/dev/thing");
        assert_true(procio_fd_info(f->io, &ref, &text) > 0);
        assert_string_equal(text, "pos:\t0\nflags:\t0100002\n");
        for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
                tree_add(&f->tree, PID, "fd/5.mode", "%s", modes[i].word);
                assert_int_equal(procio_fd_mode(f->io, &ref), modes[i].mode);
        }
        tree_add(&f->tree, PID, "fd/5.protocol", "UNIX-STREAM\n");
        assert_int_equal(procio_fd_protocol(f->io, &ref, &text), 11);
        assert_string_equal(text, "UNIX-STREAM");
        tree_add(&f->tree, PID, "fd/5.protocol", "TCP");
        assert_int_equal(procio_fd_protocol(f->io, &ref, &text), 3);
}

static ssize_t memory_recorded(struct fixture *f, const char *text, void *buffer, size_t len)
{
        tree_add(&f->tree, PID, "mem/7ffc0010", "%s", text);
        return procio_memory(f->io, f->dir, PID, 0x7ffc0010, buffer, len);
}

static void test_memory(void **state)
{
        static const unsigned char five[] = { 0x00, 0x01, 0xff, 0xa0, 0x7f };
        struct fixture *f = *state;
        unsigned char buffer[16];

        assert_int_equal(memory_recorded(f, "00 01 ff a0 7f\n", buffer, sizeof(buffer)), 5);
        assert_memory_equal(buffer, five, 5);
        assert_int_equal(memory_recorded(f, "0001ffa07f", buffer, sizeof(buffer)), 5);
        assert_memory_equal(buffer, five, 5);
        assert_int_equal(
                memory_recorded(f, "\n  00\n01\t\tff\n\na0 7f \n", buffer, sizeof(buffer)), 5);
        assert_memory_equal(buffer, five, 5);
        /* No more than asked for, and not a byte behind. */
        memset(buffer, 0xee, sizeof(buffer));
        assert_int_equal(memory_recorded(f, "00 01 ff a0 7f", buffer, 3), 3);
        assert_memory_equal(buffer, five, 3);
        assert_int_equal(buffer[3], 0xee);
        /* Half a byte, junk, nothing. */
        assert_int_equal(memory_recorded(f, "00 0", buffer, sizeof(buffer)), 1);
        assert_int_equal(memory_recorded(f, "zz 0x\n", buffer, sizeof(buffer)), 0);
        assert_int_equal(memory_recorded(f, "", buffer, sizeof(buffer)), 0);

        assert_int_equal(procio_memory(f->io, f->dir, PID, 0x1234, buffer, 1), -EFAULT);
        assert_int_equal(procio_memory(f->io, f->dir, PID, 0, buffer, 1), -EFAULT);
        tree_add(&f->tree, PID, "mem/1234.errno", "EPERM\n");
        assert_int_equal(procio_memory(f->io, f->dir, PID, 0x1234, buffer, 1), -EPERM);
        tree_add(&f->tree, PID, "mem/ffffffffffffffff", "41");
        assert_int_equal(procio_memory(f->io, f->dir, PID, UINT64_MAX, buffer, 1), 1);
}

/* This process, live. */
struct live {
        struct procio *io;
        int dir;
};

static int live_setup(void **state)
{
        struct live *l = calloc(1, sizeof(*l));

        if (!l || procio_new(NULL, NULL, &l->io) < 0)
                return -1;
        l->dir = procio_open_process(l->io, getpid());
        *state = l;
        return l->dir < 0 ? -1 : 0;
}

static int live_teardown(void **state)
{
        struct live *l = *state;

        close(l->dir);
        procio_free(l->io);
        free(l);
        return 0;
}

static void test_live_text(void **state)
{
        struct live *l = *state;
        const char *text;
        char exe[PATH_MAX];
        ssize_t n;

        assert_true(procio_live(l->io));
        assert_true(procio_read(l->io, l->dir, "stat", getpid(), HANG_NONE, &text) > 0);
        assert_int_equal(atoi(text), getpid());
        assert_int_equal(procio_read(l->io, l->dir, "no-such-file", 0, HANG_NONE, &text), -ENOENT);
        n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
        assert_true(n > 0);
        exe[n] = 0;
        assert_int_equal(procio_link(l->io, l->dir, "exe", &text), n);
        assert_string_equal(text, exe);
        /* An errno file stands for nothing here. */
        assert_int_equal(procio_link(l->io, l->dir, "no-such-link", &text), -ENOENT);
}

static void test_live_memory(void **state)
{
        struct live *l = *state;
        char here[] = "bytes of this process", buffer[64];
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        char *end;

        assert_int_equal(
                procio_memory(l->io, l->dir, getpid(), (uintptr_t)here, buffer, sizeof(here)),
                sizeof(here));
        assert_string_equal(buffer, here);
        assert_int_equal(procio_memory(l->io, l->dir, getpid(), 0, buffer, 1), -EFAULT);
        assert_int_equal(procio_memory(l->io, l->dir, getpid(), 16, buffer, 1), -EFAULT);

        /* Fewer bytes at the end of a mapping. */
        end = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(end != MAP_FAILED);
        munmap(end + page, page);
        memset(end, 'm', page);
        /* process_vm_readv() splits by pages only where a read crosses them. */
        assert_in_range(procio_memory(l->io, l->dir, getpid(), (uintptr_t)end + page - 8, buffer,
                                sizeof(buffer)),
                8, 8);
        assert_memory_equal(buffer, "mmmmmmmm", 8);
        munmap(end, page);
}

static void test_live_fds(void **state)
{
        struct live *l = *state;
        struct fd_ref ref = { l->dir, getpid(), gettid(), -1 };
        char expected[64];
        const char *text;
        struct stat st;
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        ref.fd = fds[0];
        fstat(fds[0], &st);
        snprintf(expected, sizeof(expected), "pipe:[%llu]", (unsigned long long)st.st_ino);
        assert_int_equal(procio_fd_link(l->io, &ref, &text), strlen(expected));
        assert_string_equal(text, expected);
        assert_true(procio_fd_info(l->io, &ref, &text) > 0);
        assert_non_null(strstr(text, "flags:"));
        assert_int_equal(procio_fd_mode(l->io, &ref), S_IFIFO);
        close(fds[0]);
        close(fds[1]);
        assert_int_equal(procio_fd_link(l->io, &ref, &text), -ENOENT);
        assert_int_equal(procio_fd_mode(l->io, &ref), -ENOENT);

        ref.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        assert_int_equal(procio_fd_mode(l->io, &ref), S_IFCHR);
        close(ref.fd);
        ref.fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(procio_fd_mode(l->io, &ref), S_IFDIR);
        assert_string_equal(procio_fd_link(l->io, &ref, &text) > 0 ? text : NULL, "/");
        close(ref.fd);
}

static void test_live_protocol(void **state)
{
        struct live *l = *state;
        struct fd_ref ref = { l->dir, getpid(), gettid(), -1 };
        const char *text;
        ssize_t n;

        ref.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (ref.fd < 0)
                skip();
        n = procio_fd_protocol(l->io, &ref, &text);
        /* "UNIX" before Linux 5.16. */
        assert_true(n >= 4);
        assert_memory_equal(text, "UNIX", 4);
        assert_int_equal(strlen(text), n);
        assert_int_equal(procio_fd_mode(l->io, &ref), S_IFSOCK);
        close(ref.fd);
}

/*
 * The kernel hands out a long file in pieces. One beyond half of the bound is read whole, and
 * one beyond the bound up to it: whoever asks tells from the length whether it was cut.
 */
static void test_live_long(void **state)
{
        enum { PAIRS = 12000 };
        struct live *l = *state;
        size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = 0;
        char *area, piece[16384];
        const char *text;
        ssize_t n;
        int fd;

        area = mmap(NULL, 2 * PAIRS * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0);
        assert_true(area != MAP_FAILED);
        for (size_t i = 0; i < PAIRS; i++)
                if (mprotect(area + 2 * i * page, page, PROT_READ) < 0) {
                        munmap(area, 2 * PAIRS * page);
                        skip(); /* vm.max_map_count */
                }
        fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
        while ((n = read(fd, piece, sizeof(piece))) > 0)
                whole += (size_t)n;
        close(fd);
        assert_true(whole > PROCIO_TEXT_MAX);
        n = procio_read(l->io, l->dir, "maps", getpid(), HANG_MM, &text);
        assert_int_equal(n, PROCIO_TEXT_MAX);

        munmap(area + PAIRS * page, PAIRS * page);
        whole = 0;
        fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
        while ((n = read(fd, piece, sizeof(piece))) > 0)
                whole += (size_t)n;
        close(fd);
        assert_in_range(whole, PROCIO_TEXT_MAX / 2 + 16384, PROCIO_TEXT_MAX - 1);
        n = procio_read(l->io, l->dir, "maps", getpid(), HANG_MM, &text);
        assert_int_equal(n, whole);
        munmap(area, PAIRS * page);
}

/* Why something was refused follows from what pwhy may do; the remedy must be one. */
static void test_refusals(void **state)
{
        struct privilege none = { .ptrace_scope = -1 };
        struct privilege admin = { .root = true, .sys_admin = true, .ptrace_scope = -1 };
        struct privilege all = admin, inside = admin;
        struct refusal r;

        (void)state;
        all.sys_ptrace = true;
        inside.sys_ptrace = inside.user_ns = true;
        r = privilege_refusal_stack(&none, EACCES);
        assert_non_null(strstr(r.why, "CAP_SYS_ADMIN"));
        assert_non_null(strstr(r.remedy, "sudo"));
        r = privilege_refusal_stack(&none, ENOENT);
        assert_non_null(strstr(r.why, "CONFIG_STACKTRACE"));
        assert_null(r.remedy);
        r = privilege_refusal_stack(&admin, EACCES);
        assert_non_null(strstr(r.why, "CAP_SYS_PTRACE"));
        r = privilege_refusal_stack(&inside, EPERM);
        assert_non_null(strstr(r.why, "user namespace"));
        assert_non_null(strstr(r.remedy, "host"));
        r = privilege_refusal_stack(&all, EACCES);
        assert_null(strstr(r.remedy, "sudo")); /* it is root already */

        r = privilege_refusal_ptrace(&none, EACCES);
        assert_null(strstr(r.why, "yama"));
        assert_non_null(strstr(r.remedy, "CAP_SYS_PTRACE"));
        none.ptrace_scope = 1;
        r = privilege_refusal_ptrace(&none, EACCES);
        assert_non_null(strstr(r.why, "yama"));
        r = privilege_refusal_ptrace(&none, ENOENT);
        assert_null(r.remedy);
        r = privilege_refusal_ptrace(&all, EACCES);
        assert_null(strstr(r.remedy, "sudo"));
}

static void test_privilege(void **state)
{
        struct privilege p;

        (void)state;
        memset(&p, 0xff, sizeof(p));
        privilege_read(&p, false);
        assert_int_equal(p.root, geteuid() == 0);
        assert_in_range(p.ptrace_scope + 1, 0, 4);
        if (!p.root)
                assert_false(p.sys_admin && p.sys_ptrace && p.user_ns);
}

int main(void)
{
#define RECORDED(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define LIVE(f) cmocka_unit_test_setup_teardown(f, live_setup, live_teardown)
        const struct CMUnitTest tests[] = {
                RECORDED(test_text),
                RECORDED(test_sizes),
                RECORDED(test_missing),
                RECORDED(test_errno),
                RECORDED(test_reread),
                RECORDED(test_links),
                RECORDED(test_fds),
                RECORDED(test_memory),
                LIVE(test_live_text),
                LIVE(test_live_memory),
                LIVE(test_live_fds),
                LIVE(test_live_protocol),
                LIVE(test_live_long),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_privilege),
        };

        return cmocka_run_group_tests_name("procio", tests, NULL, NULL);
}
