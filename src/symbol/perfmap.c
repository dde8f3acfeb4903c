/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A map has a line for each function, a hundred thousand with some, and a few of them are
 * wanted: so it is read line by line, and each looks for the addresses in it.
 */
#include "symbol/perfmap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/worker.h"
#include "model.h"

#define FILE_MAX (128UL << 20)
#define PIECE (64U << 10) /* longer lines are passed over */
#define SYMBOL_MAX 1024U

static bool hex_parse(char **text, uint64_t *ret)
{
        char *p = *text;
        uint64_t value = 0;
        unsigned digits = 0;

        if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
                p += 2;
        for (;; p++, digits++) {
                unsigned digit = *p >= '0' && *p <= '9'   ? (unsigned)(*p - '0')
                                 : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a') + 10
                                 : *p >= 'A' && *p <= 'F' ? (unsigned)(*p - 'A') + 10
                                                          : 16;

                if (digit == 16)
                        break;
                if (value >> 60)
                        return false;
                value = value << 4 | digit;
        }
        if (!digits || *p != ' ')
                return false;
        *text = p + strspn(p, " ");
        *ret = value;
        return true;
}

int perfmap_parse(char *line, uint64_t *ret_start, uint64_t *ret_size, const char **ret_symbol)
{
        uint64_t start, size;

        if (!hex_parse(&line, &start) || !hex_parse(&line, &size) || !*line || !size ||
                start + size < start)
                return -EINVAL;
        *ret_start = start;
        *ret_size = size;
        *ret_symbol = line;
        return 0;
}

struct search {
        struct arena *arena;
        struct perfmap_name *names;
        size_t n;
        size_t kept; /* bytes of names in the arena */
};

static void line_apply(struct search *s, char *line)
{
        uint64_t start, size;
        const char *symbol;
        size_t low = 0, high = s->n;

        if (perfmap_parse(line, &start, &size, &symbol) < 0)
                return;
        while (low < high) { /* the first that is not below */
                size_t middle = low + (high - low) / 2;

                if (s->names[middle].address < start)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (; low < s->n && s->names[low].address - start < size; low++) {
                /* A file of lines that replace each other must not fill the arena. */
                size_t len = strnlen(symbol, SYMBOL_MAX);

                if (s->kept + len > s->n * SYMBOL_MAX * 4)
                        return;
                s->kept += len;
                s->names[low].symbol = arena_strn(s->arena, symbol, len);
                s->names[low].offset = s->names[low].address - start;
        }
}

static int search_run(struct search *s, int fd)
{
        _cleanup_free_ char *text = malloc(PIECE + 1);
        size_t used = 0, total = 0;
        bool skip = false; /* the rest of a line that was too long */

        if (!text)
                return -ENOMEM;
        while (total < FILE_MAX) {
                ssize_t n = read(fd, text + used, PIECE - used);
                char *line = text, *end;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                used += (size_t)n;
                total += (size_t)n;
                while ((end = memchr(line, '\n', used - (size_t)(line - text)))) {
                        *end = 0;
                        if (!skip)
                                line_apply(s, line);
                        skip = false;
                        line = end + 1;
                }
                used -= (size_t)(line - text);
                memmove(text, line, used);
                if (used == PIECE) {
                        skip = true;
                        used = 0;
                }
        }
        return 0;
}

/* The process's own /tmp, by the PID that it has for itself. */
static int perfmap_open(const struct process *p, int dir)
{
        struct open_how how = {
                .flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };
        _cleanup_close_ int root = openat(dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct stat st;
        char path[48];
        int fd;

        if (root < 0)
                return -errno;
        snprintf(
                path, sizeof(path), "tmp/perf-%d.map", (int)(p->inner_pid ? p->inner_pid : p->pid));
        fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how)); /* since 5.6 */
        if (fd < 0 && errno == ENOSYS)
                fd = openat(root, path, (int)how.flags);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
                (st.st_uid != 0 && !(p->has_uid && st.st_uid == p->uid))) {
                close(fd);
                return -EPERM;
        }
        return fd;
}

int perfmap_find(struct watch *watch, struct arena *arena, const struct process *p, int dir,
        struct perfmap_name *names, size_t n)
{
        struct search s = { .arena = arena, .names = names, .n = n };
        _cleanup_close_ int fd = -1;
        int r;

        if (!watch_enter(watch, p->pid, HANG_FILE))
                return -ETIMEDOUT;
        fd = perfmap_open(p, dir);
        r = fd < 0 ? fd : search_run(&s, fd);
        watch_leave(watch);
        return r;
}
