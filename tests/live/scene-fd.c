/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that read or write the anonymous kinds of fds, and fds with unusual numbers. */
#include "scene.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static pid_t reader_start(struct stage *st, int fd)
{
        pid_t pid = child_start(st);

        if (pid == 0) {
                char buffer[256];

                (void)!read(fd, buffer, sizeof(buffer));
                child_end();
        }
        wait_call(st, pid, SYS_read, -1);
        return pid;
}

static void eventfd_read_scene(struct stage *st, int flags)
{
        int fd = (int)MUST(eventfd(0, flags | EFD_CLOEXEC));
        pid_t pid = reader_start(st, fd);

        stage_ready(st, pid, pid, "fd=%d counter=0", fd);
}

static void eventfd_write_scene(struct stage *st, int flags)
{
        int fd = (int)MUST(eventfd(0, flags | EFD_CLOEXEC));
        uint64_t most = UINT64_MAX - 1;
        pid_t pid;

        MUST(write(fd, &most, sizeof(most)));
        pid = child_start(st);
        if (pid == 0) {
                (void)!write(fd, &(uint64_t){ 1 }, sizeof(uint64_t));
                child_end();
        }
        wait_call(st, pid, SYS_write, -1);
        stage_ready(st, pid, pid, "fd=%d counter=%lu", fd, most);
}

static void timerfd_read(struct stage *st, int clock)
{
        struct itimerspec far = { .it_value.tv_sec = FOREVER_S };
        int fd = (int)MUST(timerfd_create(clock, TFD_CLOEXEC));
        uint64_t expires = monotonic_after(FOREVER_S);
        pid_t pid;

        MUST(timerfd_settime(fd, 0, &far, NULL));
        pid = reader_start(st, fd);
        stage_ready(st, pid, pid, "fd=%d seconds=%d expires=%lu", fd, FOREVER_S, expires);
}

/* A timer that is not armed never fires: there is no deadline to tell. */
static void timerfd_unarmed(struct stage *st, int clock)
{
        int fd = (int)MUST(timerfd_create(clock, TFD_CLOEXEC));
        pid_t pid = reader_start(st, fd);

        stage_ready(st, pid, pid, "fd=%d", fd);
}

static void signalfd_read(struct stage *st, int number)
{
        sigset_t set;
        pid_t pid;
        int fd;

        sigemptyset(&set);
        sigaddset(&set, number);
        MUST(sigprocmask(SIG_BLOCK, &set, NULL));
        fd = (int)MUST(signalfd(-1, &set, SFD_CLOEXEC));
        pid = reader_start(st, fd);
        stage_ready(st, pid, pid, "fd=%d signal=%d", fd, number);
}

static void inotify_read(struct stage *st, int mask)
{
        int fd = (int)MUST(inotify_init1(IN_CLOEXEC));
        pid_t pid;

        MUST(inotify_add_watch(fd, st->dir, (uint32_t)mask));
        pid = reader_start(st, fd);
        stage_ready(st, pid, pid, "fd=%d watched=%s", fd, st->dir);
}

/* An fd far above the others, beside a lower one of the same file. */
static void dup_high(struct stage *st, int number)
{
        struct rlimit limit;
        int fds[2];
        pid_t pid;

        MUST(getrlimit(RLIMIT_NOFILE, &limit));
        if (limit.rlim_cur <= (rlim_t)number)
                stage_skip(st, "RLIMIT_NOFILE is %lu", (unsigned long)limit.rlim_cur);
        MUST(pipe2(fds, O_CLOEXEC));
        pid = child_start(st);
        if (pid == 0) {
                char byte;

                MUST(dup2(fds[0], number));
                close(fds[1]);
                (void)!read(number, &byte, 1);
                child_end();
        }
        wait_call(st, pid, SYS_read, -1);
        stage_ready(st, pid, pid, "fd=%d inode=%lu peer=%d", number, fd_inode(fds[0]), st->pid);
}

struct own_files {
        struct stage *st;
        int fd, own;
};

static void *own_files_main(void *arg)
{
        struct own_files *o = arg;
        char buffer[8];

        NEED(o->st, unshare(CLONE_FILES));
        MUST(dup2(o->own, o->fd));
        (void)!read(o->fd, buffer, sizeof(buffer));
        child_end();
}

enum own_how { OWN_PIPE, OWN_EVENTFD };

/* A thread with a table of fds of its own: the number is another file in the others'. */
static void thread_own_files(struct stage *st, int how)
{
        int event = (int)MUST(eventfd(0, EFD_CLOEXEC)), fds[2];
        struct own_files o = { .st = st };
        pid_t pid, tid;

        MUST(pipe2(fds, O_CLOEXEC));
        o.fd = how == OWN_PIPE ? event : fds[0];
        o.own = how == OWN_PIPE ? fds[0] : event;
        pid = child_start(st);
        if (pid == 0) {
                close(fds[1]);
                shared_set(st, 0, (uint64_t)thread_start(own_files_main, &o, NULL, NULL));
                for (;;)
                        pause();
        }
        tid = (pid_t)shared_wait(st, 0);
        wait_call(st, tid, SYS_read, -1);
        if (how == OWN_PIPE)
                stage_ready(
                        st, pid, tid, "fd=%d inode=%lu peer=%d", o.fd, fd_inode(fds[0]), st->pid);
        else
                stage_ready(st, pid, tid, "fd=%d counter=0", o.fd);
}

const struct scene scenes_fd[] = {
        { "eventfd-read", eventfd_read_scene, 0, "read(2) from an eventfd at 0" },
        { "eventfd-write", eventfd_write_scene, 0, "write(2) to an eventfd at its maximum" },
        { "timerfd-read", timerfd_read, CLOCK_MONOTONIC, "read(2) from a running timerfd" },
        { "timerfd-read-realtime", timerfd_read, CLOCK_REALTIME, "the same by the wall clock" },
        { "timerfd-read-unarmed", timerfd_unarmed, CLOCK_MONOTONIC, "read(2), timer not armed" },
        { "signalfd-read", signalfd_read, SIGUSR1, "read(2) from a signalfd" },
        { "inotify-read", inotify_read, IN_DELETE_SELF, "read(2) from an inotify instance" },
        { "dup-900", dup_high, 900, "read(2) from a pipe at fd 900" },
        { "thread-own-files", thread_own_files, OWN_PIPE,
                "read(2) from a pipe, an eventfd to others" },
        { "thread-own-eventfd", thread_own_files, OWN_EVENTFD, "the other way round" },
        { NULL, NULL, 0, NULL },
};
