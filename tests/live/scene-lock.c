/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that wait for a lock on a file; the stage holds it. */
#include "scene.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum how { FLOCK, POSIX, OFD };

/* Who is in a PID namespace of its own. */
enum where { HOLDER_INSIDE = 1, WAITER_INSIDE };

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
        stage_ready(st, pid, pid, "fd=%d path=%s inode=%lu first_byte=0 last_byte=99 holder=%d", fd,
                path, fd_inode(holder), st->pid);
}

/* The opener of the file is gone; the lock lives on with a child of its that has the fd. */
static void flock_inherited(struct stage *st, int how)
{
        const char *path = stage_path(st, "locked");
        int fd = (int)MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        pid_t opener, pid;
        uint64_t holder;

        (void)how;
        MUST(prctl(PR_SET_CHILD_SUBREAPER, 1));
        opener = fork();
        if (opener == 0) {
                int locked = (int)MUST(open(path, O_RDWR | O_CLOEXEC));

                lock_take(locked, FLOCK, false);
                /* Not child_start(): the child outlives its parent. It dies with the stage. */
                pid = fork();
                if (pid == 0) {
                        prctl(PR_SET_PDEATHSIG, 0);
                        while (getppid() != st->pid)
                                usleep(1000);
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        shared_set(st, 0, (uint64_t)getpid());
                        for (;;)
                                pause();
                }
                _exit(0);
        }
        MUST(waitpid(opener, NULL, 0));
        holder = shared_wait(st, 0);
        pid = child_start(st);
        if (pid == 0) {
                lock_take(fd, FLOCK, true);
                child_end();
        }
        wait_call(st, pid, SYS_flock, -1);
        stage_ready(st, pid, pid, "fd=%d path=%s inode=%lu holder=%d", fd, path, fd_inode(fd),
                (int)holder);
}

/* The numbers that holder and waiter have for themselves are not those that others know them by. */
static void flock_inside(struct stage *st, int where)
{
        const char *path = stage_path(st, "locked");
        int fd = (int)MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        int ours = (int)MUST(open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
        pid_t holder, pid;

        if (where == HOLDER_INSIDE)
                NEED(st, unshare(CLONE_NEWPID));
        holder = child_start(st);
        if (holder == 0) {
                lock_take((int)MUST(open(path, O_RDWR | O_CLOEXEC)), FLOCK, false);
                shared_set(st, 0, 1);
                for (;;)
                        pause();
        }
        shared_wait(st, 0);
        if (where == HOLDER_INSIDE)
                MUST(setns(ours, CLONE_NEWPID));
        else
                NEED(st, unshare(CLONE_NEWPID));
        pid = child_start(st);
        if (pid == 0) {
                lock_take(fd, FLOCK, true);
                child_end();
        }
        wait_call(st, pid, SYS_flock, -1);
        stage_ready(st, pid, pid, "fd=%d path=%s inode=%lu holder=%d", fd, path, fd_inode(fd),
                (int)holder);
}

/* It has opened the file twice, and has the lock by the other opening: it waits for itself. */
static void flock_self(struct stage *st, int how)
{
        const char *path = stage_path(st, "locked");
        int fd = (int)MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        pid_t pid = child_start(st);

        if (pid == 0) {
                lock_take((int)MUST(open(path, O_RDWR | O_CLOEXEC)), how, false);
                lock_take(fd, how, true);
                child_end();
        }
        wait_call(st, pid, SYS_flock, -1);
        stage_ready(st, pid, pid, "fd=%d path=%s inode=%lu holder=%d", fd, path, fd_inode(fd), pid);
}

#define SHARERS 3

/* For reading, to the file's end. */
static void lock_share(int fd, int how)
{
        struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

        MUST(how == FLOCK ? flock(fd, LOCK_SH)
                          : fcntl(fd, how == POSIX ? F_SETLK : F_OFD_SETLK, &lock));
}

/* Several have a lock each, together; one that wants it alone waits for them all. */
static void lock_shared(struct stage *st, int how)
{
        const char *path = stage_path(st, "locked");
        int fd = (int)MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        pid_t pid, sharers[SHARERS];

        for (unsigned i = 0; i < SHARERS; i++) {
                sharers[i] = child_start(st);
                if (sharers[i] == 0) {
                        lock_share((int)MUST(open(path, O_RDWR | O_CLOEXEC)), how);
                        shared_set(st, i, 1);
                        for (;;)
                                pause();
                }
                shared_wait(st, i);
        }
        pid = child_start(st);
        if (pid == 0) {
                lock_take(fd, how, true);
                child_end();
        }
        wait_call(st, pid, how == FLOCK ? SYS_flock : SYS_fcntl, -1);
        stage_ready(st, pid, pid, "fd=%d path=%s inode=%lu holder=%d,%d,%d", fd, path, fd_inode(fd),
                (int)sharers[0], (int)sharers[1], (int)sharers[2]);
}

/* Several have one lock: children of whoever took it, with its open file. */
static void lock_forked(struct stage *st, int how)
{
        const char *path = stage_path(st, "locked");
        int fd = (int)MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        int locked = (int)MUST(open(path, O_RDWR | O_CLOEXEC));
        pid_t pid, sharers[SHARERS];

        lock_take(locked, how, false);
        for (unsigned i = 0; i < SHARERS; i++) {
                sharers[i] = child_start(st);
                if (sharers[i] == 0)
                        for (;;)
                                pause();
        }
        close(locked);
        pid = child_start(st);
        if (pid == 0) {
                lock_take(fd, how, true);
                child_end();
        }
        wait_call(st, pid, how == FLOCK ? SYS_flock : SYS_fcntl, -1);
        stage_ready(st, pid, pid, "fd=%d path=%s inode=%lu holder=%d,%d,%d", fd, path, fd_inode(fd),
                (int)sharers[0], (int)sharers[1], (int)sharers[2]);
}

static _Noreturn void *posix_hold(void *arg)
{
        struct flock lock = {
                .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 50, .l_len = 100
        };

        MUST(fcntl(*(int *)arg, F_SETLK, &lock));
        for (;;)
                pause();
}

/* Held by a thread that is not its process's first one, for other bytes that overlap. */
static void posix_thread(struct stage *st, int how)
{
        const char *path = stage_path(st, "locked");
        int fd = (int)MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        pid_t pid, tid;

        (void)how;
        tid = thread_start(posix_hold, &fd, NULL, NULL);
        wait_state(st, tid, "S");
        pid = child_start(st);
        if (pid == 0) {
                struct flock lock = {
                        .l_type = F_RDLCK, .l_whence = SEEK_CUR, .l_start = 20, .l_len = -10
                };

                lseek(fd, 100, SEEK_SET);
                MUST(fcntl(fd, F_SETLKW, &lock));
                child_end();
        }
        wait_call(st, pid, SYS_fcntl, -1);
        stage_ready(st, pid, pid, "fd=%d path=%s inode=%lu first_byte=110 last_byte=119 holder=%d",
                fd, path, fd_inode(fd), st->pid);
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
        { "flock-self", flock_self, FLOCK, "flock(2) held by the process itself" },
        { "flock-shared", lock_shared, FLOCK, "flock(2), three processes have one each" },
        { "posix-lock-shared", lock_shared, POSIX, "F_SETLKW, three processes have one each" },
        { "ofd-lock-shared", lock_shared, OFD, "F_OFD_SETLKW, three processes have one each" },
        { "flock-forked", lock_forked, FLOCK, "flock(2) that three processes share" },
        { "ofd-lock-forked", lock_forked, OFD, "F_OFD_SETLKW, a lock that three processes share" },
        { "flock-holder-inside", flock_inside, HOLDER_INSIDE,
                "flock(2), the holder is in a PID namespace of its own" },
        { "flock-waiter-inside", flock_inside, WAITER_INSIDE, "flock(2), the waiter is" },
        { "flock-inherited", flock_inherited, 0,
                "flock(2) of a process that is gone, by its child" },
        { "posix-lock-thread", posix_thread, 0, "fcntl(F_SETLKW), held by a thread of a process" },
        { "posix-lock", lock_run, POSIX, "fcntl(F_SETLKW) held by another process" },
        { "ofd-lock", lock_run, OFD, "fcntl(F_OFD_SETLKW) held by another process" },
        { "lease-open", lease_open, 0, "open(2) of a file somebody has a lease on" },
        { NULL, NULL, 0, NULL },
};
