/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The helper program pwhy-elf: where it is, and starting it. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * A socket to a started helper, which has not said anything yet. -EOPNOTSUPP: built without
 * DWARF, or there is no helper.
 */
int elfhelper_start(int *ret_socket, pid_t *ret_pid);

/* Ends it, now, and reaps it, unless it is stuck in a read that never returns. */
void elfhelper_kill(pid_t pid);
