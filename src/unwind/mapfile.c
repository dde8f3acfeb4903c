/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map_files/ leads to what is mapped whatever became of its path, and wants CAP_SYS_ADMIN or
 * CAP_CHECKPOINT_RESTORE. Without these the path below the process's root is tried, and then its
 * executable; either must have the inode that maps tells.
 */
#include "unwind/mapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unwind/maps.h"

/* A path as the process sees it: no link leads out of its root. */
static int open_below_root(int dir, const char *path)
{
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };
        _cleanup_close_ int root = openat(dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        int fd;

        if (root < 0)
                return -errno;
        fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how)); /* since 5.6 */
        if (fd < 0 && errno == ENOSYS)
                fd = openat(root, path + strspn(path, "/"), O_PATH | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}

int mapfile_place(int dir, const struct map *map, bool live, struct stat *ret)
{
        char path[64];
        int fd, error;

        snprintf(path, sizeof(path), "map_files/%llx-%llx", (unsigned long long)map->start,
                (unsigned long long)map->end);
        fd = openat(dir, path, O_PATH | O_CLOEXEC | (live ? 0 : O_NOFOLLOW));
        if (fd >= 0)
                return fstat(fd, ret) < 0 ? (error = errno, close(fd), -error) : fd;
        error = errno;
        /* What the links of a recorded tree lead to is of another machine. */
        for (int i = live ? 0 : 2; i < 2; i++) {
                fd = i == 0 ? open_below_root(dir, map->name)
                            : openat(dir, "exe", O_PATH | O_CLOEXEC);
                if (fd < 0)
                        continue;
                if (fstat(fd, ret) == 0 && ret->st_ino == map->inode)
                        return fd;
                close(fd);
                error = ESTALE;
        }
        return -error;
}

int mapfile_open(int place)
{
        const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
        char path[40];
        int fd;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
        fd = open(path, flags | O_NOATIME);
        if (fd < 0 && errno == EPERM)
                fd = open(path, flags);
        return fd < 0 ? -errno : fd;
}
