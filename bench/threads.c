/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-threads N [AWAKE]: a process with N threads that sleep in one of a few ways, as a real
 * server's do; AWAKE of them (0) wake up ten times a second. Prints "ready" when all sleep; lives
 * until the end of its input.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Threads are made by the thousand: no more stack for each than it needs. */
#define STACK_BYTES (64 * 1024)

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static int pipe_fds[2];

/* Servers sleep deep in their code: ten calls and more. */
#define DEPTH 10

static void *sleep_somehow(void *number, int depth);

/* Through a pointer, so that no compiler makes one function of it. */
static void *(*volatile deeper)(void *number, int depth) = sleep_somehow;

static void *sleep_somehow(void *number, int depth)
{
        struct pollfd fd = { .fd = pipe_fds[0], .events = POLLIN };
        char byte;

        if (depth > 0) {
                void *result = deeper(number, depth - 1);

                __asm__ volatile("" ::: "memory"); /* no tail call */
                return result;
        }
        if ((size_t)number % 3 == 0)
                pthread_mutex_lock(&mutex);
        for (;;)
                switch ((size_t)number % 3) {
                case 0:
                        pthread_cond_wait(&never, &mutex);
                        break;
                case 1:
                        poll(&fd, 1, -1);
                        break;
                default:
                        if (read(pipe_fds[0], &byte, 1) < 0)
                                pause();
                        break;
                }
        return NULL;
}

static long n_awake;

static void *thread_run(void *number)
{
        static const struct timespec moment = { 0, 100000000 };

        while ((long)number < n_awake)
                nanosleep(&moment, NULL);
        return sleep_somehow(number, DEPTH);
}

int main(int argc, char **argv)
{
        long n = argc >= 2 ? strtol(argv[1], NULL, 10) : 0;
        pthread_attr_t attributes;
        pthread_t thread;
        char byte;

        if (n < 1 || pipe(pipe_fds) < 0) {
                fprintf(stderr, "usage: bench-threads N [AWAKE]\n");
                return 2;
        }
        n_awake = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, STACK_BYTES);
        for (long i = 0; i < n; i++)
                if (pthread_create(&thread, &attributes, thread_run, (void *)i) != 0) {
                        fprintf(stderr, "bench-threads: only %ld of %ld threads\n", i, n);
                        return 1;
                }
        pthread_attr_destroy(&attributes);

        sleep(1);
        printf("ready\n");
        fflush(stdout);
        while (read(STDIN_FILENO, &byte, 1) > 0)
                ;
        /* Not exit(): its handlers are of no use here, and the threads hold stdio's locks. */
        _exit(0);
}
