/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-readproc PID|all FILE...: read these files of each of a process's threads, or of all
 * threads of the machine (procloop.h).
 *
 * "FILE*2" reads a file twice through one descriptor, as pwhy does with a context-switch
 * count. Prints threads and bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procloop.h"

int main(int argc, char **argv)
{
        struct procloop_sum sum = { 0 };
        struct procloop_file *files;
        int r;

        if (argc < 3) {
                fprintf(stderr, "usage: bench-readproc PID|all FILE...\n");
                return 2;
        }
        files = calloc((size_t)argc, sizeof(*files));
        if (!files)
                return 1;
        for (int i = 2; i < argc; i++) {
                char *star = strchr(argv[i], '*');
                size_t length = star ? (size_t)(star - argv[i]) : strlen(argv[i]);

                snprintf(files[i - 2].name, sizeof(files->name), "%.*s", (int)length, argv[i]);
                files[i - 2].times = star ? (int)strtol(star + 1, NULL, 10) : 1;
        }
        r = strcmp(argv[1], "all") == 0 ? procloop_all(files, argc - 2, &sum)
                                        : procloop_process(argv[1], files, argc - 2, &sum);
        free(files);
        if (r < 0) {
                fprintf(stderr, "bench-readproc: %s: %s\n", argv[1], strerror(-r));
                return 1;
        }
        printf("%zu threads, %zu bytes\n", sum.threads, sum.bytes);
        return 0;
}
