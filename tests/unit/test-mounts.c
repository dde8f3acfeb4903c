/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolve/{mounts,storage,fuse,fstype}.c and explain/place.c: texts of mountinfo, and recorded
 * trees of threads that wait for a network file system, which no test machine has.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/procio.h"
#include "capture/source.h"
#include "explain/explain.h"
#include "model.h"
#include "pwhy.h"
#include "query.h"
#include "resolve/fstype.h"
#include "resolve/mounts.h"
#include "resolve/resolver.h"

#include "tree.h"

#define PID 4242

static const char table[] =
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
        "27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
        "40 27 0:44 / /mnt/x rw,relatime shared:9 master:2 - nfs4 filer:/export "
        "rw,vers=4.2,addr=192.0.2.7\n"
        "41 27 0:45 / /mnt/with\\040space\\134 rw - cifs //srv/share\\040two rw\n"
        "42 40 0:46 / /mnt/x/deep rw - fuse.sshfs user@host: rw,user_id=0,group_id=0\n"
        "43 27 0:47 / /net rw - autofs /etc/auto.net rw,fd=7,pgrp=77,timeout=300,indirect\n"
        "44 27 0:48 / /over rw - tmpfs  rw\n"
        "45 44 0:49 / /over rw - overlay overlay rw,lowerdir=/a\n"
        "46 44 8:2 / /over/hidden rw - ext4 /dev/sda2 rw\n";

static struct mounts *parse(const char *text)
{
        struct mounts *m;

        assert_int_equal(mounts_parse(text, strlen(text), false, &m), 0);
        return m;
}

static void test_parse(void **state)
{
        struct mounts *m = parse(table);
        const struct mount *one;
        const char *value;
        size_t len;

        (void)state;
        assert_int_equal(m->n, 9);
        assert_false(m->cut);
        one = mounts_find(m, 40);
        assert_non_null(one);
        assert_string_equal(one->type, "nfs4");
        assert_string_equal(one->source, "filer:/export");
        assert_string_equal(one->point, "/mnt/x");
        assert_int_equal(one->device_major, 0);
        assert_int_equal(one->device_minor, 44);
        one = mounts_find(m, 41);
        assert_string_equal(one->point, "/mnt/with space\\");
        assert_string_equal(one->source, "//srv/share two");
        assert_string_equal(mounts_find(m, 44)->source, "");
        assert_null(mounts_find(m, 99));
        value = mount_option(mounts_find(m, 43), "pgrp", &len);
        assert_non_null(value);
        assert_int_equal(len, 2);
        assert_memory_equal(value, "77", 2);
        assert_null(mount_option(mounts_find(m, 43), "grp", &len));
        mounts_free(m);
}

static void test_paths(void **state)
{
        static const struct {
                const char *path;
                int id; /* 0: not known */
        } cases[] = {
                { "/", 27 },
                { "/etc/passwd", 27 },
                { "/mnt/x", 40 },
                { "/mnt/x/file", 40 },
                { "/mnt/xyz", 27 },
                { "//mnt/./x//file", 40 },
                { "/mnt/x/deep/file", 42 },
                { "/mnt/x/../y", 0 },
                { "mnt/x", 0 },
                { "", 0 },
                { "/mnt/with space\\/f", 41 },
                /* What is mounted below was covered by a later mount. */
                { "/over/hidden/f", 45 },
                { "/over/f", 45 },
        };
        struct mounts *m = parse(table);
        char huge[2 * PATH_MAX];

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                const struct mount *one = mounts_of_path(m, cases[i].path);

                if ((one ? one->id : 0) != cases[i].id)
                        fail_msg("%s: %d", cases[i].path, one ? one->id : 0);
        }
        memset(huge, 'x', sizeof(huge));
        huge[0] = '/';
        huge[sizeof(huge) - 1] = 0;
        assert_null(mounts_of_path(m, huge));
        m->cut = true;
        assert_null(mounts_of_path(m, "/mnt/x/file"));
        mounts_free(m);
}

/* In a chroot that is no mount point, the root's own mount is not told. */
static void test_chroot(void **state)
{
        struct mounts *m = parse("40 27 0:44 / /mnt rw - nfs filer:/export rw\n");

        (void)state;
        assert_int_equal(mounts_of_path(m, "/mnt/f")->id, 40);
        assert_null(mounts_of_path(m, "/etc"));
        mounts_free(m);
}

static void test_hostile(void **state)
{
        static const char *const lines[] = {
                "",
                "\n\n\n",
                "- - - - - - - - -\n",
                "1 2 3 4 5 6 - a b c\n",
                "1 2 8: / / rw - ext4 s rw\n",
                "1 2 8:1x / / rw - ext4 s rw\n",
                "99999999999999999999 2 8:1 / / rw - ext4 s rw\n",
                "-1 2 8:1 / / rw - ext4 s rw\n",
                "1 2 8:1 / relative rw - ext4 s rw\n",
                "1 2 8:1 / / rw ext4 s rw\n",
                "1 2 8:1 / / rw -\n",
                "1 2 8:1 / / rw - ext4\n",
                "1 2 8:1 / / rw -  s rw\n",
        };
        struct mounts *m;

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
                m = parse(lines[i]);
                if (m->n)
                        fail_msg("a mount from '%s'", lines[i]);
                assert_null(mounts_of_path(m, "/x"));
                mounts_free(m);
        }
        /* A line that is not whole, and mounts that are below each other. */
        m = parse("1 2 8:1 / /a rw - ext4 s rw\n2 1 8:1 / /a rw - ext4 s rw\n3 1 8:");
        assert_int_equal(m->n, 2);
        assert_true(m->cut);
        m->cut = false;
        mounts_of_path(m, "/a/b");
        mounts_free(m);
        m = parse("1 1 8:1 / / rw - ext4 \\9\\04\\777\\ rw\n");
        assert_string_equal(m->all[0].source, "\\9\\04\\777\\");
        assert_int_equal(mounts_of_path(m, "/a/b")->id, 1);
        mounts_free(m);
        m = parse("5 1 8:1 / / rw - ext4 s rw\n");
        mounts_free(m);
        assert_int_equal(mounts_parse("a\0b\n", 4, true, &m), 0);
        assert_int_equal(m->n, 0);
        mounts_free(m);
}

static void test_families(void **state)
{
        (void)state;
        assert_int_equal(fs_family("nfs"), FS_NFS);
        assert_int_equal(fs_family("nfs4"), FS_NFS);
        assert_int_equal(fs_family("nfsd"), FS_LOCAL);
        assert_int_equal(fs_family("fuse.sshfs"), FS_FUSE);
        assert_int_equal(fs_family("fusectl"), FS_LOCAL);
        assert_int_equal(fs_family("cifs"), FS_NETWORK);
        assert_int_equal(fs_family("autofs"), FS_AUTOFS);
        assert_int_equal(fs_family(NULL), FS_LOCAL);
}

struct fixture {
        struct tree tree;
        struct arena *arena;
        struct snapshot s;
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        tree_new(&f->tree);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        arena_free(f->arena);
        tree_free(&f->tree);
        free(f);
        return 0;
}

/* Capture, resolve and explain the tree; the wait of its one thread. */
static const struct wait *explained(struct fixture *f, const char *kernel)
{
        struct target target = { .pid = PID };
        struct selection selection = { .targets = &target, .n_targets = 1 };
        struct socket_query *queries = NULL;
        struct pwhy_query *query;
        struct resolver *resolver;
        struct source *source;
        struct within within;
        struct procio *io;
        size_t next = 0;

        arena_free(f->arena);
        f->arena = arena_new();
        assert_non_null(f->arena);
        assert_int_equal(procio_new(f->tree.root, NULL, &io), 0);
        snapshot_init(&f->s, f->arena);
        f->s.host.arch = "x86_64";
        f->s.host.kernel = kernel;
        assert_int_equal(pwhy_query_new(&query), 0);
        assert_int_equal(resolver_new(io, &f->s, &queries, &resolver), 0);
        within = (struct within){ resolver, resolver_process, resolver_thread };
        assert_int_equal(source_proc.open(io, NULL, &f->s, query, NULL, &source), 0);
        assert_int_equal(source_proc.capture(source, &selection, &next, &within), 0);
        source_proc.close(source);
        resolver_finish(resolver);
        resolver_free(resolver);
        pwhy_query_free(query);
        procio_free(io);
        assert_int_equal(explain_snapshot(&f->s), 0);
        assert_non_null(f->s.processes);
        assert_non_null(f->s.processes->threads);
        return &f->s.processes->threads->wait;
}

/* In a system call, with these functions on the stack and fd 3 a file. */
static void thread_add(struct fixture *f, char state, const char *call, const char *stack,
        const char *path, const char *kind, int mount)
{
        struct tree *t = &f->tree;

        tree_stat(t, PID, PID, "victim", state, 1);
        tree_add(t, PID, "status", "Name:\tvictim\nTgid:\t%d\n", PID);
        tree_add(t, PID, "comm", "victim\n");
        tree_add(t, PID, "task/4242/status",
                "voluntary_ctxt_switches:\t3\nnonvoluntary_ctxt_switches:\t0\n");
        tree_add(t, PID, "task/4242/syscall", "%s 0x7ffd00001000 0x7f50cd041234\n", call);
        tree_add(t, PID, "task/4242/stack", "%s", stack);
        tree_link(t, PID, "ns/mnt", "mnt:[4026531841]");
        tree_link(t, PID, "root", "/");
        tree_link(t, PID, "cwd", "/mnt/x");
        tree_add(t, PID, "mountinfo", "%s", table);
        if (!path)
                return;
        tree_link(t, PID, "fd/3", path);
        tree_add(t, PID, "fd/3.mode", "%s\n", kind);
        tree_add(t, PID, "fdinfo/3", "pos:\t0\nflags:\t0100000\nmnt_id:\t%d\nino:\t99\n", mount);
}

#define READ_3 "0 0x3 0x7ffd00002000 0x1000 0x0 0x0 0x0"
/* openat(AT_FDCWD, 0x5000, O_RDONLY) */
#define OPENAT "257 0xffffff9c 0x5000 0x0 0x0 0x0 0x0"
#define ENTRY "[<0>] do_syscall_64+0x71/0x280\n"

static void test_nfs_fd(void **state)
{
        struct fixture *f = *state;
        const struct wait *w;

        thread_add(f, 'D', READ_3,
                "[<0>] rpc_wait_bit_killable+0x1e/0x90 [sunrpc]\n"
                "[<0>] nfs4_call_sync_sequence+0x63/0x90 [nfsv4]\n" ENTRY,
                "/mnt/x/file", "file", 40);
        w = explained(f, "6.1.0");
        assert_int_equal(w->reason, REASON_REMOTE_FS);
        assert_int_equal(w->confidence, CONFIDENCE_CERTAIN);
        assert_string_equal(w->text, "waiting for the NFS server filer:/export (mounted on /mnt/x) "
                                     "to answer, for /mnt/x/file (fd 3)");
        assert_string_equal(w->object->kind, "nfs");
        assert_string_equal(w->object->fs, "nfs4");
        assert_string_equal(w->object->source, "filer:/export");
        assert_string_equal(w->object->mount, "/mnt/x");
        assert_null(w->object->device);
}

/* Frames of the page cache alone: the mount tells. */
static void test_nfs_page(void **state)
{
        struct fixture *f = *state;
        const struct wait *w;

        thread_add(f, 'D', READ_3,
                "[<0>] folio_wait_bit_common+0x13d/0x350\n"
                "[<0>] filemap_read+0x34b/0x3b0\n" ENTRY,
                "/mnt/x/file", "file", 40);
        w = explained(f, "6.1.0");
        assert_int_equal(w->reason, REASON_REMOTE_FS);
        assert_int_equal(w->confidence, CONFIDENCE_LIKELY);
        assert_string_equal(w->object->kind, "nfs");
        /* In a fault, it may be any other file's. */
        thread_add(f, 'D', READ_3,
                "[<0>] rpc_wait_bit_killable+0x1e/0x90 [sunrpc]\n"
                "[<0>] handle_mm_fault+0x1/0x90\n[<0>] exc_page_fault+0x1/0x90\n" ENTRY,
                "/mnt/x/file", "file", 40);
        w = explained(f, "6.1.0");
        assert_int_equal(w->reason, REASON_REMOTE_FS);
        assert_null(w->object);
}

static void test_nfs_path(void **state)
{
        static const char stack[] = "[<0>] rpc_wait_bit_killable+0x1e/0x90 [sunrpc]\n" ENTRY;
        struct fixture *f = *state;
        const struct wait *w;

        thread_add(f, 'D', OPENAT, stack, NULL, NULL, 0);
        tree_add(&f->tree, PID, "mem/5000", "66 69 6c 65 00\n"); /* "file", below cwd */
        w = explained(f, "6.1.0");
        assert_string_equal(w->object->fs, "nfs4");
        assert_string_equal(w->object->path, "file");
        assert_string_equal(w->text,
                "waiting for the NFS server filer:/export (mounted on /mnt/x) to answer, for file");
        /* Local by its path: a symbolic link leads to the server, and which is not known. */
        tree_add(&f->tree, PID, "mem/5000", "2f 65 74 63 2f 78 00\n");
        w = explained(f, "6.1.0");
        assert_int_equal(w->reason, REASON_REMOTE_FS);
        assert_string_equal(w->text, "waiting for the server of a network file system");
}

static void test_disk(void **state)
{
        static const char stack[] = "[<0>] folio_wait_bit_common+0x13d/0x350\n"
                                    "[<0>] filemap_read+0x34b/0x3b0\n" ENTRY;
        struct fixture *f = *state;
        const struct wait *w;

        thread_add(f, 'D', READ_3, stack, "/var/lib/x", "file", 27);
        w = explained(f, "6.1.0");
        assert_int_equal(w->reason, REASON_DISK);
        assert_string_equal(w->object->device, "8:1");
        /* The name of a recorded number is not this machine's to tell. */
        assert_null(w->object->device_name);
        assert_string_equal(w->text, "waiting for block I/O on /var/lib/x (fd 3), on /dev/sda1");
        thread_add(f, 'D', READ_3, stack, "/over/f", "file", 45);
        w = explained(f, "6.1.0");
        assert_null(w->object->device);
        assert_string_equal(w->object->fs, "overlay");
        assert_string_equal(w->text, "waiting for block I/O on /over/f (fd 3)");
}

static void holder_add(struct fixture *f, int pid, const char *info)
{
        tree_link(&f->tree, pid, "fd/5", "/dev/fuse");
        tree_add(&f->tree, pid, "fdinfo/5", "pos:\t0\nflags:\t02\n%s", info);
        tree_add(&f->tree, pid, "comm", "sshfs\n");
}

static void test_fuse(void **state)
{
        struct fixture *f = *state;
        const struct wait *w;

        thread_add(f, 'S', READ_3, "[<0>] request_wait_answer+0x166/0x260\n" ENTRY, "/mnt/x/deep/f",
                "file", 42);
        w = explained(f, "6.1.0");
        assert_int_equal(w->n_on, 0);
        assert_string_equal(w->text, "waiting for the daemon of the FUSE file system on "
                                     "/mnt/x/deep (sshfs) to answer, for /mnt/x/deep/f (fd 3)");
        /* One daemon, one file system: before 6.16 that must do, since then it says nothing. */
        holder_add(f, 12, "");
        w = explained(f, "6.1.0");
        assert_int_equal(w->n_on, 1);
        assert_int_equal(w->on[0].pid, 12);
        assert_int_equal(w->on[0].role, ROLE_SERVER);
        w = explained(f, "6.18.0");
        assert_int_equal(w->n_on, 0);
        holder_add(f, 13, "");
        w = explained(f, "6.1.0");
        assert_int_equal(w->n_on, 0);
        holder_add(f, 13, "fuse_connection:\t46\n");
        holder_add(f, 14, "fuse_connection:\t47\n");
        w = explained(f, "6.18.0");
        assert_int_equal(w->n_on, 1);
        assert_int_equal(w->on[0].pid, 13);
        assert_string_equal(w->on[0].comm, "sshfs");
        assert_string_equal(w->object->kind, "fuse");
        assert_non_null(strstr(w->text, "(sshfs, pid 13)"));
}

static void test_autofs(void **state)
{
        struct fixture *f = *state;
        const struct wait *w;

        thread_add(f, 'S', OPENAT, "[<0>] autofs_wait+0x2c1/0x800\n" ENTRY, NULL, NULL, 0);
        tree_add(&f->tree, PID, "mem/5000", "2f 6e 65 74 2f 66 00\n"); /* "/net/f" */
        w = explained(f, "6.1.0");
        assert_string_equal(
                w->text, "waiting for the automounter of /net to mount a file system, for /net/f");
        assert_int_equal(w->n_on, 0);
        tree_add(&f->tree, 77, "comm", "automount\n");
        w = explained(f, "6.1.0");
        assert_int_equal(w->n_on, 1);
        assert_int_equal(w->on[0].pid, 77);
        assert_string_equal(w->text, "waiting for the automounter automount (77) of /net to mount "
                                     "a file system, for /net/f");
        assert_string_equal(w->object->kind, "directory");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_paths),
                cmocka_unit_test(test_chroot),
                cmocka_unit_test(test_hostile),
                cmocka_unit_test(test_families),
                cmocka_unit_test_setup_teardown(test_nfs_fd, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nfs_page, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nfs_path, setup, teardown),
                cmocka_unit_test_setup_teardown(test_disk, setup, teardown),
                cmocka_unit_test_setup_teardown(test_fuse, setup, teardown),
                cmocka_unit_test_setup_teardown(test_autofs, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
