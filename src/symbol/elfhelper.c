/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The helper is looked for beside the program that runs (a build directory, or an installation
 * that was moved), then where it was installed. pwhy may be root, and "beside" may be a directory
 * that others write to: so what is there has to belong to whom the program itself belongs, and
 * not be open to more people.
 */
#include "symbol/elfhelper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "elf/wire.h"

#define HELPER "pwhy-elf"
#define OTHERS_WRITE (S_IWGRP | S_IWOTH)
#define KILL_MS 20 /* most end sooner than this when they are killed */

static bool helper_trusted(const char *path, const struct stat *program)
{
        struct stat st;

        return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == program->st_uid &&
               !(st.st_mode & OTHERS_WRITE & ~program->st_mode);
}

/* Beside the program, or as an installation has it. */
static bool helper_beside(char path[static PATH_MAX])
{
        static const char *const places[] = { HELPER, "../libexec/pwhy/" HELPER };
        char program[PATH_MAX];
        struct stat st;
        ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
        char *slash;

        if (n <= 0)
                return false;
        program[n] = 0;
        slash = strrchr(program, '/');
        if (!slash || stat("/proc/self/exe", &st) < 0)
                return false;
        slash[1] = 0;
        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
                int length = snprintf(path, PATH_MAX, "%s%s", program, places[i]);

                if (length < PATH_MAX && helper_trusted(path, &st))
                        return true;
        }
        return false;
}

static bool helper_find(char path[static PATH_MAX])
{
        /* For tests; not heeded where the program got privileges by being started. */
        const char *given = secure_getenv("PWHY_ELF");

        if (given)
                return snprintf(path, PATH_MAX, "%s", given) < PATH_MAX;
        if (helper_beside(path))
                return true;
        snprintf(path, PATH_MAX, "%s/%s", PWHY_LIBEXEC, HELPER);
        return access(path, X_OK) == 0;
}

/* Without this environment: nothing in it is for the helper, and much in it steers libraries. */
static int helper_spawn(const char *path, int socket, pid_t *ret_pid)
{
        char parent[16], name[] = HELPER;
        char *const argv[] = { name, parent, NULL }, *const environment[] = { NULL };
        posix_spawn_file_actions_t actions;
        int r = posix_spawn_file_actions_init(&actions);

        if (r)
                return -r;
        snprintf(parent, sizeof(parent), "%d", (int)getpid());
        r = posix_spawn_file_actions_adddup2(&actions, socket, WIRE_FD);
        if (r == 0)
                r = posix_spawn(ret_pid, path, &actions, NULL, argv, environment);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

int elfhelper_start(int *ret_socket, pid_t *ret_pid)
{
        char path[PATH_MAX];
        int pair[2], r;

        if (!PWHY_DWARF || !helper_find(path))
                return -EOPNOTSUPP;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        r = helper_spawn(path, pair[1], ret_pid);
        close(pair[1]);
        if (r < 0) {
                close(pair[0]);
                return r == -ENOENT || r == -EACCES ? -EOPNOTSUPP : r;
        }
        *ret_socket = pair[0];
        return 0;
}

void elfhelper_kill(pid_t pid)
{
        struct pollfd ended = { .fd = -1, .events = POLLIN };

        if (waitpid(pid, NULL, WNOHANG) != 0)
                return;
        ended.fd = (int)syscall(SYS_pidfd_open, pid, 0);
        kill(pid, SIGKILL);
        /* Without a pidfd (before 5.3): that long. */
        poll(&ended, ended.fd >= 0, KILL_MS);
        waitpid(pid, NULL, WNOHANG);
        if (ended.fd >= 0)
                close(ended.fd);
}
