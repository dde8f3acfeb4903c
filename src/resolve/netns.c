/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "resolve/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/procio.h"

int namespaces_open(struct procio *io, pid_t pid, uint64_t *ret_inode)
{
        char path[32];
        struct stat st;
        int fd;

        if (pid)
                snprintf(path, sizeof(path), "%d/ns/net", (int)pid);
        else
                snprintf(path, sizeof(path), "self/ns/net");
        fd = openat(procio_root(io), path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0) {
                int r = -errno;

                close(fd);
                return r;
        }
        *ret_inode = st.st_ino;
        return fd;
}

void namespaces_init(struct namespaces *ns, struct procio *io)
{
        *ns = (struct namespaces){ .io = io, .own = -1 };
        if (procio_live(io))
                ns->own = namespaces_open(io, 0, &ns->own_inode);
}

void namespaces_done(struct namespaces *ns)
{
        if (ns->own >= 0)
                close(ns->own);
        ns->own = -1;
}

int namespaces_enter(const struct namespaces *ns, uint64_t wanted, pid_t pid)
{
        _cleanup_close_ int fd = -1;
        uint64_t inode = 0;

        if (ns->lost || ns->own < 0)
                return -ENOENT;
        if (wanted == ns->own_inode)
                return 0;
        /* The namespace of somebody else's process is not even told. */
        if (!wanted)
                return -EACCES;
        if (pid <= 0)
                return -ENOENT;
        fd = namespaces_open(ns->io, pid, &inode);
        if (fd < 0)
                return fd;
        /* It moved, or the number is another process's by now. */
        if (inode != wanted)
                return -ENOENT;
        return setns(fd, CLONE_NEWNET) < 0 ? -errno : 1;
}

void namespaces_leave(struct namespaces *ns)
{
        if (setns(ns->own, CLONE_NEWNET) < 0)
                ns->lost = true;
}
