/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-sample ROUNDS: what a capture handle costs that is kept open, in turn with a loop that
 * reads every /proc/PID/task/TID/stack. Prints one line of NAME=NUMBER words; times are medians in
 * ns.
 *
 * load, load_first   loading the program into the kernel; and the first time of it
 * load_stacks        the same of the one that tells stacks alone, as for one process
 * first              the first sample, which reads every thread
 * again              a sample after it; ran: threads that it had to read anew
 * loop               the loop
 * calls              of malloc() and its like, in a sample after the first, at the median
 * user, kernel       bytes after the first sample: resident memory of ours, memory of the program
 *                    and its maps
 *
 * The calls are counted by wrapping them (ld --wrap), in the library that is linked in as well.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture/taskiter.h"
#include "capture/tasktable.h"
#include "procloop.h"

#define LOADS 20

static size_t n_calls;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

void *__wrap_malloc(size_t size)
{
        n_calls++;
        return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
        n_calls++;
        return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
        n_calls++;
        return __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
        n_calls++;
        return __real_reallocarray(p, n, size);
}

static uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static _Noreturn void fail(const char *what)
{
        fprintf(stderr, "bench-sample: %s\n", what);
        exit(1);
}

static int by_number(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

static uint64_t median(uint64_t *numbers, size_t n)
{
        qsort(numbers, n, sizeof(*numbers), by_number);
        return numbers[n / 2];
}

/* "1443 350 …": pages resident, of these shared with files or others */
static uint64_t memory_of_ours(void)
{
        unsigned long all, resident, shared;
        FILE *f = fopen("/proc/self/statm", "r");

        if (!f || fscanf(f, "%lu %lu %lu", &all, &resident, &shared) != 3)
                fail("no statm");
        fclose(f);
        return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* "memlock:\t172032": what programs and maps that we have open take up */
static uint64_t memory_of_kernel(void)
{
        DIR *directory = opendir("/proc/self/fdinfo");
        struct dirent *entry;
        uint64_t sum = 0;
        char path[300], line[256];

        while (directory && (entry = readdir(directory))) {
                unsigned long bytes;
                FILE *f;

                snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", entry->d_name);
                f = fopen(path, "r");
                while (f && fgets(line, sizeof(line), f))
                        if (sscanf(line, "memlock:\t%lu", &bytes) == 1)
                                sum += bytes;
                if (f)
                        fclose(f);
        }
        if (directory)
                closedir(directory);
        return sum;
}

static size_t threads_of_machine(void)
{
        FILE *f = fopen("/proc/loadavg", "r");
        size_t n;

        if (!f || fscanf(f, "%*s %*s %*s %*d/%zu", &n) != 1)
                fail("no loadavg");
        fclose(f);
        return n;
}

/* As src/capture/session.c does for --watch: twice as many slots as threads, everything read. */
static struct taskiter *iter_make(size_t threads)
{
        const char *why, *remedy;
        struct taskiter *it;

        if (taskiter_new(threads * 2, WIRE_FRAMES_MAX, WIRE_KIND_WHOLE, NULL, &it, &why, &remedy) <
                0)
                fail(why);
        return it;
}

/* threads 0: stacks alone, of a few */
static uint64_t load_time(size_t threads)
{
        uint64_t start = now_ns(), time;
        const char *why, *remedy;
        struct taskiter *it;

        if (threads)
                it = iter_make(threads);
        else if (taskiter_new(0, WIRE_FRAMES_MAX, WIRE_KIND_STACKS, NULL, &it, &why, &remedy) < 0)
                fail(why);
        time = now_ns() - start;
        taskiter_free(it);
        return time;
}

static void loads_measure(size_t threads)
{
        uint64_t times[LOADS];
        uint64_t first = load_time(threads);

        for (size_t i = 0; i < LOADS; i++)
                times[i] = load_time(threads);
        printf("load_first=%llu load=%llu ", (unsigned long long)first,
                (unsigned long long)median(times, LOADS));
        for (size_t i = 0; i < LOADS; i++)
                times[i] = load_time(0);
        printf("load_stacks=%llu ", (unsigned long long)median(times, LOADS));
}

static uint64_t sample_time(struct tasktable *table, size_t *ret_ran)
{
        static const struct taskiter_scope all;
        uint64_t start = now_ns();

        if (tasktable_sample(table, &all, ret_ran) < 0)
                fail("no sample");
        return now_ns() - start;
}

static uint64_t loop_time(void)
{
        static const struct procloop_file stack = { "stack", 1 };
        struct procloop_sum sum = { 0 };
        uint64_t start = now_ns();

        if (procloop_all(&stack, 1, &sum) < 0 || !sum.bytes)
                fail("no stacks to be read: that needs root");
        return now_ns() - start;
}

static void samples_measure(size_t rounds, size_t threads)
{
        uint64_t *times = calloc(rounds * 4, sizeof(*times));
        uint64_t *loops = times + rounds, *rans = loops + rounds, *calls = rans + rounds;
        struct taskiter *it = iter_make(threads);
        uint64_t before = memory_of_ours(), first;
        struct tasktable *table;
        size_t ran;

        if (!times || tasktable_new(it, false, &table) < 0)
                fail("no memory");
        first = sample_time(table, &ran);
        printf("threads=%zu first=%llu user=%llu kernel=%llu ", tasktable_count(table),
                (unsigned long long)first, (unsigned long long)(memory_of_ours() - before),
                (unsigned long long)memory_of_kernel());
        for (size_t i = 0; i < rounds; i++) {
                loops[i] = loop_time();
                n_calls = 0;
                times[i] = sample_time(table, &ran);
                calls[i] = n_calls;
                rans[i] = ran;
        }
        printf("again=%llu loop=%llu ran=%llu calls=%llu\n",
                (unsigned long long)median(times, rounds),
                (unsigned long long)median(loops, rounds), (unsigned long long)median(rans, rounds),
                (unsigned long long)median(calls, rounds));
        tasktable_free(table);
        taskiter_free(it);
        free(times);
}

int main(int argc, char **argv)
{
        long rounds = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
        size_t threads = threads_of_machine();

        if (rounds < 1) {
                fprintf(stderr, "usage: bench-sample ROUNDS\n");
                return 2;
        }
        loads_measure(threads);
        samples_measure((size_t)rounds, threads);
        return 0;
}
