/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deep N: recurses N times and waits. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static volatile int sink;

__attribute__((noinline)) static void recurse(int depth)
{
        if (depth == 0) {
                printf("ready\n");
                fflush(stdout);
                pause();
        } else {
                recurse(depth - 1);
        }
        sink++;
}

int main(int argc, char **argv)
{
        const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

        /* The main thread's stack grows as it likes after exec only. */
        if (argc == 2 && setrlimit(RLIMIT_STACK, &unlimited) == 0)
                execl(argv[0], argv[0], argv[1], "", NULL);
        recurse(argc > 1 ? atoi(argv[1]) : 0);
        return 0;
}
