/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is mounted on /proc, and whether it can be read at all: before what it lacks is believed. */
#pragma once

#include <stdbool.h>

/* Has /proc the PIDs of the caller's own PID namespace? */
bool procmount_is_ours(void);

/*
 * root: a directory fd; live: that of /proc, which must be a proc file system then. -ENOENT: it is
 * none. -EMFILE, -ENFILE: there are no descriptors left to read it with.
 */
int procmount_check(int root, bool live);
