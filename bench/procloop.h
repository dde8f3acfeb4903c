/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open, read and close files of each thread, and do nothing with them. What any program that
 * reads them has to pay, and so the yardstick of one that also says what they mean.
 */
#pragma once

#include <stddef.h>

struct procloop_file {
        char name[32];
        int times; /* how often it is read through one descriptor */
};

struct procloop_sum {
        size_t threads, bytes;
};

/* Of the threads of a process. -errno. */
int procloop_process(
        const char *pid, const struct procloop_file *files, int n, struct procloop_sum *sum);

/* Of all threads of the machine. */
int procloop_all(const struct procloop_file *files, int n, struct procloop_sum *sum);
