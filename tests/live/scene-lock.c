/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that wait for a lock on a file; the stage holds it. */
#include "scene.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

enum how { FLOCK, POSIX, OFD };

static void lock_take(int fd, int how, bool wait)
{
        static const int commands[][2] = { { 0, 0 }, { F_SETLK, F_SETLKW },
                { F_OFD_SETLK, F_OFD_SETLKW } };
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 100 };

        if (how == FLOCK)
                MUST(flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)));
        else
                MUST(fcntl(fd, commands[how][wait], &lock));
}

static void lock_run(struct stage *st, int how)
{
        const char *path = stage_path(st, "locked");
        int holder = (int)MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        int fd = (int)MUST(open(path, O_RDWR | O_CLOEXEC));
        pid_t pid;

        lock_take(holder, how, false);
        pid = child_start(st);
        if (pid == 0) {
                close(holder);
                lock_take(fd, how, true);
                child_end();
        }
        /* fd stays open here: closing it would give up a POSIX lock on the file. */
        wait_call(st, pid, how == FLOCK ? SYS_flock : SYS_fcntl, -1);
        stage_ready(st, pid, pid, "fd=%d path=%s inode=%lu holder=%d", fd, path, fd_inode(holder),
                st->pid);
}

/* The holder of a lease is asked to give it up, and has a while (45 s) to do so. */
static void lease_open(struct stage *st, int how)
{
        const char *path = stage_path(st, "leased");
        int fd = (int)MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        pid_t pid;

        (void)how;
        signal(SIGIO, SIG_IGN);
        NEED(st, fcntl(fd, F_SETLEASE, F_WRLCK));
        pid = child_start(st);
        if (pid == 0) {
                open(path, O_RDWR | O_CLOEXEC);
                child_end();
        }
        wait_call(st, pid, SYS_openat, -1);
        stage_ready(st, pid, pid, "path=%s inode=%lu holder=%d", path, fd_inode(fd), st->pid);
}

const struct scene scenes_lock[] = {
        { "flock", lock_run, FLOCK, "flock(2) held by another process" },
        { "posix-lock", lock_run, POSIX, "fcntl(F_SETLKW) held by another process" },
        { "ofd-lock", lock_run, OFD, "fcntl(F_OFD_SETLKW) held by another process" },
        { "lease-open", lease_open, 0, "open(2) of a file somebody has a lease on" },
        { NULL, NULL, 0, NULL },
};
