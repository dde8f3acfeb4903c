/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may pwhy do? Read from /proc/self rather than by libcap: one number, at every start.
 */
#include "base/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/procfile.h"

/* The files are the owner's to read (0400), hence the second one (fs/proc/base.c). */
#define PTRACE_REMEDY "run pwhy with sudo, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"

static ssize_t small_file(const char *path, char *text, size_t size)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

        text[n < 0 ? 0 : n] = 0;
        return n;
}

void privilege_read(struct privilege *ret, bool recorded)
{
        struct procfile_status status = { 0 };
        struct privilege p = { .ptrace_scope = -1, .recorded = recorded };
        char text[4096];
        ssize_t n;

        n = small_file("/proc/self/status", text, sizeof(text));
        if (n > 0 && procfile_status(text, (size_t)n, &status) > 0) {
                p.sys_admin = status.cap_eff >> CAP_SYS_ADMIN & 1;
                p.sys_ptrace = status.cap_eff >> CAP_SYS_PTRACE & 1;
        }
        p.root = geteuid() == 0;
        /* The first user namespace maps everything to itself: "0 0 4294967295". */
        if (small_file("/proc/self/uid_map", text, sizeof(text)) > 0) {
                unsigned inside = 1, outside = 1, count = 0;

                p.user_ns = sscanf(text, "%u %u %u", &inside, &outside, &count) != 3 || inside ||
                            outside || count != UINT32_MAX;
        }
        if (small_file("/proc/sys/kernel/yama/ptrace_scope", text, sizeof(text)) > 0)
                p.ptrace_scope = text[0] - '0';
        *ret = p;
}

static const struct refusal recorded_refusal = { "refused when the tree was recorded", NULL };

struct refusal privilege_refusal_stack(const struct privilege *p, int error)
{
        if (p->recorded)
                return recorded_refusal;
        if (error == ENOENT)
                return (struct refusal){ "this kernel is built without them (CONFIG_STACKTRACE)",
                        NULL };
        if (p->user_ns)
                return (struct refusal){ "pwhy runs in a user namespace, where CAP_SYS_ADMIN does "
                                         "not count",
                        "run pwhy as root of the host" };
        if (!p->sys_admin)
                return (struct refusal){ "the kernel shows them to CAP_SYS_ADMIN only",
                        "run pwhy with sudo, or with CAP_SYS_ADMIN" };
        if (!p->sys_ptrace)
                return (struct refusal){ "the kernel wants CAP_SYS_PTRACE too", PTRACE_REMEDY };
        return (struct refusal){ "refused although pwhy has CAP_SYS_ADMIN and CAP_SYS_PTRACE: the "
                                 "process has capabilities that pwhy lacks, or a security module "
                                 "guards it",
                "run pwhy with all capabilities of the host" };
}

struct refusal privilege_refusal_ptrace(const struct privilege *p, int error)
{
        if (p->recorded)
                return recorded_refusal;
        if (error == ENOENT)
                return (struct refusal){ "this kernel does not have them", NULL };
        if (p->sys_ptrace && !p->user_ns)
                return (struct refusal){ "refused although pwhy has CAP_SYS_PTRACE: the process "
                                         "has capabilities that pwhy lacks, or a security module "
                                         "guards it",
                        "run pwhy with all capabilities of the host" };
        if (p->ptrace_scope >= 1)
                return (struct refusal){ "the process belongs to another user, or is not dumpable, "
                                         "or yama (kernel.yama.ptrace_scope) forbids it",
                        PTRACE_REMEDY };
        return (struct refusal){ "the process belongs to another user, or is not dumpable",
                PTRACE_REMEDY };
}
