/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-crowd THREADS MUTEXES PROCESSES [FDS]: a process whose threads wait for a few mutexes, each
 * of which one more thread holds; and processes that each wait for the next, through a pipe and a
 * pair of unix sockets in turn. The FDS are open, half of pipes, half of sockets, in processes that
 * rest, a thousand in each. Prints "ready" and its PID; lives until the end of its input.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define STACK_BYTES (64 * 1024)
#define CHAIN 10 /* processes, of which the last one rests */
#define FDS_EACH 1000

static pthread_mutex_t *mutexes;
static long n_mutexes;
static long n_arrived;

static void *hold(void *number)
{
        pthread_mutex_lock(&mutexes[(intptr_t)number]);
        __atomic_add_fetch(&n_arrived, 1, __ATOMIC_RELEASE);
        while (pause() < 0)
                ;
        return NULL;
}

static void *want(void *number)
{
        __atomic_add_fetch(&n_arrived, 1, __ATOMIC_RELEASE);
        pthread_mutex_lock(&mutexes[(intptr_t)number % n_mutexes]);
        return NULL;
}

static void start(void *(*run)(void *), long n)
{
        pthread_attr_t attributes;
        pthread_t thread;

        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, STACK_BYTES);
        for (long i = 0; i < n; i++)
                if (pthread_create(&thread, &attributes, run, (void *)(intptr_t)i) != 0) {
                        fprintf(stderr, "bench-crowd: only %ld of %ld threads\n", i, n);
                        exit(1);
                }
        pthread_attr_destroy(&attributes);
}

static void wait_arrived(long n)
{
        while (__atomic_load_n(&n_arrived, __ATOMIC_ACQUIRE) < n)
                usleep(1000);
}

/* One that reads what the next would write; it has no other fds of the chain. */
static void process_run(int from, int to)
{
        char byte;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == 1)
                _exit(1);
        (void)to; /* open: that is what the one before waits for */
        if (from >= 0 && read(from, &byte, 1) >= 0)
                _exit(0);
        for (;;)
                pause();
}

static void chain_make(long n)
{
        int to = -1;

        for (long i = 0; i < n; i++) {
                int ends[2] = { -1, -1 };

                if (i + 1 < n &&
                        (i % 2 ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends)) < 0)
                        exit(1);
                switch (fork()) {
                case -1:
                        perror("bench-crowd: fork");
                        exit(1);
                case 0:
                        if (ends[1] >= 0)
                                close(ends[1]);
                        process_run(ends[0], to);
                }
                if (to >= 0)
                        close(to);
                if (ends[0] >= 0)
                        close(ends[0]);
                to = ends[1];
        }
}

/* Nobody waits for them: they are to be looked through. */
static void keeper_make(long n)
{
        int ends[2];

        switch (fork()) {
        case -1:
                perror("bench-crowd: fork");
                exit(1);
        case 0:
                for (long i = 0; i < n; i += 4)
                        if (pipe(ends) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
                                _exit(1);
                process_run(-1, -1);
        }
}

int main(int argc, char **argv)
{
        long n_threads = argc >= 4 ? strtol(argv[1], NULL, 10) : 0;
        long n_processes = argc >= 4 ? strtol(argv[3], NULL, 10) : 0;
        long n_fds = argc == 5 ? strtol(argv[4], NULL, 10) : 0;
        char byte;

        n_mutexes = argc >= 4 ? strtol(argv[2], NULL, 10) : 0;
        if (n_mutexes < 1) {
                fprintf(stderr, "usage: bench-crowd THREADS MUTEXES PROCESSES [FDS]\n");
                return 2;
        }
        for (long i = 0; i < n_processes; i += CHAIN)
                chain_make(n_processes - i < CHAIN ? n_processes - i : CHAIN);
        for (long i = 0; i < n_fds; i += FDS_EACH)
                keeper_make(n_fds - i < FDS_EACH ? n_fds - i : FDS_EACH);
        mutexes = calloc((size_t)n_mutexes, sizeof(*mutexes));
        if (!mutexes)
                return 1;
        for (long i = 0; i < n_mutexes; i++)
                pthread_mutex_init(&mutexes[i], NULL);
        start(hold, n_mutexes);
        wait_arrived(n_mutexes);
        start(want, n_threads);
        wait_arrived(n_mutexes + n_threads);
        printf("ready %d\n", (int)getpid());
        fflush(stdout);
        while (read(STDIN_FILENO, &byte, 1) > 0)
                ;
        return 0;
}
