/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/PID/mountinfo: which file system a file is on, without touching that file system.
 *
 * An open file is found by the mnt_id of its fdinfo (since Linux 3.15), which is exact. A path
 * is found by walking down the mounts as the kernel would, but symbolic links are not seen: what
 * a path says must be confirmed by something else, as the functions on a stack.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct mount {
        int id, parent;
        unsigned device_major, device_minor; /* major 0: no device, the file system made it up */
        const char *point;                   /* as the process sees it, from its root */
        const char *type;                    /* "ext4", "nfs4", "fuse.sshfs" */
        const char *source;                  /* "/dev/sda1", "server:/export" */
        const char *options;                 /* of the file system */
};

struct mounts {
        struct mount *all;
        size_t n;
        bool cut; /* there are more */
        char *text;
};

/* Lines that are no mount are passed over; one without its end counts as cut off. -ENOMEM. */
int mounts_parse(const char *text, size_t len, bool cut, struct mounts **ret_mounts);
void mounts_free(struct mounts *m);

/* NULL: not there. */
const struct mount *mounts_find(const struct mounts *m, int id);
/* Of an absolute path. NULL: not known, as for one with "..". */
const struct mount *mounts_of_path(const struct mounts *m, const char *path);

/* Value of an option "name=VALUE"; its length. NULL: not there. */
const char *mount_option(const struct mount *m, const char *name, size_t *ret_len);
