/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that wait for any of a set of fds: poll, select, epoll. */
#include "scene.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MEMBERS 4

struct set {
        int pipe, socket, event, timer;
        char text[128]; /* "3:pipe,4:unix,…" */
};

/* Four kinds of fds on which nothing happens. */
static void set_make(struct set *ret_set)
{
        struct itimerspec far = { .it_value.tv_sec = FOREVER_S };
        int pipe[2], pair[2];
        struct set s;

        MUST(pipe2(pipe, O_CLOEXEC));
        MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        s.pipe = pipe[0];
        s.socket = pair[0];
        s.event = (int)MUST(eventfd(0, EFD_CLOEXEC));
        s.timer = (int)MUST(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
        MUST(timerfd_settime(s.timer, 0, &far, NULL));
        snprintf(s.text, sizeof(s.text), "%d:pipe,%d:unix,%d:eventfd,%d:timerfd", s.pipe, s.socket,
                s.event, s.timer);
        *ret_set = s;
}

enum timing { ENDLESS, TIMED };

static void poll_ready(struct stage *st, pid_t pid, const char *members, int how)
{
        if (how == TIMED)
                stage_ready(st, pid, pid, "members=%s seconds=%d expires=%lu", members, FOREVER_S,
                        monotonic_after(FOREVER_S));
        else
                stage_ready(st, pid, pid, "members=%s", members);
}

static void poll_run(struct stage *st, int how, bool precise)
{
        struct timespec timeout = { .tv_sec = FOREVER_S };
        struct set s;
        pid_t pid;

        set_make(&s);
        pid = child_start(st);
        if (pid == 0) {
                struct pollfd fds[MEMBERS] = {
                        { .fd = s.pipe, .events = POLLIN },
                        { .fd = s.socket, .events = POLLIN | POLLPRI },
                        { .fd = s.event, .events = POLLIN },
                        { .fd = s.timer, .events = POLLIN },
                };

                if (precise)
                        ppoll(fds, MEMBERS, how == TIMED ? &timeout : NULL, NULL);
                else
                        poll(fds, MEMBERS, how == TIMED ? FOREVER_S * 1000 : -1);
                child_end();
        }
        wait_call(st, pid, POLL_CALLS, -1);
        poll_ready(st, pid, s.text, how);
}

static void poll_plain(struct stage *st, int how)
{
        poll_run(st, how, false);
}

static void poll_precise(struct stage *st, int how)
{
        poll_run(st, how, true);
}

static void select_run(struct stage *st, int how, bool precise)
{
        struct timeval timeout = { .tv_sec = FOREVER_S };
        struct timespec timeout_precise = { .tv_sec = FOREVER_S };
        struct set s;
        pid_t pid;

        set_make(&s);
        pid = child_start(st);
        if (pid == 0) {
                fd_set fds;

                FD_ZERO(&fds);
                FD_SET(s.pipe, &fds);
                FD_SET(s.socket, &fds);
                FD_SET(s.event, &fds);
                FD_SET(s.timer, &fds);
                if (precise)
                        pselect(s.timer + 1, &fds, NULL, NULL,
                                how == TIMED ? &timeout_precise : NULL, NULL);
                else
                        select(s.timer + 1, &fds, NULL, NULL, how == TIMED ? &timeout : NULL);
                child_end();
        }
        wait_call(st, pid, SELECT_CALLS, -1);
        poll_ready(st, pid, s.text, how);
}

static void select_plain(struct stage *st, int how)
{
        select_run(st, how, false);
}

static void select_precise(struct stage *st, int how)
{
        select_run(st, how, true);
}

void epoll_add(int epoll, int fd)
{
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

        MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

static int epoll_make(struct set *ret_set)
{
        int epoll = (int)MUST(epoll_create1(EPOLL_CLOEXEC));

        set_make(ret_set);
        epoll_add(epoll, ret_set->pipe);
        epoll_add(epoll, ret_set->socket);
        epoll_add(epoll, ret_set->event);
        epoll_add(epoll, ret_set->timer);
        return epoll;
}

pid_t epoll_start(struct stage *st, int epoll)
{
        pid_t pid = child_start(st);

        if (pid == 0) {
                struct epoll_event events[MEMBERS];

                epoll_wait(epoll, events, MEMBERS, -1);
                child_end();
        }
        wait_call(st, pid, EPOLL_CALLS, -1);
        return pid;
}

static void epoll_plain(struct stage *st, int how)
{
        struct set s;
        int epoll = epoll_make(&s);
        pid_t pid = epoll_start(st, epoll);

        (void)how;
        stage_ready(st, pid, pid, "fd=%d members=%s", epoll, s.text);
}

static void epoll_nested(struct stage *st, int how)
{
        struct set s;
        int inner = epoll_make(&s), outer = (int)MUST(epoll_create1(EPOLL_CLOEXEC));
        pid_t pid;

        (void)how;
        epoll_add(outer, inner);
        pid = epoll_start(st, outer);
        stage_ready(st, pid, pid, "fd=%d members=%d:epoll inner=%s", outer, inner, s.text);
}

static void epoll_timed(struct stage *st, int how)
{
        struct timespec timeout = { .tv_sec = FOREVER_S };
        struct set s;
        int epoll = epoll_make(&s);
        pid_t pid = child_start(st);

        (void)how;
        if (pid == 0) {
                struct epoll_event events[MEMBERS];

                NEED(st, epoll_pwait2(epoll, events, MEMBERS, &timeout, NULL));
                child_end();
        }
        wait_call(st, pid, SYS_epoll_pwait2, -1);
        stage_ready(st, pid, pid, "fd=%d members=%s seconds=%d expires=%lu", epoll, s.text,
                FOREVER_S, monotonic_after(FOREVER_S));
}

static void poll_many(struct stage *st, int count)
{
        struct pollfd fds[128];
        char text[4096];
        size_t len = 0;
        pid_t pid;

        for (int i = 0; i < count; i++) {
                fds[i] = (struct pollfd){ .fd = (int)MUST(eventfd(0, EFD_CLOEXEC)),
                        .events = POLLIN };
                len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%d:eventfd",
                        i > 0 ? "," : "", fds[i].fd);
        }
        pid = child_start(st);
        if (pid == 0) {
                poll(fds, (nfds_t)count, -1);
                child_end();
        }
        wait_call(st, pid, POLL_CALLS, -1);
        poll_ready(st, pid, text, ENDLESS);
}

/* The last few of a million fds; without CAP_SYS_RESOURCE, of as many as may be. */
static void poll_million(struct stage *st, int how)
{
        enum { FDS = 1000000, POLLED = 10, SPARE = 100 };
        char members[POLLED * 24];
        size_t len = 0;
        pid_t pid = child_start(st);

        (void)how;
        if (pid == 0) {
                struct rlimit limit = { FDS + SPARE, FDS + SPARE };
                struct pollfd fds[POLLED];
                int fd = (int)MUST(eventfd(0, EFD_CLOEXEC)), last = fd;

                if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
                        MUST(getrlimit(RLIMIT_NOFILE, &limit));
                        limit.rlim_cur = limit.rlim_max;
                        MUST(setrlimit(RLIMIT_NOFILE, &limit));
                }
                while (last < (int)limit.rlim_cur - SPARE)
                        last = (int)MUST(dup(fd));
                for (int i = 0; i < POLLED; i++)
                        fds[i] = (struct pollfd){ .fd = last - i, .events = POLLIN };
                shared_set(st, 0, (uint64_t)last);
                poll(fds, POLLED, -1);
                child_end();
        }
        for (int i = 0, last = (int)shared_wait(st, 0); i < POLLED; i++)
                len += (size_t)snprintf(members + len, sizeof(members) - len, "%s%d:eventfd",
                        i > 0 ? "," : "", last - i);
        wait_call(st, pid, POLL_CALLS, -1);
        poll_ready(st, pid, members, ENDLESS);
}

/* A place far into a set of which poll(2) is to leave out all the others. */
static void poll_sparse(struct stage *st, int how)
{
        enum { SIZE = 1500, PLACE = 1400 };
        static struct pollfd set[SIZE];
        int fd = (int)MUST(eventfd(0, EFD_CLOEXEC));
        char members[32];
        struct rlimit limit;
        pid_t pid;

        for (size_t i = 0; i < SIZE; i++)
                set[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
        set[PLACE].fd = fd;
        pid = child_start(st);
        if (pid == 0) {
                /* No larger set than there may be fds. */
                MUST(getrlimit(RLIMIT_NOFILE, &limit));
                limit.rlim_cur = SIZE;
                NEED(st, setrlimit(RLIMIT_NOFILE, &limit));
                poll(set, SIZE, how == TIMED ? FOREVER_S * 1000 : -1);
                child_end();
        }
        wait_call(st, pid, POLL_CALLS, -1);
        snprintf(members, sizeof(members), "%d:eventfd", fd);
        poll_ready(st, pid, members, how);
}

/* One to be written to, and two that poll(2) is to leave out. */
static void poll_out(struct stage *st, int how)
{
        int fds[2];
        pid_t pid;

        (void)how;
        MUST(pipe2(fds, O_CLOEXEC));
        fd_fill(fds[1]);
        pid = child_start(st);
        if (pid == 0) {
                struct pollfd set[] = {
                        { .fd = -1, .events = POLLIN },
                        { .fd = fds[1], .events = POLLOUT },
                        { .fd = ~fds[1], .events = POLLOUT },
                };

                poll(set, 3, -1);
                child_end();
        }
        wait_call(st, pid, POLL_CALLS, -1);
        stage_ready(st, pid, pid, "members=%d:pipe", fds[1]);
}

static void poll_restarted(struct stage *st, int how)
{
        uint64_t expires = monotonic_after(FOREVER_S);
        struct set s;
        pid_t pid;

        (void)how;
        set_make(&s);
        pid = child_start(st);
        if (pid == 0) {
                struct pollfd fds[] = {
                        { .fd = s.pipe, .events = POLLIN },
                        { .fd = s.event, .events = POLLIN },
                };

                poll(fds, 2, FOREVER_S * 1000);
                child_end();
        }
        wait_call(st, pid, POLL_CALLS, -1);
        MUST(kill(pid, SIGSTOP));
        wait_state(st, pid, "T");
        MUST(kill(pid, SIGCONT));
        wait_call(st, pid, SYS_restart_syscall, -1);
        stage_ready(st, pid, pid, "seconds=%d expires=%lu", FOREVER_S, expires);
}

/* poll and select as they were used to sleep by before nanosleep came. */
static void poll_sleep(struct stage *st, int how)
{
        pid_t pid = child_start(st);

        (void)how;
        if (pid == 0) {
                poll(NULL, 0, FOREVER_S * 1000);
                child_end();
        }
        wait_call(st, pid, POLL_CALLS, -1);
        stage_ready(st, pid, pid, "seconds=%d expires=%lu", FOREVER_S, monotonic_after(FOREVER_S));
}

static void select_sleep(struct stage *st, int how)
{
        struct timeval timeout = { .tv_sec = FOREVER_S };
        pid_t pid = child_start(st);

        (void)how;
        if (pid == 0) {
                select(0, NULL, NULL, NULL, &timeout);
                child_end();
        }
        wait_call(st, pid, SELECT_CALLS, -1);
        stage_ready(st, pid, pid, "seconds=%d expires=%lu", FOREVER_S, monotonic_after(FOREVER_S));
}

const struct scene scenes_poll[] = {
        { "poll", poll_plain, ENDLESS, "poll(2) of four kinds of fds" },
        { "poll-timeout", poll_plain, TIMED, "the same with a timeout" },
        { "poll-out", poll_out, 0, "poll(2) of a full pipe, other places left out" },
        { "poll-restarted", poll_restarted, 0, "poll(2) with a timeout, stopped and continued" },
        { "poll-100", poll_many, 100, "poll(2) of 100 fds" },
        { "poll-million", poll_million, 0, "poll(2) of ten fds by a process with a million" },
        { "poll-sparse", poll_sparse, ENDLESS, "poll(2) of 1500 places, one with an fd" },
        { "poll-sparse-timeout", poll_sparse, TIMED, "the same with a timeout" },
        { "poll-sleep", poll_sleep, 0, "poll(2) of nothing" },
        { "ppoll", poll_precise, ENDLESS, "ppoll(2) of four kinds of fds" },
        { "ppoll-timeout", poll_precise, TIMED, "the same with a timeout" },
        { "select", select_plain, ENDLESS, "select(2) of four kinds of fds" },
        { "select-timeout", select_plain, TIMED, "the same with a timeout" },
        { "select-sleep", select_sleep, 0, "select(2) of nothing" },
        { "pselect", select_precise, ENDLESS, "pselect(2) of four kinds of fds" },
        { "pselect-timeout", select_precise, TIMED, "the same with a timeout" },
        { "epoll-wait", epoll_plain, 0, "epoll_wait(2) on four kinds of fds" },
        { "epoll-nested", epoll_nested, 0, "epoll_wait(2) on another epoll" },
        { "epoll-pwait2-timeout", epoll_timed, 0, "epoll_pwait2(2) with a timeout" },
        { NULL, NULL, 0, NULL },
};
