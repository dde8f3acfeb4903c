/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line of mountinfo (Documentation/filesystems/proc.rst, 3.5):
 *
 *   36 35 98:0 /sub /mnt/x rw,noatime master:1 - ext4 /dev/sda1 rw,errors=continue
 *
 * Fields are separated by one space each and may be empty; space, tab, newline and backslash
 * in them are written as \040 and the like. Between the sixth and the "-" stand any number of
 * optional ones.
 */
#include "resolve/mounts.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define DEPTH_MAX 1024 /* mounts on the way down a path, some of them on top of each other */

static bool is_octal(char c)
{
        return c >= '0' && c <= '7';
}

/* In place: the text only gets shorter. */
static void unescape(char *s)
{
        char *to = s;

        for (; *s; s++) {
                if (*s == '\\' && s[1] >= '0' && s[1] <= '3' && is_octal(s[2]) && is_octal(s[3])) {
                        *to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
                        s += 3;
                } else {
                        *to++ = *s;
                }
        }
        *to = 0;
}

static bool number_read(const char *field, unsigned *ret_number, char end)
{
        unsigned long n;
        char *after;

        if (!isdigit((unsigned char)*field))
                return false;
        n = strtoul(field, &after, 10);
        if (*after != end || n > INT_MAX)
                return false;
        *ret_number = (unsigned)n;
        return true;
}

static bool line_parse(char *line, struct mount *ret)
{
        char *fields[6], *rest = line;
        unsigned id, parent;
        struct mount m;

        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
                if (!(fields[i] = strsep(&rest, " ")))
                        return false;
        if (!number_read(fields[0], &id, 0) || !number_read(fields[1], &parent, 0) ||
                !number_read(fields[2], &m.device_major, ':') ||
                !number_read(strchr(fields[2], ':') + 1, &m.device_minor, 0))
                return false;
        do {
                line = strsep(&rest, " ");
        } while (line && strcmp(line, "-") != 0);
        for (size_t i = 0; i < 3; i++)
                if (!(fields[i] = strsep(&rest, " ")))
                        return false;
        unescape(fields[4]);
        for (size_t i = 0; i < 3; i++)
                unescape(fields[i]);
        if (fields[4][0] != '/' || !*fields[0])
                return false;
        m.id = (int)id;
        m.parent = (int)parent;
        m.point = fields[4];
        m.type = fields[0];
        m.source = fields[1];
        m.options = fields[2];
        *ret = m;
        return true;
}

int mounts_parse(const char *text, size_t len, bool cut, struct mounts **ret_mounts)
{
        struct mounts *m = calloc(1, sizeof(*m));
        size_t lines = 0;

        if (!m)
                return -ENOMEM;
        for (size_t i = 0; i < len; i++)
                lines += text[i] == '\n';
        m->cut = cut || (len && text[len - 1] != '\n');
        m->text = malloc(len + 1);
        m->all = calloc(lines ? lines : 1, sizeof(*m->all));
        if (!m->text || !m->all) {
                mounts_free(m);
                return -ENOMEM;
        }
        memcpy(m->text, text, len);
        m->text[len] = 0;
        for (char *line = m->text, *end; m->n < lines && (end = strchr(line, '\n'));
                line = end + 1) {
                *end = 0;
                if (line_parse(line, &m->all[m->n]))
                        m->n++;
        }
        *ret_mounts = m;
        return 0;
}

void mounts_free(struct mounts *m)
{
        if (!m)
                return;
        free(m->all);
        free(m->text);
        free(m);
}

const struct mount *mounts_find(const struct mounts *m, int id)
{
        for (size_t i = 0; i < m->n; i++)
                if (m->all[i].id == id)
                        return &m->all[i];
        return NULL;
}

/* Without "." and empty parts. False: not absolute, too long, or it goes up again. */
static bool path_plain(const char *path, char ret[static PATH_MAX])
{
        size_t used = 0;

        if (*path != '/')
                return false;
        while (*path) {
                size_t len;

                path += strspn(path, "/");
                len = strcspn(path, "/");
                if (len == 2 && path[0] == '.' && path[1] == '.')
                        return false;
                if (used + len + 2 > PATH_MAX)
                        return false;
                if (len && !(len == 1 && *path == '.')) {
                        ret[used++] = '/';
                        memcpy(ret + used, path, len);
                        used += len;
                }
                path += len;
        }
        if (!used)
                ret[used++] = '/';
        ret[used] = 0;
        return true;
}

static bool is_below(const char *path, const char *point)
{
        size_t len = strlen(point);

        if (len == 1)
                return true;
        return strncmp(path, point, len) == 0 && (!path[len] || path[len] == '/');
}

/*
 * The next mount on the way down: of those on this one the first that the path comes to, and
 * the last one of several in one place. below NULL: those that are on none of the list, as the
 * root, or several when the process's root is no mount point.
 */
static const struct mount *mount_next(
        const struct mounts *m, const struct mount *on, const char *path)
{
        const struct mount *next = NULL;

        for (size_t i = 0; i < m->n; i++) {
                const struct mount *one = &m->all[i];

                if (one == on || !is_below(path, one->point))
                        continue;
                if (on ? one->parent != on->id
                       : mounts_find(m, one->parent) && one->parent != one->id)
                        continue;
                if (!next || strlen(one->point) <= strlen(next->point))
                        next = one;
        }
        return next;
}

const struct mount *mounts_of_path(const struct mounts *m, const char *path)
{
        const struct mount *at = NULL, *next;
        char plain[PATH_MAX];

        /* With some of them missing, it may be on one of those. */
        if (m->cut || !path_plain(path, plain))
                return NULL;
        for (int depth = 0; depth < DEPTH_MAX; depth++) {
                next = mount_next(m, at, plain);
                if (!next)
                        return at;
                at = next;
        }
        return NULL;
}

const char *mount_option(const struct mount *m, const char *name, size_t *ret_len)
{
        size_t len = strlen(name);

        for (const char *p = m->options; p; p = strchr(p, ',')) {
                p += *p == ',';
                if (strncmp(p, name, len) == 0 && p[len] == '=') {
                        *ret_len = strcspn(p + len + 1, ",");
                        return p + len + 1;
                }
        }
        return NULL;
}
