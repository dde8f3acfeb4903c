/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes and threads that wait for each other, for the tests of chains, roots and deadlocks.
 *
 *      tangle FORM N
 *
 * (N says how many there are, if the form does not)
 *
 * prints "ready " and then PID/TID of every actor, in the order in which each waits for the next,
 * and stays until the end of its input. The actors may not be asleep yet: whoever looks waits for
 * that. All of them die with this process.
 */
#include "tangle.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct tangle *shared;

int n;
static char directory[] = "/tmp/pwhy-tangle-XXXXXX";

long must(long r, const char *what)
{
        if (r < 0) {
                fprintf(stderr, "tangle: %s: %s\n", what, strerror(errno));
                exit(1);
        }
        return r;
}

void arrive(int i)
{
        shared->pid[i] = getpid();
        shared->tid[i] = (pid_t)syscall(SYS_gettid);
        __atomic_add_fetch(&shared->n_ready, 1, __ATOMIC_RELEASE);
}

void all_arrived(int count)
{
        while (__atomic_load_n(&shared->n_ready, __ATOMIC_ACQUIRE) < count)
                usleep(1000);
}

pid_t child(void)
{
        pid_t parent = getpid(), pid = (pid_t)MUST(fork());

        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent)
                        _exit(1);
        }
        return pid;
}

void thread(void *(*run)(void *), intptr_t arg)
{
        pthread_attr_t attr;
        pthread_t t;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 64 << 10);
        if (pthread_create(&t, &attr, run, (void *)arg))
                exit(1);
        pthread_attr_destroy(&attr);
}

_Noreturn void rest(void)
{
        for (;;)
                pause();
}

int file_open(int i)
{
        char path[128];

        snprintf(path, sizeof(path), "%s/%d", directory, i);
        return (int)MUST(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

void file_lock(int fd, bool posix)
{
        struct flock lock = { .l_type = F_WRLCK };

        MUST(posix ? fcntl(fd, F_SETLKW, &lock) : flock(fd, LOCK_EX));
}

/* Each has a file locked and wants that of the next. The last one of a chain rests. */
static void locks(bool ring, bool posix)
{
        for (int i = 0; i < n; i++) {
                if (child())
                        continue;
                file_lock(file_open(i), posix);
                arrive(i);
                all_arrived(n);
                if (i == n - 1 && !ring)
                        rest();
                file_lock(file_open((i + 1) % n), posix);
                _exit(1);
        }
}

static void close_but(int (*pair)[2], int count, int keep_a, int keep_b)
{
        for (int i = 0; i < count; i++)
                for (int end = 0; end < 2; end++)
                        if (pair[i][end] >= 0 && pair[i][end] != keep_a && pair[i][end] != keep_b)
                                close(pair[i][end]);
}

enum ends { PIPES, UNIX, TCP };

static int tcp_pair(int ret_fds[2])
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(a);
        int listener = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

        MUST(bind(listener, (struct sockaddr *)&a, len));
        MUST(listen(listener, 1));
        MUST(getsockname(listener, (struct sockaddr *)&a, &len));
        ret_fds[0] = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
        MUST(connect(ret_fds[0], (struct sockaddr *)&a, len));
        ret_fds[1] = (int)MUST(accept(listener, NULL, NULL));
        return close(listener);
}

static int pair_make(enum ends what, int ret_fds[2])
{
        if (what == TCP)
                return tcp_pair(ret_fds);
        return what == UNIX ? socketpair(AF_UNIX, SOCK_STREAM, 0, ret_fds) : pipe(ret_fds);
}

/*
 * Each reads what the next one would write: from a pipe, or from a pair of sockets. extra: one of
 * these has another writer, which rests, and is the last actor.
 */
static void pipes(bool ring, enum ends what, bool extra, int timeout_ms)
{
        static int pair[N_MAX + 1][2];

        for (int i = 0; i < n; i++)
                MUST(pair_make(what, pair[i]));
        for (int i = 0; i < n + extra; i++) {
                int before = (i + n - 1) % n;
                char byte;

                if (child())
                        continue;
                if (i == n) {
                        close_but(pair, n, pair[0][1], -1);
                        arrive(i);
                        rest();
                }
                close_but(pair, n, i < n - 1 || ring ? pair[i][0] : -1,
                        i > 0 || ring ? pair[before][1] : -1);
                arrive(i);
                all_arrived(n + extra);
                if (i == n - 1 && !ring)
                        rest();
                if (timeout_ms && i == 0 && what != PIPES) {
                        struct timeval limit = { .tv_sec = timeout_ms / 1000 };

                        MUST(setsockopt(
                                pair[i][0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
                } else if (timeout_ms && i == 0) {
                        poll(&(struct pollfd){ .fd = pair[i][0], .events = POLLIN }, 1, timeout_ms);
                }
                (void)!read(pair[i][0], &byte, 1);
                _exit(1);
        }
        close_but(pair, n, -1, -1);
}

/* Each waits for its child, and the last one rests. */
static void children(void)
{
        if (child())
                return;
        for (int i = 0;; i++) {
                pid_t pid = i < n - 1 ? child() : -1;

                if (pid == 0)
                        continue;
                arrive(i);
                if (pid < 0)
                        rest();
                waitpid(pid, NULL, 0);
                _exit(1);
        }
}

static int fan_fds[N_MAX];

static void *fan_lock(void *arg)
{
        int i = (int)(intptr_t)arg;

        arrive(i);
        file_lock(fan_fds[i], false);
        return NULL;
}

static void *fan_mutex(void *arg)
{
        arrive((int)(intptr_t)arg);
        pthread_mutex_lock(&shared->mutex[0]);
        return NULL;
}

/* Many threads of a process want what the last actor has: another process, or thread. */
static void fan(bool mutex)
{
        if (!mutex && child() == 0) {
                file_lock(file_open(0), false);
                arrive(n);
                rest();
        }
        if (!mutex)
                all_arrived(1);
        if (child())
                return;
        if (mutex) {
                pthread_mutex_lock(&shared->mutex[0]);
                arrive(n);
        }
        for (int i = 0; i < n; i++) {
                fan_fds[i] = file_open(0);
                thread(mutex ? fan_mutex : fan_lock, i);
        }
        rest();
}

enum how { BY_READ, BY_SET, BY_SHARED_SET };

/* An epoll set for the byte. The child has it as well, and could add to it what it likes. */
static int set_make(int fd, bool is_shared)
{
        struct epoll_event event = { .events = EPOLLIN };
        int set = (int)MUST(epoll_create1(EPOLL_CLOEXEC));

        MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
        if (is_shared && child() == 0)
                rest();
        return set;
}

/* One has the file locked and waits for a byte of the other, which waits for the file. */
static void mixed(enum how how)
{
        struct epoll_event event;
        int end[2], set = -1;
        char byte;

        MUST(pipe(end));
        if (child() == 0) {
                close(end[1]);
                if (how != BY_READ)
                        set = set_make(end[0], how == BY_SHARED_SET);
                file_lock(file_open(0), false);
                arrive(0);
                all_arrived(2);
                if (set >= 0)
                        epoll_wait(set, &event, 1, -1);
                (void)!read(end[0], &byte, 1);
                _exit(1);
        }
        if (child() == 0) {
                close(end[0]);
                all_arrived(1);
                arrive(1);
                file_lock(file_open(0), false);
                _exit(1);
        }
        close(end[0]);
        close(end[1]);
}

/*
 * The one waits for its child to end, which writes to a pipe that the first should empty: what
 * comes of subprocess.Popen(…, stdout=PIPE).wait().
 */
static void child_and_pipe(void)
{
        static char buffer[4096];
        int end[2];
        pid_t pid;

        if (child())
                return;
        MUST(pipe(end));
        pid = child();
        if (pid == 0) {
                close(end[0]);
                arrive(1);
                all_arrived(2);
                for (;;)
                        MUST(write(end[1], buffer, sizeof(buffer)));
        }
        close(end[1]);
        arrive(0);
        all_arrived(2);
        waitpid(pid, NULL, 0);
        _exit(1);
}

/* Never a deadlock: a token goes round in a ring of pipes, and each owner takes all the locks. */
static void churn(bool with_locks)
{
        static int pair[N_MAX][2];

        for (int i = 0; i < n; i++)
                MUST(pipe(pair[i]));
        for (int i = 0; i < n; i++) {
                int before = (i + n - 1) % n, fds[2];
                char byte = 0;

                if (child())
                        continue;
                close_but(pair, n, pair[i][0], pair[before][1]);
                /* In order of their numbers: there cannot be a cycle. */
                fds[0] = file_open(i < (i + 1) % n ? i : (i + 1) % n);
                fds[1] = file_open(i < (i + 1) % n ? (i + 1) % n : i);
                arrive(i);
                all_arrived(n);
                for (unsigned long round = 0;; round++) {
                        if (with_locks) {
                                file_lock(fds[0], false);
                                file_lock(fds[1], false);
                                flock(fds[0], LOCK_UN);
                                flock(fds[1], LOCK_UN);
                                continue;
                        }
                        if (i > 0 || round > 0)
                                MUST(read(pair[i][0], &byte, 1));
                        MUST(write(pair[before][1], &byte, 1));
                }
        }
}

static const struct form {
        const char *name;
        int n_more; /* actors besides N */
} forms[] = {
        { "chain-flock", 0 },
        { "chain-posix", 0 },
        { "chain-pipe", 0 },
        { "chain-unix", 0 },
        { "chain-wait", 0 },
        { "chain-mutex", 0 },
        { "chain-shared-mutex", 0 },
        { "chain-tcp", 0 },
        { "chain-kinds", 0 },
        { "fan-flock", 1 },
        { "fan-mutex", 1 },
        { "ring-flock", 0 },
        { "ring-pipe", 0 },
        { "ring-unix", 0 },
        { "ring-escape", 1 },
        { "ring-timeout", 0 },
        { "ring-rcvtimeo", 0 },
        { "ring-mutex", 0 },
        { "ring-shared-mutex", 0 },
        { "ring-rwlock", 0 },
        { "ring-tcp", 0 },
        { "ring-child", 0 },
        { "ring-mixed", 0 },
        { "ring-set", 0 },
        { "ring-shared-set", 0 },
        { "churn-pipe", 0 },
        { "churn-flock", 0 },
};

static void form_run(const char *name)
{
        bool ring = strncmp(name, "ring-", 5) == 0, timed;
        const char *what = strchr(name, '-') + 1;

        timed = strcmp(what, "timeout") == 0 || strcmp(what, "rcvtimeo") == 0;
        if (strncmp(name, "churn-", 6) == 0)
                churn(strcmp(what, "flock") == 0);
        else if (strcmp(what, "flock") == 0 && name[0] == 'f')
                fan(false);
        else if (strcmp(name, "fan-mutex") == 0)
                fan(true);
        else if (strcmp(what, "flock") == 0 || strcmp(what, "posix") == 0)
                locks(ring, what[0] == 'p');
        else if (strcmp(what, "wait") == 0)
                children();
        else if (strcmp(what, "mutex") == 0 || strcmp(what, "shared-mutex") == 0)
                mutexes(ring, what[0] == 's');
        else if (strcmp(what, "rwlock") == 0)
                rwlocks_ring();
        else if (strcmp(what, "child") == 0)
                child_and_pipe();
        else if (strcmp(what, "kinds") == 0)
                kinds();
        else if (strcmp(what, "mixed") == 0)
                mixed(BY_READ);
        else if (strcmp(what, "set") == 0)
                mixed(BY_SET);
        else if (strcmp(what, "shared-set") == 0)
                mixed(BY_SHARED_SET);
        else
                pipes(ring,
                        strcmp(what, "tcp") == 0                                     ? TCP
                        : strcmp(what, "unix") == 0 || strcmp(what, "rcvtimeo") == 0 ? UNIX
                                                                                     : PIPES,
                        strcmp(what, "escape") == 0, timed ? 600000 : 0);
}

static void clean_up(void)
{
        char path[128];

        for (int i = 0; i < n; i++) {
                snprintf(path, sizeof(path), "%s/%d", directory, i);
                unlink(path);
        }
        rmdir(directory);
}

int main(int argc, char **argv)
{
        const struct form *form = NULL;
        int n_actors = 0;
        pid_t keeper;
        char byte;

        for (size_t i = 0; argc == 3 && i < sizeof(forms) / sizeof(*forms); i++)
                if (strcmp(argv[1], forms[i].name) == 0)
                        form = &forms[i];
        n = argc == 3 ? atoi(argv[2]) : 0;
        if (form)
                n_actors = n + form->n_more;
        if (n < 1 || n > N_MAX || (!form && !kernel_form(argv[1], &n_actors))) {
                fprintf(stderr, "usage: tangle FORM N\n");
                return 2;
        }
        shared = mmap(
                NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED || !mkdtemp(directory))
                return 1;
        /* The actors' parent does nothing else, so that all die with it, and it is cleaned up. */
        keeper = child();
        if (keeper == 0) {
                if (form)
                        form_run(form->name);
                else
                        kernel_run();
                rest();
        }
        all_arrived(n_actors);
        printf("ready");
        for (int i = 0; i < n_actors; i++)
                printf(" %d/%d", shared->pid[i], shared->tid[i]);
        printf("\n");
        fflush(stdout);
        while (read(STDIN_FILENO, &byte, 1) > 0)
                ;
        kill(keeper, SIGKILL);
        waitpid(keeper, NULL, 0);
        clean_up();
        return 0;
}
