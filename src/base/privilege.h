/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why the kernel refused to show something, and what would help. */
#pragma once

#include <stdbool.h>

struct privilege {        /* of pwhy itself */
        bool recorded;    /* it reads a recorded tree: the refusals were somebody else's */
        bool root;        /* effective user 0 */
        bool sys_admin;   /* CAP_SYS_ADMIN */
        bool sys_ptrace;  /* CAP_SYS_PTRACE */
        bool user_ns;     /* in a user namespace of its own: its capabilities do not count */
        int ptrace_scope; /* yama: 0 … 3; -1: no yama */
};

void privilege_read(struct privilege *ret, bool recorded);

struct refusal {
        const char *why;
        const char *remedy; /* NULL: none known */
};

/* EACCES or EPERM of /proc/PID/stack: proc_pid_stack() wants CAP_SYS_ADMIN of the first user
 * namespace (fs/proc/base.c, since 4.20), and ptrace access before. */
struct refusal privilege_refusal_stack(const struct privilege *p, int error);

/* EACCES or EPERM of syscall, fd, exe, memory …: ptrace_may_access() said no. */
struct refusal privilege_refusal_ptrace(const struct privilege *p, int error);
