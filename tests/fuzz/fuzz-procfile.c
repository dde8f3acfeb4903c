/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as each of the files of /proc/PID: all four parsers see the same input. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/procfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
        if (!condition)
                abort();
}

static void stat_check(const char *text, size_t len)
{
        struct procfile_stat s;

        if (procfile_stat(text, len, &s) <= 0)
                return;
        require(s.comm_len <= COMM_MAX && strlen(s.comm) == s.comm_len);
        require(s.ppid >= 0 && s.cpu >= -1);
        require((s.state | 0x20) >= 'a' && (s.state | 0x20) <= 'z');
}

static void sched_check(const char *text, size_t len)
{
        struct procfile_sched s;

        if (procfile_sched(text, len, &s) > 0)
                require(s.has_exec_start || s.has_switches);
}

static void status_check(const char *text, size_t len)
{
        struct procfile_status s;

        if (procfile_status(text, len, &s) > 0)
                require(s.tgid > 0 && s.tracer >= 0 && s.inner_pid >= 0);
}

static void syscall_check(const char *text, size_t len)
{
        struct procfile_syscall s;

        if (procfile_syscall(text, len, &s) <= 0)
                return;
        require((s.state == SYSCALL_INSIDE) == (s.nr >= 0));
        require(s.state != SYSCALL_INSIDE || s.sp != 0 || s.pc != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *text = (const char *)data;

        stat_check(text, size);
        sched_check(text, size);
        status_check(text, size);
        syscall_check(text, size);
        return 0;
}
