/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recorded trees of /proc, made by a test in a temporary directory and removed after it. */
#pragma once

#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct tree {
        char root[PATH_MAX / 2];
};

static inline void tree_new(struct tree *t)
{
        const char *tmp = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */

        /* In memory, where there is room: some trees have thousands of files. */
        if (!tmp || !*tmp)
                tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

        snprintf(t->root, sizeof(t->root), "%s/pwhy-test-XXXXXX", tmp);
        assert_non_null(mkdtemp(t->root));
}

static inline int tree_remove_one(
        const char *path, const struct stat *st, int type, struct FTW *where)
{
        (void)st;
        (void)type;
        (void)where;
        return remove(path);
}

static inline void tree_free(struct tree *t)
{
        if (*t->root)
                nftw(t->root, tree_remove_one, 32, FTW_DEPTH | FTW_PHYS);
        *t->root = 0;
}

/* The path of a name in the tree; its directories are there then. */
static inline void tree_path(const struct tree *t, const char *name, char ret[static PATH_MAX])
{
        snprintf(ret, PATH_MAX, "%s/%s", t->root, name);
        for (char *slash = ret + strlen(t->root) + 1; (slash = strchr(slash, '/')); slash++) {
                *slash = 0;
                mkdir(ret, 0755);
                *slash = '/';
        }
}

static inline void tree_bytes(const struct tree *t, const char *name, const void *bytes, size_t len)
{
        char path[PATH_MAX];
        FILE *f;

        tree_path(t, name, path);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_int_equal(fwrite(bytes, 1, len, f), len);
        assert_int_equal(fclose(f), 0);
}

static inline void tree_text(const struct tree *t, const char *name, const char *text)
{
        tree_bytes(t, name, text, strlen(text));
}

/* The same with a name and a text that are put together. */
static inline void __attribute__((format(printf, 4, 5)))
tree_add(const struct tree *t, int pid, const char *name, const char *format, ...)
{
        char path[256], text[8192];
        va_list ap;
        int n;

        snprintf(path, sizeof(path), "%d/%s", pid, name);
        va_start(ap, format);
        n = vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        assert_true(n >= 0 && (size_t)n < sizeof(text));
        tree_text(t, path, text);
}

static inline void tree_link(const struct tree *t, int pid, const char *name, const char *target)
{
        char path[PATH_MAX], below[256];

        snprintf(below, sizeof(below), "%d/%s", pid, name);
        tree_path(t, below, path);
        unlink(path);
        assert_int_equal(symlink(target, path), 0);
}

/* "4242 (comm) S 1 …": a stat as the kernel prints it, as far as capture looks. */
static inline void tree_stat(
        const struct tree *t, int pid, int tid, const char *comm, char state, int ppid)
{
        char name[64];

        for (int main_too = pid == tid; main_too >= 0; main_too--) {
                if (main_too)
                        snprintf(name, sizeof(name), "stat");
                else
                        snprintf(name, sizeof(name), "task/%d/stat", tid);
                tree_add(t, pid, name,
                        "%d (%s) %c %d %d %d 0 -1 4194304 1 0 0 0 3 4 0 0 20 0 1 0 %d 1000 100 "
                        "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 "
                        "0 0\n",
                        tid, comm, state, ppid, pid, pid, 1000 + pid);
        }
}
