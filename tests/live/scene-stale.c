/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of fds whose members are not, or no longer, what their numbers say. */
#include "scene.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum call { POLL, SELECT };

/*
 * An epoll keeps a file that is still open elsewhere, under the number it was added by.
 * Another file has that number now.
 */
static void epoll_stale(struct stage *st, int how)
{
        int epoll = (int)MUST(epoll_create1(EPOLL_CLOEXEC)), event, fds[2];
        pid_t pid;

        (void)how;
        MUST(pipe2(fds, O_CLOEXEC));
        epoll_add(epoll, fds[0]);
        MUST(fcntl(fds[0], F_DUPFD_CLOEXEC, 0));
        event = (int)MUST(eventfd(0, EFD_CLOEXEC));
        MUST(dup3(event, fds[0], O_CLOEXEC));
        pid = epoll_start(st, epoll);
        stage_ready(st, pid, pid, "fd=%d members=%d:pipe", epoll, fds[0]);
}

/*
 * The same of two files that have one inode, as all files without a path: only kcmp(2) tells
 * which of them has the number. A member that still has its own is there for comparison.
 */
static void epoll_stale_anonymous(struct stage *st, int how)
{
        int epoll = (int)MUST(epoll_create1(EPOLL_CLOEXEC)), timer;
        int stale = (int)MUST(eventfd(0, EFD_CLOEXEC)), kept = (int)MUST(eventfd(0, EFD_CLOEXEC));
        struct kcmp_epoll_slot slot = { .efd = (uint32_t)epoll, .tfd = (uint32_t)kept };
        long compared;
        pid_t pid;

        (void)how;
        epoll_add(epoll, stale);
        epoll_add(epoll, kept);
        MUST(fcntl(stale, F_DUPFD_CLOEXEC, 0));
        close(stale);
        timer = (int)MUST(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
        if (timer != stale)
                stage_fail("a new fd is %d and not %d", timer, stale);
        pid = epoll_start(st, epoll);
        compared = syscall(SYS_kcmp, pid, pid, KCMP_EPOLL_TFD, kept, &slot);
        stage_ready(st, pid, pid, "fd=%d members=%d:eventfd,%d:eventfd stale=%d kcmp=%d", epoll,
                stale, kept, stale, compared == 0);
}

/* The set has only one member, and that has told its one event. */
static void epoll_oneshot(struct stage *st, int how)
{
        struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };
        int epoll = (int)MUST(epoll_create1(EPOLL_CLOEXEC)), fds[2];
        pid_t pid;

        (void)how;
        MUST(pipe2(fds, O_CLOEXEC));
        MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event));
        MUST(write(fds[1], "x", 1));
        MUST(epoll_wait(epoll, &event, 1, -1));
        pid = epoll_start(st, epoll);
        stage_ready(st, pid, pid, "fd=%d members=%d:pipe", epoll, fds[0]);
}

struct replace {
        struct stage *st;
        int told, fd; /* when it is to begin; whose number becomes another file's */
};

static void *replace_run(void *arg)
{
        struct replace *r = arg;
        char byte;

        MUST(read(r->told, &byte, 1));
        MUST(dup2((int)MUST(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), r->fd));
        shared_set(r->st, 0, 1);
        for (;;)
                pause();
        return NULL;
}

/* The number that is polled becomes a directory's meanwhile, of which there is nothing to wait for.
 */
static void poll_replaced(struct stage *st, int how)
{
        int fds[2], tell[2];
        pid_t pid;

        MUST(pipe2(fds, O_CLOEXEC));
        MUST(pipe2(tell, O_CLOEXEC));
        pid = child_start(st);
        if (pid == 0) {
                struct pollfd set = { .fd = fds[0], .events = POLLIN };
                struct replace r = { st, tell[0], fds[0] };
                fd_set reads;

                thread_start(replace_run, &r, NULL, NULL);
                FD_ZERO(&reads);
                FD_SET(fds[0], &reads);
                if (how == SELECT)
                        select(fds[0] + 1, &reads, NULL, NULL, NULL);
                else
                        poll(&set, 1, -1);
                child_end();
        }
        if (how == SELECT)
                wait_call(st, pid, SELECT_CALLS, -1);
        else
                wait_call(st, pid, POLL_CALLS, -1);
        MUST(write(tell[1], "x", 1));
        shared_wait(st, 0);
        stage_ready(st, pid, pid, "replaced=%d", fds[0]);
}

const struct scene scenes_stale[] = {
        { "poll-replaced", poll_replaced, POLL, "poll(2) of a number that is another file's now" },
        { "select-replaced", poll_replaced, SELECT, "the same of select(2)" },
        { "epoll-stale", epoll_stale, 0, "epoll_wait(2) on a file whose fd is another's now" },
        { "epoll-stale-anonymous", epoll_stale_anonymous, 0, "the same of files without a path" },
        { "epoll-oneshot", epoll_oneshot, 0, "epoll_wait(2), the only member disabled" },
        { NULL, NULL, 0, NULL },
};
