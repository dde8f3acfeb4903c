/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs with a time limit, so that one that hangs is one failure and not the end. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int child_wait(pid_t pid)
{
        struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
        int status = 0;

        if (end.fd >= 0) {
                if (poll(&end, 1, SECONDS_MAX * 1000) == 0)
                        kill(pid, SIGKILL);
                close(end.fd);
        }
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Memory, not pipes: nobody must read while it runs. */
static void output_record(const char *name, const char *which, int fd)
{
        struct bytes b = { 0 };
        char full[256];

        snprintf(full, sizeof(full), "%s.%s", name, which);
        lseek(fd, 0, SEEK_SET);
        bytes_read_fd(&b, fd);
        record(full, b.data ? b.data : "", b.len);
        bytes_done(&b);
        close(fd);
}

void command_record(const char *name, char *const argv[])
{
        int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC), status;
        char full[256];
        pid_t pid = fork();

        if (pid < 0) {
                record_error("fork: %m");
                return;
        }
        if (pid == 0) {
                int null = open("/dev/null", O_RDONLY);

                dup2(null, STDIN_FILENO);
                dup2(out, STDOUT_FILENO);
                dup2(err, STDERR_FILENO);
                execv(argv[0], argv);
                fprintf(stderr, "%s: %m\n", argv[0]);
                _exit(127);
        }
        status = child_wait(pid);
        output_record(name, "out", out);
        output_record(name, "err", err);
        snprintf(full, sizeof(full), "%s.status", name);
        record_print(full, "%d", status);
}

#define OPTIONS_MAX 8

static char *options[OPTIONS_MAX];
static size_t n_options;

void pwhy_options_set(char **words)
{
        for (n_options = 0; words[n_options] && n_options < OPTIONS_MAX; n_options++)
                options[n_options] = words[n_options];
}

void pwhy_record(const char *name, const char *const args[])
{
        char *argv[2 * OPTIONS_MAX + 2] = { (char *)PWHY_PATH };
        size_t n = 1;

        for (size_t i = 0; i < n_options; i++)
                argv[n++] = options[i];
        for (size_t i = 0; args[i] && i < OPTIONS_MAX; i++)
                argv[n++] = (char *)args[i];
        command_record(name, argv);
}
