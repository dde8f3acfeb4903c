/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens the file of a mapping. That may hang on a dead file system, and would not be harmless
 * with devices: so it is opened as a place first, and for reading if it is a regular file.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

struct map;

/*
 * O_PATH fd of what is mapped, or -errno; -ESTALE: the file that has its path now is another. live:
 * dir is of /proc, not of a recorded tree.
 */
int mapfile_place(int dir, const struct map *map, bool live, struct stat *ret);

/* The same for reading. The time of last access is left alone where the kernel lets us. */
int mapfile_open(int place);
