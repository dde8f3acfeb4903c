/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that wait for the other end of a pipe or FIFO. */
#include "scene.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void pipe_read(struct stage *st, int flags)
{
        int fds[2];
        pid_t pid;

        MUST(pipe2(fds, flags | O_CLOEXEC));
        pid = child_start(st);
        if (pid == 0) {
                char byte;

                close(fds[1]);
                (void)!read(fds[0], &byte, 1);
                child_end();
        }
        close(fds[0]);
        wait_call(st, pid, SYS_read, -1);
        stage_ready(st, pid, pid, "fd=%d inode=%lu peer=%d", fds[0], fd_inode(fds[1]), st->pid);
}

static void pipe_write(struct stage *st, int flags)
{
        int fds[2];
        pid_t pid;

        MUST(pipe2(fds, flags | O_CLOEXEC));
        fd_fill(fds[1]);
        pid = child_start(st);
        if (pid == 0) {
                close(fds[0]);
                (void)!write(fds[1], "x", 1);
                child_end();
        }
        close(fds[1]);
        wait_call(st, pid, SYS_write, -1);
        stage_ready(st, pid, pid, "fd=%d inode=%lu peer=%d", fds[1], fd_inode(fds[0]), st->pid);
}

static void pipe_splice(struct stage *st, int how)
{
        int from[2], to[2];
        pid_t pid;

        (void)how;
        MUST(pipe2(from, O_CLOEXEC));
        MUST(pipe2(to, O_CLOEXEC));
        pid = child_start(st);
        if (pid == 0) {
                close(from[1]);
                close(to[0]);
                splice(from[0], NULL, to[1], NULL, 4096, 0);
                child_end();
        }
        close(from[0]);
        close(to[1]);
        wait_call(st, pid, SYS_splice, -1);
        stage_ready(st, pid, pid, "fd=%d inode=%lu fd2=%d peer=%d", from[0], fd_inode(from[1]),
                to[1], st->pid);
}

/* The same call waits at its other end when that is what has no room. */
static void pipe_splice_full(struct stage *st, int how)
{
        int from[2], to[2];
        pid_t pid;

        (void)how;
        MUST(pipe2(from, O_CLOEXEC));
        MUST(pipe2(to, O_CLOEXEC));
        MUST(write(from[1], "abc", 3));
        fd_fill(to[1]);
        pid = child_start(st);
        if (pid == 0) {
                close(from[1]);
                close(to[0]);
                splice(from[0], NULL, to[1], NULL, 4096, 0);
                child_end();
        }
        close(to[1]);
        wait_call(st, pid, SYS_splice, -1);
        stage_ready(st, pid, pid, "fd=%d inode=%lu fd2=%d peer=%d", to[1], fd_inode(to[0]), from[0],
                st->pid);
}

static void sendfile_full(struct stage *st, int how)
{
        int file = (int)MUST(memfd_create("pwhy-scene", MFD_CLOEXEC)), fds[2];
        pid_t pid;

        (void)how;
        MUST(write(file, "abc", 3));
        MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
        fd_fill(fds[0]);
        pid = child_start(st);
        if (pid == 0) {
                close(fds[1]);
                /* Until 6.5 some pages could be hung on to the last message in the queue. */
                while (sendfile(fds[0], file, &(off_t){ 0 }, 3) > 0)
                        ;
                child_end();
        }
        wait_call(st, pid, SYS_sendfile, -1);
        stage_ready(st, pid, pid, "fd=%d inode=%lu fd2=%d peer=%d", fds[0], fd_inode(fds[0]), file,
                st->pid);
}

static const char *fifo_make(struct stage *st)
{
        const char *path = stage_path(st, "fifo");

        MUST(mkfifo(path, 0600));
        return path;
}

static void fifo_read(struct stage *st, int how)
{
        const char *path = fifo_make(st);
        int writer, fd;
        pid_t pid;

        (void)how;
        /* Opening for both never blocks, and lets the two ends be opened one by one. */
        int both = (int)MUST(open(path, O_RDWR | O_CLOEXEC));

        fd = (int)MUST(open(path, O_RDONLY | O_CLOEXEC));
        writer = (int)MUST(open(path, O_WRONLY | O_CLOEXEC));
        close(both);
        pid = child_start(st);
        if (pid == 0) {
                char byte;

                close(writer);
                (void)!read(fd, &byte, 1);
                child_end();
        }
        close(fd);
        wait_call(st, pid, SYS_read, -1);
        stage_ready(st, pid, pid, "fd=%d inode=%lu path=%s peer=%d", fd, fd_inode(writer), path,
                st->pid);
}

static void fifo_open(struct stage *st, int flags)
{
        const char *path = fifo_make(st);
        struct stat sb;
        pid_t pid = child_start(st);

        if (pid == 0) {
                open(path, flags | O_CLOEXEC);
                child_end();
        }
        MUST(stat(path, &sb));
#ifdef SYS_open
        wait_call(st, pid, SYS_openat, SYS_open, -1);
#else
        wait_call(st, pid, SYS_openat, -1);
#endif
        stage_ready(st, pid, pid, "inode=%lu path=%s", sb.st_ino, path);
}

const struct scene scenes_pipe[] = {
        { "pipe-read-empty", pipe_read, 0, "read(2) from an empty pipe" },
        { "pipe-read-packet", pipe_read, O_DIRECT, "the same, pipe made with O_DIRECT" },
        { "pipe-write-full", pipe_write, 0, "write(2) to a full pipe" },
        { "pipe-splice", pipe_splice, 0, "splice(2) from an empty pipe" },
        { "pipe-splice-full", pipe_splice_full, 0, "splice(2) from a pipe to a full pipe" },
        { "sendfile-full", sendfile_full, 0, "sendfile(2) to a UNIX socket nobody reads" },
        { "fifo-read", fifo_read, 0, "read(2) from an empty FIFO" },
        { "fifo-open-read", fifo_open, O_RDONLY, "open(2) of a FIFO nobody writes to" },
        { "fifo-open-write", fifo_open, O_WRONLY, "open(2) of a FIFO nobody reads" },
        { NULL, NULL, 0, NULL },
};
