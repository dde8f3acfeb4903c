/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The line to the helper: bytes and files there and back, with deadlines. Used by elfserver.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct watch;

struct elfline {
        struct watch *watch; /* gets its beat while something is waited for; may be NULL */
        int socket;          /* -1: no helper runs */
        pid_t pid;
        char ahead[8192]; /* what came with what was waited for, from `from` on */
        size_t from, n;
};

struct deadline {
        int64_t idle_ns; /* CLOCK_MONOTONIC: for a server that does nothing */
        int64_t busy_ns; /* for one that runs, or waits for a CPU */
};

/* Starts the helper, as elfhelper_start(). */
int elfline_open(struct elfline *l);
/* The helper notices, and ends if it can. */
void elfline_close(struct elfline *l);

/* All of it. -ETIMEDOUT; -EIO: the helper is gone. */
int elfline_receive(struct elfline *l, void *buffer, size_t n, const struct deadline *until);
/* fd: goes with the first byte; -1: none. */
int elfline_send(
        struct elfline *l, const void *buffer, size_t n, int fd, const struct deadline *until);
