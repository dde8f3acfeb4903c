/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See procmount.h. */
#include "base/procmount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/statfs.h>
#include <unistd.h>

#define FDS_WANTED 8 /* of a look at one thread */

bool procmount_is_ours(void)
{
        char link[32];
        ssize_t n = readlink("/proc/self", link, sizeof(link) - 1);

        link[n < 0 ? 0 : n] = 0;
        return strtol(link, NULL, 10) == getpid();
}

/* Whoever has no descriptor left cannot tell a process that has ended from one that runs. */
static int fds_check(int fd)
{
        int fds[FDS_WANTED], r = 0;
        size_t n = 0;

        while (n < FDS_WANTED && r == 0) {
                fds[n] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
                if (fds[n] < 0)
                        r = -errno;
                else
                        n++;
        }
        while (n)
                close(fds[--n]);
        return r;
}

int procmount_check(int root, bool live)
{
        struct statfs fs;

        if (live && (fstatfs(root, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC))
                return -ENOENT;
        return fds_check(root);
}
