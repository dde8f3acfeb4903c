/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that wait in the C library's ways, each at the end of calls of its own shape. Prints
 * "ready" when all were made; whoever looks waits until they sleep. Compiled by test_user.py, with
 * and without frame pointers and at every level of optimisation.
 */
#include <alloca.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_mutex_t taken = PTHREAD_MUTEX_INITIALIZER, free_one = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t written = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t empty;
static int silent[2];
static pthread_t sleeper;
static volatile int sink;

__attribute__((noinline)) static void wait_mutex(int depth)
{
        pthread_mutex_lock(&taken);
        sink += depth;
}

__attribute__((noinline)) static void wait_condition(int depth)
{
        pthread_mutex_lock(&free_one);
        for (;;)
                pthread_cond_wait(&never, &free_one);
        sink += depth;
}

__attribute__((noinline)) static void wait_read(int depth)
{
        char byte[64];

        sink += (int)read(silent[0], byte, sizeof(byte)) + depth;
}

__attribute__((noinline)) static void wait_join(int depth)
{
        pthread_join(sleeper, NULL);
        sink += depth;
}

__attribute__((noinline)) static void wait_semaphore(int depth)
{
        while (sem_wait(&empty) < 0)
                ;
        sink += depth;
}

__attribute__((noinline)) static void wait_rwlock(int depth)
{
        pthread_rwlock_rdlock(&written);
        sink += depth;
}

__attribute__((noinline)) static void wait_barrier(int depth)
{
        pthread_barrier_wait(&barrier);
        sink += depth;
}

__attribute__((noinline)) static void wait_sleep(int depth)
{
        for (;;)
                sleep(1000 + (unsigned)depth);
}

__attribute__((noinline)) static void initialise(void)
{
        wait_read(1);
}

__attribute__((noinline)) static void wait_once(int depth)
{
        pthread_once(&once, initialise);
        sink += depth;
}

__attribute__((noinline)) static void wait_stdio(int depth)
{
        fputs("never written\n", stderr);
        sink += depth;
}

/* A frame whose size is known when it runs only: its CFA is by the frame pointer. */
__attribute__((noinline)) static void with_alloca(void (*wait)(int), int depth)
{
        char *room = alloca((size_t)depth * 100 + 1);

        memset(room, depth, (size_t)depth * 100);
        wait(depth);
        sink += room[0];
}

/* Aligned to more than the stack is. */
__attribute__((noinline)) static void with_alignment(void (*wait)(int), int depth)
{
        char room[128] __attribute__((aligned(64)));

        memset(room, depth, sizeof(room));
        with_alloca(wait, depth);
        sink += room[depth];
}

__attribute__((noinline)) static int with_many_registers(
        void (*wait)(int), int a, int b, int c, int d, int e, int f, int g, int h)
{
        int sum = a * b + c * d + e * f + g * h;

        if (a & 1)
                with_alignment(wait, a + 1);
        else
                wait(a);
        return sum + a + b + c + d + e + f + g + h;
}

static void (*compare_wait)(int);

static int compare(const void *a, const void *b)
{
        if (compare_wait)
                sink += with_many_registers(compare_wait, 1, 2, 3, 4, 5, 6, 7, 8);
        return *(const int *)a - *(const int *)b;
}

/* A call that does not return is the last instruction of its function. */
__attribute__((noinline, noreturn)) static void wait_for_ever(void (*wait)(int))
{
        int numbers[] = { 3, 1, 2 };

        for (;;) {
                if (wait == wait_read) {
                        compare_wait = wait;
                        qsort(numbers, 3, sizeof(*numbers), compare);
                }
                with_many_registers(wait, sink & 1, 2, 3, 4, 5, 6, 7, 8);
        }
}

__attribute__((noinline)) static void recurse(void (*wait)(int), int depth)
{
        char room[40];

        memset(room, depth, sizeof(room));
        if (depth == 0)
                wait_for_ever(wait);
        recurse(wait, depth - 1);
        sink += room[7];
}

static void *thread_run(void *wait)
{
        recurse((void (*)(int))wait, 7);
        return NULL;
}

/* Blocks where a signal interrupted it, on a stack of its own. */
static void handler(int number)
{
        wait_read(number);
}

static void *thread_signalled(void *nothing)
{
        stack_t stack = { .ss_size = 64 * 1024 };

        (void)nothing;
        stack.ss_sp = mmap(
                NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        sigaltstack(&stack, NULL);
        raise(SIGUSR1);
        return NULL;
}

static void *thread_interrupted(void *nothing)
{
        (void)nothing;
        for (;;)
                sink++; /* interrupted anywhere */
        return NULL;
}

int main(void)
{
        void (*const waits[])(int) = { wait_mutex, wait_condition, wait_read, wait_join,
                wait_semaphore, wait_rwlock, wait_barrier, wait_sleep, wait_once, wait_once,
                wait_stdio };
        struct sigaction alternate = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
        struct sigaction plain = { .sa_handler = handler };
        pthread_t thread;

        if (pipe(silent) < 0)
                return 2;
        pthread_mutex_lock(&taken);
        pthread_rwlock_wrlock(&written);
        pthread_barrier_init(&barrier, NULL, 2);
        flockfile(stderr);
        sigaction(SIGUSR1, &alternate, NULL);
        sigaction(SIGUSR2, &plain, NULL);
        pthread_create(&sleeper, NULL, thread_run, (void *)wait_sleep);
        for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++)
                if (pthread_create(&thread, NULL, thread_run, (void *)waits[i]) != 0)
                        return 2;
        pthread_create(&thread, NULL, thread_signalled, NULL);
        pthread_create(&thread, NULL, thread_interrupted, NULL);
        pthread_kill(thread, SIGUSR2);
        printf("ready\n");
        fflush(stdout);
        recurse(wait_sleep, 3);
        return 0;
}
