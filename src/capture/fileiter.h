/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that processes have open, as a program inside the kernel sees them: of the whole machine in
 * one pass, and of a process whose table of fds may not be read (it has capabilities that pwhy
 * lacks); and whom userfaultfds serve. In the first PID namespace only.
 */
#pragma once

#include <sys/types.h>

struct fileiter;
struct wire_file;
struct wire_userfault;

/* -errno where it cannot be had: no BPF, or not permitted. */
int fileiter_new(struct fileiter **ret_iter);
void fileiter_free(struct fileiter *it); /* NULL-safe */

/*
 * All of one process, or of all (pid 0), the threads in the order of their numbers; each() may end
 * it by a negative errno. -errno when not all could be had.
 */
int fileiter_files(struct fileiter *it, pid_t pid,
        int (*each)(void *arg, const struct wire_file *f), void *arg);

/* The userfaultfds of all processes. -errno when not all could be had. */
int fileiter_userfaults(
        struct fileiter *it, void (*each)(void *arg, const struct wire_userfault *u), void *arg);
