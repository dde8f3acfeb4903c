/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process_vm_readv(2) neither stops nor traces anybody; it waits for the mmap lock (HANG_MM). */
#include "base/procmem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/procio.h"
#include "base/worker.h"

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return -1;
}

/* "00 01 ff\n", any white space between bytes */
static ssize_t recorded_memory(
        struct procio *io, int process_dir, uint64_t address, unsigned char *buffer, size_t len)
{
        const char *text;
        char path[40];
        size_t n = 0;
        ssize_t r;

        snprintf(path, sizeof(path), "mem/%llx", (unsigned long long)address);
        r = procio_read(io, process_dir, path, 0, HANG_NONE, &text);
        if (r < 0)
                return r == -ENOENT ? -EFAULT : r;
        while (*text && n < len) {
                int high = hex_digit(*text), low = high < 0 ? -1 : hex_digit(text[1]);

                if (low < 0) {
                        text++;
                        continue;
                }
                buffer[n++] = (unsigned char)(high << 4 | low);
                text += 2;
        }
        return (ssize_t)n;
}

/* Any thread of the process but that one; 0: there is none. */
static pid_t thread_other(int process_dir, pid_t tid)
{
        int fd = openat(process_dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *tasks = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *e;

        if (!tasks && fd >= 0)
                close(fd);
        while (tasks && (e = readdir(tasks))) {
                long number = strtol(e->d_name, NULL, 10);

                if (number > 0 && number != tid)
                        return (pid_t)number;
        }
        return 0;
}

ssize_t procio_memory(
        struct procio *io, int process_dir, pid_t pid, uint64_t address, void *buffer, size_t len)
{
        struct iovec local = { buffer, len }, remote;
        ssize_t n;

        if (!address)
                return -EFAULT;
        if (!procio_live(io))
                return recorded_memory(io, process_dir, address, buffer, len);
        if (!watch_enter(procio_watch(io), pid, HANG_MM))
                return -ETIMEDOUT;
        remote = (struct iovec){ (void *)(uintptr_t)address, len };
        n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
        /* The main thread has exited, and has no memory any more; the others do. */
        if (n < 0 && errno == ESRCH) {
                pid_t other = thread_other(process_dir, pid);

                errno = ESRCH;
                n = other ? process_vm_readv(other, &local, 1, &remote, 1, 0) : -1;
        }
        if (n < 0)
                n = -errno;
        watch_leave(procio_watch(io));
        return n;
}
