/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libraries FOLDER N: calls through N libraries, lib0.so to the last, and waits. The same source is
 * the libraries' (-DLIBRARY).
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef int step(int (*next)(int), int n);

#ifdef LIBRARY

static inline __attribute__((always_inline)) int call(int (*next)(int), int n)
{
        return next(n) + 1;
}

int in_library(int (*next)(int), int n);

int in_library(int (*next)(int), int n)
{
        return call(next, n) + n;
}

#else

static step **steps;
static int n_steps;

static int go_on(int n)
{
        if (n == n_steps) {
                printf("ready\n");
                fflush(stdout);
                return pause();
        }
        return steps[n](go_on, n + 1) + 1;
}

int main(int argc, char **argv)
{
        n_steps = argc == 3 ? atoi(argv[2]) : 0;
        steps = calloc((size_t)n_steps + 1, sizeof(*steps));
        for (int i = 0; i < n_steps; i++) {
                char path[4096];
                void *library;

                snprintf(path, sizeof(path), "%s/lib%d.so", argv[1], i);
                library = dlopen(path, RTLD_NOW);
                steps[i] = library ? (step *)dlsym(library, "in_library") : NULL;
                if (!steps[i])
                        return 1;
        }
        return go_on(0);
}

#endif
