/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who answers for a file system, by its type as mountinfo has it: a disk, a server, a program.
 * A new network file system is a row in fstype.c.
 */
#pragma once

#include <stdbool.h>

enum fs_family { FS_LOCAL, FS_NFS, FS_NETWORK, FS_FUSE, FS_AUTOFS };

enum fs_family fs_family(const char *type); /* NULL: FS_LOCAL */

/* "the NFS server": who answers for a file system of FS_NFS or FS_NETWORK. */
const char *fs_server(const char *type);

/*
 * Does statx(AT_STATX_DONT_SYNC) leave the server or daemon in peace? Some file systems ask
 * it whatever the flag says.
 */
bool fs_stat_is_quiet(const char *type);
