/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loaded for the moment: it is needed once a snapshot at most, and on few machines. */
#include "capture/fileiter.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "capture/bpf/filewire.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-declarations"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wpointer-arith"
#include "file.lskel.h"
#include "userfault.lskel.h"
#pragma GCC diagnostic pop

#define RECORDS 1024

struct fileiter {
        struct fileprog *program;
        struct userfaultprog *userfaults; /* NULL: not asked for */
};

int fileiter_new(struct fileiter **ret_iter)
{
        struct fileiter *it = calloc(1, sizeof(*it));
        int r;

        if (!it)
                return -ENOMEM;
        it->program = fileprog__open();
        r = it->program ? fileprog__load(it->program) : -ENOMEM;
        if (r < 0) {
                fileiter_free(it);
                return r;
        }
        *ret_iter = it;
        return 0;
}

void fileiter_free(struct fileiter *it)
{
        if (!it)
                return;
        if (it->program)
                fileprog__destroy(it->program);
        if (it->userfaults)
                userfaultprog__destroy(it->userfaults);
        free(it);
}

static int bpf_call(int command, union bpf_attr *attr)
{
        long r = syscall(SYS_bpf, command, attr, sizeof(*attr));

        return r < 0 ? -errno : (int)r;
}

/* Of one process; 0: of all. The kernel goes through one alone since 6.1. */
static int iterator_open(int program, pid_t pid)
{
        _cleanup_close_ int link = -1;
        union bpf_iter_link_info info;
        union bpf_attr attr;

        memset(&info, 0, sizeof(info));
        memset(&attr, 0, sizeof(attr));
        attr.link_create.prog_fd = (uint32_t)program;
        attr.link_create.attach_type = BPF_TRACE_ITER;
        if (pid) {
                info.task.pid = (uint32_t)pid;
                attr.link_create.iter_info = (uint64_t)(uintptr_t)&info;
                attr.link_create.iter_info_len = sizeof(info);
        }
        link = bpf_call(BPF_LINK_CREATE, &attr);
        if (link < 0)
                return link;
        memset(&attr, 0, sizeof(attr));
        attr.iter_create.link_fd = (uint32_t)link;
        return bpf_call(BPF_ITER_CREATE, &attr);
}

/* Up to so many bytes of records: 0: no more; -errno. */
static ssize_t records_read(int fd, void *buffer, size_t size)
{
        ssize_t n;

        do
                n = read(fd, buffer, size);
        while (n < 0 && (errno == EINTR || errno == EAGAIN));
        return n < 0 ? -errno : n;
}

int fileiter_files(struct fileiter *it, pid_t pid,
        int (*each)(void *arg, const struct wire_file *f), void *arg)
{
        _cleanup_free_ struct wire_file *buffer = calloc(RECORDS, sizeof(*buffer));
        _cleanup_close_ int fd = iterator_open(it->program->progs.files.prog_fd, pid);
        ssize_t n;

        if (!buffer)
                return -ENOMEM;
        if (fd < 0)
                return fd;
        while ((n = records_read(fd, buffer, RECORDS * sizeof(*buffer))) > 0) {
                for (size_t i = 0; i < (size_t)n / sizeof(*buffer); i++) {
                        int r = !pid || buffer[i].pid == pid ? each(arg, &buffer[i]) : 0;

                        if (r < 0)
                                return r;
                }
        }
        return (int)n;
}

int fileiter_userfaults(
        struct fileiter *it, void (*each)(void *arg, const struct wire_userfault *u), void *arg)
{
        struct wire_userfault buffer[64];
        _cleanup_close_ int fd = -1;
        ssize_t n;
        int r;

        if (!it->userfaults) {
                it->userfaults = userfaultprog__open();
                r = it->userfaults ? userfaultprog__load(it->userfaults) : -ENOMEM;
                if (r < 0)
                        return r;
        }
        fd = iterator_open(it->userfaults->progs.userfaults.prog_fd, 0);
        if (fd < 0)
                return fd;
        while ((n = records_read(fd, buffer, sizeof(buffer))) > 0)
                for (size_t i = 0; i < (size_t)n / sizeof(*buffer); i++)
                        each(arg, &buffer[i]);
        return (int)n;
}
