/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-readproc PID FILE...: open, read and close these files of each of a process's
 * threads, and do nothing with them. What any program that reads them has to pay, and so
 * the yardstick of one that also says what they mean.
 *
 * "FILE*2" reads a file twice through one descriptor, as pwhy does with a context-switch
 * count. Prints threads and bytes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES (1U << 20)

static char buffer[BUFFER_BYTES];

/* Bytes read; 0 for a file that cannot be had, which is the thread's end or a refusal. */
static size_t file_read(int directory, const char *name, int times)
{
        size_t sum = 0;
        ssize_t n;
        int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return 0;
        for (int i = 0; i < times; i++) {
                off_t offset = 0;

                while ((n = pread(fd, buffer, sizeof(buffer), offset)) > 0)
                        offset += n;
                sum += (size_t)offset;
        }
        close(fd);
        return sum;
}

struct file {
        char name[32];
        int times;
};

static size_t thread_read(int tasks, const char *tid, const struct file *files, int n_files)
{
        char path[64];
        size_t sum = 0;

        for (int i = 0; i < n_files; i++) {
                snprintf(path, sizeof(path), "%.20s/%s", tid, files[i].name);
                sum += file_read(tasks, path, files[i].times);
        }
        return sum;
}

int main(int argc, char **argv)
{
        struct file *files;
        struct dirent *entry;
        size_t n_threads = 0, bytes = 0;
        char path[64];
        DIR *tasks;

        if (argc < 3) {
                fprintf(stderr, "usage: bench-readproc PID FILE...\n");
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

        snprintf(path, sizeof(path), "/proc/%s/task", argv[1]);
        tasks = opendir(path);
        if (!tasks) {
                fprintf(stderr, "bench-readproc: %s: %s\n", path, strerror(errno));
                free(files);
                return 1;
        }
        while ((entry = readdir(tasks)))
                if (entry->d_name[0] != '.') {
                        bytes += thread_read(dirfd(tasks), entry->d_name, files, argc - 2);
                        n_threads++;
                }
        closedir(tasks);
        free(files);
        printf("%zu threads, %zu bytes\n", n_threads, bytes);
        return 0;
}
