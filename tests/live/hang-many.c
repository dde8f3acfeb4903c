/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets that are many or do not hold still, for tests/live/test_hang.py:
 *
 *      fds N        N fds of one eventfd: one thread polls all, another waits for an epoll set
 *      sockets N    N sockets in a network namespace of its own, and a listener that accepts
 *      threads N    N threads in processes of 1,000
 *      exec | fork | comm | threads-come   never the same for long
 *
 * Each takes as many as it may have, prints "ready" and what there is, and dies with its parent
 * or at the end of its input.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPARE_FDS 32
#define PER_PROCESS 1000
#define STACK (16 << 10)

static const char *self;

static _Noreturn void wait_for_end(void)
{
        char c;

        while (read(0, &c, 1) > 0)
                ;
        /* All of them, and reaped: nobody else might do that. */
        signal(SIGTERM, SIG_IGN);
        kill(0, SIGTERM);
        while (wait(NULL) > 0)
                ;
        _exit(0);
}

static void *sleep_for_ever(void *arg)
{
        for (;;)
                pause();
        return arg;
}

static int thread_start(void *(*run)(void *), void *arg)
{
        pthread_attr_t attr;
        pthread_t t;
        int r;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, STACK);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        r = pthread_create(&t, &attr, run, arg);
        pthread_attr_destroy(&attr);
        return -r;
}

/* As many fds as wanted, or as may be had. */
static long raise_limit(long wanted)
{
        struct rlimit limit = { (rlim_t)wanted + SPARE_FDS, (rlim_t)wanted + SPARE_FDS };
        FILE *f = fopen("/proc/sys/fs/nr_open", "re");
        unsigned long most = 0;

        if (f && fscanf(f, "%lu", &most) == 1 && limit.rlim_max > most)
                limit.rlim_cur = limit.rlim_max = most;
        if (f)
                fclose(f);
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
                getrlimit(RLIMIT_NOFILE, &limit);
                if (limit.rlim_max > (rlim_t)wanted + SPARE_FDS)
                        limit.rlim_max = (rlim_t)wanted + SPARE_FDS;
                limit.rlim_cur = limit.rlim_max;
                setrlimit(RLIMIT_NOFILE, &limit);
        }
        return (long)limit.rlim_cur - SPARE_FDS;
}

struct polled {
        struct pollfd *fds;
        long n;
        int epoll;
};

static void *run_poll(void *arg)
{
        struct polled *p = arg;

        poll(p->fds, (nfds_t)p->n, -1);
        return NULL;
}

static void *run_epoll(void *arg)
{
        struct epoll_event event;

        epoll_wait(((struct polled *)arg)->epoll, &event, 1, -1);
        return NULL;
}

static void many_fds(long wanted)
{
        static struct polled p;
        long n = raise_limit(wanted), watched = 0;
        int event = eventfd(0, EFD_CLOEXEC);

        p.epoll = epoll_create1(EPOLL_CLOEXEC);
        p.fds = calloc((size_t)n, sizeof(*p.fds));
        if (!p.fds)
                err(1, "calloc");
        while (p.n < n) {
                struct epoll_event e = { .events = EPOLLIN };
                int fd = dup(event);

                if (fd < 0)
                        break;
                p.fds[p.n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
                if (epoll_ctl(p.epoll, EPOLL_CTL_ADD, fd, &e) == 0)
                        watched++;
        }
        if (thread_start(run_poll, &p) < 0 || thread_start(run_epoll, &p) < 0)
                errx(1, "no threads");
        usleep(500000);
        printf("ready fds=%ld watched=%ld\n", p.n, watched);
}

static void loopback_up(void)
{
        struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
        int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (ioctl(s, SIOCSIFFLAGS, &r) < 0)
                err(1, "lo");
        close(s);
}

static int listener(uint32_t address, uint16_t port)
{
        struct sockaddr_in a = {
                .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)
        };
        int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (s >= 0 && (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 1) < 0)) {
                close(s);
                return -1;
        }
        return s;
}

static void *run_accept(void *arg)
{
        accept(*(int *)arg, NULL, NULL);
        return NULL;
}

/* Unix sockets, two by two. */
static long many_pairs(long wanted)
{
        int pair[2];
        long n = 0;

        while (n + 2 <= wanted && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0)
                n += 2;
        return n;
}

static void many_sockets(long wanted)
{
        long n = raise_limit(wanted), tcp = 0, others = 0;
        static int last;
        int done[2];
        long made;

        if (pipe(done) < 0)
                err(1, "pipe");
        if (unshare(CLONE_NEWNET) == 0)
                loopback_up();
        while (tcp < n / 4 && (last = listener(0x7f000001 + (uint32_t)(tcp / 20000),
                                       (uint16_t)(10000 + tcp % 20000))) >= 0)
                tcp++;
        others = many_pairs(n - tcp - 2);
        /* What one process may not have, others may. */
        while (tcp + others + n <= wanted) {
                pid_t pid = fork();

                if (pid < 0)
                        break;
                if (pid == 0) {
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        for (int fd = 3; fd < n + SPARE_FDS; fd++)
                                if (fd != done[1])
                                        close(fd);
                        n = many_pairs(n);
                        if (write(done[1], &n, sizeof(n)) < 0)
                                _exit(1);
                        sleep_for_ever(NULL);
                }
                if (read(done[0], &made, sizeof(made)) == sizeof(made))
                        others += made;
        }
        last = listener(0x7f00fffe, 4321);
        if (last < 0 || thread_start(run_accept, &last) < 0)
                err(1, "the listener");
        usleep(200000);
        printf("ready tcp=%ld unix=%ld address=127.0.255.254:4321\n", tcp, others);
}

/* Processes of PER_PROCESS threads each, until there are enough or no more are to be had. */
static void many_threads(long wanted)
{
        long n = 0;

        for (bool full = false; n < wanted && !full;) {
                int done[2];
                long made = 0;
                pid_t pid;

                if (pipe(done) < 0)
                        break;
                pid = fork();
                if (pid == 0) {
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        while (++made < PER_PROCESS && thread_start(sleep_for_ever, NULL) == 0)
                                ;
                        if (write(done[1], &made, sizeof(made)) < 0)
                                _exit(1);
                        sleep_for_ever(NULL);
                }
                close(done[1]);
                if (pid < 0 || read(done[0], &made, sizeof(made)) != sizeof(made))
                        made = 0;
                close(done[0]);
                n += made;
                full = made < PER_PROCESS;
        }
        printf("ready threads=%ld\n", n);
}

static void again_exec(void)
{
        execl(self, "hang-many", "exec-again", NULL);
        err(1, "%s", self);
}

static _Noreturn void fork_for_ever(void)
{
        for (;;) {
                pid_t pid = fork();

                if (pid == 0)
                        _exit(0);
                if (pid > 0)
                        waitpid(pid, NULL, 0);
        }
}

static void *thread_end(void *arg)
{
        return arg;
}

static _Noreturn void threads_for_ever(void)
{
        for (;;) {
                thread_start(thread_end, NULL);
                sched_yield();
        }
}

/* Names that a careless parser takes for something else. */
static _Noreturn void comm_for_ever(void)
{
        static const char *const names[] = { "a", ") R 1 1 1", "x\nState:\tZ", "\033[31m\xff\"\\",
                "((((((((((((((", "" };

        for (size_t i = 0;; i++)
                prctl(PR_SET_NAME, names[i % (sizeof(names) / sizeof(*names))]);
}

static void change(const char *how)
{
        pid_t pid = fork();

        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (strcmp(how, "exec") == 0)
                        again_exec();
                if (strcmp(how, "fork") == 0)
                        fork_for_ever();
                if (strcmp(how, "comm") == 0)
                        comm_for_ever();
                threads_for_ever();
        }
        printf("ready pid=%d\n", (int)pid);
}

int main(int argc, char **argv)
{
        long n = argc > 2 ? atol(argv[2]) : 0;

        self = "/proc/self/exe";
        if (argc > 1 && strcmp(argv[1], "exec-again") == 0)
                again_exec();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0);
        setvbuf(stdout, NULL, _IOLBF, 0);
        if (argc == 3 && strcmp(argv[1], "fds") == 0)
                many_fds(n);
        else if (argc == 3 && strcmp(argv[1], "sockets") == 0)
                many_sockets(n);
        else if (argc == 3 && strcmp(argv[1], "threads") == 0)
                many_threads(n);
        else if (argc == 2)
                change(argv[1]);
        else
                errx(2, "fds N | sockets N | threads N | exec | fork | comm | threads-come");
        wait_for_end();
}
