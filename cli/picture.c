/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dot(1) reads the graph from a file in memory and writes to our stdout: no pipe that could fill
 * up, or break.
 */
#include "picture.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* The graph in a file without a name; -errno. */
static int graph_file(const struct pwhy_snapshot *s, const struct pwhy_render *how)
{
        int fd = memfd_create("pwhy-graph", MFD_CLOEXEC), copy, r;
        FILE *f;

        if (fd < 0)
                return -errno;
        copy = dup(fd);
        f = copy < 0 ? NULL : fdopen(copy, "w");
        if (!f) {
                r = -errno;
                if (copy >= 0)
                        close(copy);
                close(fd);
                return r;
        }
        r = pwhy_snapshot_render(s, f, how);
        if (fclose(f) && r == 0)
                r = -errno;
        if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
                r = -errno;
        if (r < 0)
                close(fd);
        return r < 0 ? r : fd;
}

static int dot_start(int input, pid_t *ret_pid)
{
        char name[] = "dot", format[] = "-Tsvg", *argv[] = { name, format, NULL };
        posix_spawn_file_actions_t actions;
        int r = posix_spawn_file_actions_init(&actions);

        if (r)
                return -r;
        r = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
        if (r == 0)
                r = posix_spawnp(ret_pid, argv[0], &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

int picture_write(const struct pwhy_snapshot *s, const struct pwhy_render *how)
{
        int input = graph_file(s, how), status = 0, r;
        pid_t pid = -1;

        if (input < 0)
                return input;
        fflush(stdout);
        r = dot_start(input, &pid);
        close(input);
        if (r < 0) {
                fprintf(stderr,
                        "pwhy: cannot run dot: %s; --format=svg needs Graphviz, --format=dot does "
                        "not\n",
                        strerror(-r));
                return -ENOEXEC;
        }
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                fprintf(stderr, "pwhy: dot failed; --format=dot shows what it was given\n");
                return -ENOEXEC;
        }
        return 0;
}
