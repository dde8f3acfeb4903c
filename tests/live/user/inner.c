/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that wait for locks which the C library takes for itself: malloc's, the dynamic loader's,
 * those of stdio and of name resolution, a mutex after a condition. Each lock is held by a thread
 * that sleeps for another reason. Called with a library whose constructor sleeps; says "ready".
 * What waits for malloc comes last: nobody may need memory after that.
 */
#include <arpa/nameser.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <nss.h>
#include <pthread.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile int sink;
static const char *library;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static struct sockaddr_in silent; /* a name server that answers nobody */
static FILE *full;
static int gate[2];

/* ---- the dynamic loader */

__attribute__((noinline)) static void hold_loader(void)
{
        sink += dlopen(library, RTLD_NOW) != NULL;
}

__attribute__((noinline)) static void wait_loader(void)
{
        sink += dlopen("libm.so.6", RTLD_NOW) != NULL;
}

/* ---- name resolution */

static void server_set(void)
{
        res_init();
        _res.nscount = 1;
        _res.nsaddr_list[0] = silent;
        _res.retrans = RES_MAXRETRANS; /* seconds: longer than any test looks */
        _res.retry = RES_MAXRETRY;
        _res.ndots = 0;
}

__attribute__((noinline)) static void wait_address(void)
{
        struct addrinfo *found;

        server_set();
        sink += getaddrinfo("nobody.example", "80", NULL, &found);
}

__attribute__((noinline)) static void wait_host(void)
{
        server_set();
        sink += gethostbyname("nobody.example") != NULL;
}

/* ---- a mutex that is wanted again after a condition */

__attribute__((noinline)) static void wait_signalled(void)
{
        pthread_mutex_lock(&mutex);
        pthread_cond_wait(&condition, &mutex);
        sink++;
}

/* ---- stdio: who flushes everything has the list of streams */

__attribute__((noinline)) static void hold_streams(void)
{
        sink += fflush(NULL);
}

__attribute__((noinline)) static void wait_open(void)
{
        sink += fopen("/dev/null", "r") != NULL;
}

__attribute__((noinline)) static void wait_fork(void)
{
        if (fork() == 0)
                _exit(0);
        sink++;
}

__attribute__((noinline)) static void wait_exit(void)
{
        exit(0);
}

/* ---- malloc */

/* It writes to stderr with the arena locked. */
__attribute__((noinline)) static void hold_malloc(void)
{
        malloc_stats();
}

__attribute__((noinline)) static void wait_malloc(void)
{
        char byte;

        sink += (int)read(gate[0], &byte, 1);
        sink += malloc(50000) != NULL;
}

static _Atomic pid_t last;

static void *thread_run(void *arg)
{
        last = (pid_t)syscall(SYS_gettid);
        ((void (*)(void))arg)();
        return NULL;
}

/* /proc/self/task/TID/stat: "12 (inner) S …"; schedstat: "4012345 0 3", the last: how often it ran.
 */
static void read_start(pid_t tid, const char *name, char *buffer, size_t size)
{
        char path[64];
        ssize_t n;
        int fd;

        snprintf(path, sizeof(path), "/proc/self/task/%d/%s", tid, name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? 0 : read(fd, buffer, size - 1);
        buffer[n > 0 ? n : 0] = 0;
        close(fd);
}

static void settle(pid_t tid)
{
        char stat[256], before[64], after[64];

        for (int quiet = 0; quiet < 20; quiet++) {
                read_start(tid, "schedstat", before, sizeof(before));
                usleep(2000);
                read_start(tid, "stat", stat, sizeof(stat));
                read_start(tid, "schedstat", after, sizeof(after));
                if (!strstr(stat, ") S ") || strcmp(before, after) != 0)
                        quiet = 0;
        }
}

static pid_t start(void (*run)(void), int settled)
{
        pthread_t thread;

        last = 0;
        if (pthread_create(&thread, NULL, thread_run, (void *)run) != 0)
                _exit(2);
        while (!last)
                usleep(100);
        if (settled)
                settle(last);
        return last;
}

static int pipe_full(void)
{
        static char zeros[4096];
        int ends[2];

        if (pipe(ends) < 0)
                _exit(2);
        fcntl(ends[1], F_SETFL, O_NONBLOCK);
        while (write(ends[1], zeros, sizeof(zeros)) > 0)
                ;
        fcntl(ends[1], F_SETFL, 0);
        return ends[1];
}

static void server_make(void)
{
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        socklen_t len = sizeof(silent);

        silent.sin_family = AF_INET;
        silent.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (bind(fd, (struct sockaddr *)&silent, len) < 0 ||
                getsockname(fd, (struct sockaddr *)&silent, &len) < 0)
                _exit(2);
        __nss_configure_lookup("hosts", "dns");
}

int main(int argc, char **argv)
{
        static char buffer[4096];
        pid_t malloc_tid;

        library = argc > 1 ? argv[1] : "";
        mallopt(M_ARENA_MAX, 1);
        server_make();
        if (pipe(gate) < 0)
                return 2;
        full = fdopen(pipe_full(), "w");
        setvbuf(full, buffer, _IOFBF, sizeof(buffer));
        fputs("never written", full);

        start(wait_address, 1);
        start(wait_host, 1);
        start(wait_host, 1);
        start(wait_signalled, 1);
        pthread_mutex_lock(&mutex);
        pthread_cond_signal(&condition);
        start(hold_loader, 1);
        start(wait_loader, 1);
        malloc_tid = start(wait_malloc, 1);
        start(hold_streams, 1);
        start(wait_open, 1);
        start(wait_fork, 1);
        start(wait_exit, 1);
        dup2(pipe_full(), STDERR_FILENO);
        start(hold_malloc, 1);
        if (write(gate[1], "x", 1) < 0)
                return 2;
        settle(malloc_tid);
        if (write(STDOUT_FILENO, "ready\n", 6) < 0)
                return 2;
        for (;;)
                pause();
}
