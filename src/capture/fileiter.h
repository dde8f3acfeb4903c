/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pipes and sockets of a process whose table of fds may not be read (it has capabilities that
 * pwhy lacks), as a program inside the kernel sees them; and the userfaultfds of all. In the first
 * PID namespace only.
 */
#pragma once

#include <sys/types.h>

struct fileiter;
struct wire_file;
struct wire_userfault;

/* -errno where it cannot be had: no BPF, or not permitted. */
int fileiter_new(struct fileiter **ret_iter);
void fileiter_free(struct fileiter *it); /* NULL-safe */

/* All of one process. -errno when not all could be had. */
int fileiter_process(struct fileiter *it, pid_t pid,
        void (*each)(void *arg, const struct wire_file *f), void *arg);

/* The userfaultfds of all processes. -errno when not all could be had. */
int fileiter_userfaults(
        struct fileiter *it, void (*each)(void *arg, const struct wire_userfault *u), void *arg);
