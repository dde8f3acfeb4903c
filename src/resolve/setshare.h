/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does anybody else have an epoll set of this process? It is inherited by fork(2) and sent through
 * sockets, and whoever has it can add to it what ends a wait.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct fdscan;
struct procio;

/* Of any of its sets. True where it may be so, too: not everybody is seen, or may be asked. */
bool epoll_may_be_shared(struct procio *io, const struct fdscan *scan, pid_t pid);
