/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Another look, for the graph: at what was not asked for, or once more at what was. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "query.h"

struct job;
struct owner;
struct proof;
struct session;
struct snapshot;

struct look {
        /* of the first look */
        struct job *job;
        struct pwhy_query query;
        struct session *session; /* its own; NULL: not needed so far */
        bool woken;              /* a look before had to load the program after all */
};

/* struct looker's function; arg is a struct look. Its session is the caller's to free. */
int look_run(
        void *arg, struct snapshot *s, const struct owner *owners, size_t n, struct proof *proof);
