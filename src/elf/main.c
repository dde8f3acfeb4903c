/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pwhy-elf: the ELF server. Not for people: pwhy starts it with a socket as descriptor 3 and its
 * own PID as the only argument.
 *
 * A program of its own, for two reasons. What is loaded for parsing (libdw and the libraries
 * below it, libiberty) costs pwhy nothing where no user stack is wanted. And it
 * has nothing of pwhy's memory and descriptors in it that could be taken.
 */
#include <errno.h>
#include <libelf.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "elf/sandbox.h"
#include "elf/serve.h"
#include "elf/wire.h"

/* All are blocked in the worker. Handlers do not outlive execve(2). */
static void signals_unblock(void)
{
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

static int compare_nothing(const void *a, const void *b)
{
        (void)a;
        (void)b;
        return 0;
}

/* What the C library opens or asks the kernel once, and then knows: qsort() how much memory. */
static void library_warm(void)
{
        static char some[4096];

        qsort(some, sizeof(some) / 16, 16, compare_nothing);
}

int main(int argc, char **argv)
{
        struct wire_answer failed = { .op = WIRE_HELLO };
        char *end;
        long parent;
        int r;

        if (argc != 2) {
                fputs("pwhy-elf is started by pwhy, to parse files without privileges\n", stderr);
                return 2;
        }
        parent = strtol(argv[1], &end, 10);
        if (*end || parent <= 0 || parent > INT_MAX)
                return 2;
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
#ifdef SYS_close_range
        syscall(SYS_close_range, WIRE_FD + 1, UINT_MAX, 0);
#endif
        signals_unblock();
        elf_version(EV_CURRENT);
        library_warm();
        r = sandbox_enter((pid_t)parent);
        if (r < 0) {
                failed.result = r;
                send(WIRE_FD, &failed, sizeof(failed), MSG_NOSIGNAL);
                return 1;
        }
        return serve(WIRE_FD, (uint32_t)r) == 0 ? 0 : 1;
}
