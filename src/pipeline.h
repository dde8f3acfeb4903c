/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stages in their order. Read pipeline.c first. */
#pragma once

#include <stdbool.h>

#include "model.h"
#include "target/select.h"

struct pwhy_query;
struct pwhy_thread;
struct session;
struct watch;

struct pwhy_snapshot { /* lives in its own arena */
        struct snapshot model;
        struct selection selection;
        bool raw;                    /* what was asked for are kernel stacks */
        bool blind;                  /* the source that was asked for cannot be had */
        struct watch *watch;         /* of the worker; NULL: there was none */
        struct pwhy_thread *threads; /* the matching ones, when somebody asks for them */
};

/* session: of this query (capture/session.h). */
int pipeline_run(const struct pwhy_query *query, struct session *session,
        struct pwhy_snapshot **ret_snapshot);
int pipeline_run_text(const struct pwhy_query *query, const char *text, size_t len,
        struct pwhy_snapshot **ret_snapshot);
