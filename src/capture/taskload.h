/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading the program that goes through the threads (bpf/task.bpf.c): as a whole, or one that tells
 * stacks and nothing else, which takes the kernel less time to check.
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
        bool stacks_only;
};

/* What is known before it is loaded, and never changes. */
struct taskload_options {
        bool stacks_only;
        bool nested, filtered; /* as in task.bpf.c */
        uint32_t n_slots;
        struct wire_settings settings; /* to begin with */
};

/* -errno of the kernel that refuses it; -ENOMEM. */
int taskload_new(const struct taskload_options *options, struct taskload *ret);
void taskload_done(struct taskload *load);
