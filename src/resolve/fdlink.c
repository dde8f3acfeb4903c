/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the link of an fd says (fs/proc/fd.c): "pipe:[7]", "anon_inode:[eventfd]", a path. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "resolve/fdscan.h"

uint32_t fdscan_name(const char *path)
{
        const char *slash = strrchr(path, '/');
        uint32_t hash = 2166136261U; /* FNV-1a */

        for (const char *c = slash ? slash + 1 : path; *c; c++)
                hash = (hash ^ (unsigned char)*c) * 16777619U;
        return hash;
}

static bool number_after(const char *link, const char *prefix, uint64_t *ret)
{
        size_t len = strlen(prefix);
        uint64_t number;
        char *end;

        if (strncmp(link, prefix, len) != 0 || !isdigit((unsigned char)link[len]))
                return false;
        number = strtoull(link + len, &end, 10);
        if (strcmp(end, prefix[len - 1] == '[' ? "]" : "") != 0)
                return false;
        *ret = number;
        return true;
}

bool fdscan_link(const char *link, struct fd_entry *ret)
{
        static const struct {
                const char *link;
                enum fd_class class;
        } exact[] = {
                { "anon_inode:[eventfd]", FD_EVENTFD },
                { "anon_inode:[eventpoll]", FD_EPOLL },
                { "anon_inode:[userfaultfd]", FD_USERFAULT },
                { "anon_inode:seccomp notify", FD_SECCOMP },
                { "anon_inode:[seccomp notify]", FD_SECCOMP },
                { "anon_inode:[fanotify]", FD_FANOTIFY },
                { "/dev/fuse", FD_FUSE },
                { "/dev/ptmx", FD_PTMX },
                { "/dev/pts/ptmx", FD_PTMX },
        };

        ret->number = 0;
        ret->name = 0;
        if (number_after(link, "pipe:[", &ret->number)) {
                ret->class = FD_PIPE;
                return true;
        }
        if (number_after(link, "socket:[", &ret->number)) {
                ret->class = FD_SOCKET;
                return true;
        }
        if (number_after(link, "/dev/pts/", &ret->number)) {
                ret->class = FD_PTS;
                return true;
        }
        for (size_t i = 0; i < ARRAY_SIZE(exact); i++) {
                if (strcmp(link, exact[i].link) != 0)
                        continue;
                ret->class = exact[i].class;
                return true;
        }
        ret->class = FD_PATH;
        ret->name = link[0] == '/' ? fdscan_name(link) : 0;
        return link[0] == '/';
}
