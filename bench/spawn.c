/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-spawn ROUNDS COMMAND... [-- COMMAND...]...: run commands in turn, so many rounds,
 * their output thrown away. Prints a line for each: median and least time from start to end
 * in ns, the largest resident set in KiB (of the process or of a child it reaped), and the
 * last exit status.
 *
 * In turn, so that what else the machine does falls on all alike; in C, because starting a
 * program from a large process costs more than what is measured here.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define COMMANDS_MAX 16
#define WARM_UP 2 /* rounds that do not count: caches are filled */

struct command {
        char **argv;
        int64_t *times; /* ns, one a round */
        long max_rss;   /* KiB */
        int status;
};

static int64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t command_run(struct command *c, const posix_spawn_file_actions_t *actions)
{
        struct rusage usage;
        int64_t start = now_ns();
        pid_t pid;
        int r = posix_spawnp(&pid, c->argv[0], actions, NULL, c->argv, environ);

        if (r != 0) {
                fprintf(stderr, "bench-spawn: %s: %s\n", c->argv[0], strerror(r));
                exit(1);
        }
        while (wait4(pid, &c->status, 0, &usage) < 0)
                if (errno != EINTR)
                        exit(1);
        int64_t time = now_ns() - start;

        if (usage.ru_maxrss > c->max_rss)
                c->max_rss = usage.ru_maxrss;
        return time;
}

static int by_time(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

static int commands_split(char **argv, struct command *commands, long rounds)
{
        int n = 0;

        while (*argv && n < COMMANDS_MAX) {
                commands[n].argv = argv;
                commands[n].times = calloc((size_t)rounds, sizeof(*commands[n].times));
                if (!commands[n].times)
                        exit(1);
                n++;
                while (*argv && strcmp(*argv, "--") != 0)
                        argv++;
                if (*argv)
                        *argv++ = NULL;
        }
        return n;
}

int main(int argc, char **argv)
{
        struct command commands[COMMANDS_MAX] = { 0 };
        posix_spawn_file_actions_t actions;
        long rounds = argc > 2 ? strtol(argv[1], NULL, 10) : 0;

        if (rounds < 1) {
                fprintf(stderr, "usage: bench-spawn ROUNDS COMMAND... [-- COMMAND...]...\n");
                return 2;
        }
        int n = commands_split(argv + 2, commands, rounds);

        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);

        for (long round = -WARM_UP; round < rounds; round++)
                for (int i = 0; i < n; i++) {
                        int64_t time = command_run(&commands[i], &actions);

                        if (round >= 0)
                                commands[i].times[round] = time;
                }

        for (int i = 0; i < n; i++) {
                struct command *c = &commands[i];

                qsort(c->times, (size_t)rounds, sizeof(*c->times), by_time);
                printf("%lld %lld %ld %d\n", (long long)c->times[rounds / 2],
                        (long long)c->times[0], c->max_rss,
                        WIFEXITED(c->status) ? WEXITSTATUS(c->status) : 128);
                free(c->times);
        }
        posix_spawn_file_actions_destroy(&actions);
        return 0;
}
