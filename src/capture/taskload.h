/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading the program that goes through the threads (bpf/task.bpf.c): the one of its kinds that
 * takes the kernel the least time to check.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/bpf/wire.h"

struct taskload {
        void *program;                  /* the skeleton */
        int dump, name;                 /* fds of programs… */
        int slots;                      /* …and of a map */
        struct wire_settings *settings; /* shared with it */
        struct wire_names *names;
        void (*free)(void *program);
};

/* What is known before it is loaded, and never changes. */
struct taskload_options {
        unsigned kind;            /* WIRE_KIND_… */
        bool nested;              /* in a PID namespace that is not the first */
        bool filtered, remembers; /* as in task.bpf.c */
        uint32_t n_slots;
        struct wire_settings settings; /* to begin with */
};

/* -errno of the kernel that refuses it; -ENOMEM. */
int taskload_new(const struct taskload_options *options, struct taskload *ret);
void taskload_done(struct taskload *load);
