/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of the verb show: from the command line to a query and a way to print it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pwhy.h"

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct options {
        struct pwhy_query *query; /* owned */
        enum pwhy_format format;
        enum colour colour;
        int64_t watch_ns; /* time between two looks; 0: look once */
        const char *proc; /* the recorded tree; NULL: this machine */
        const char *text; /* file of pasted stacks, "-": standard input; NULL: none */
        bool svg;         /* the graph as a picture: what is rendered goes through dot(1) */
        /* For the check of what goes together: */
        bool all, idle, json, raw, threads, of_users, no_user, no_kernel;
        bool graph, root, deadlocks, dot;
        unsigned n_filters, n_targets;
};

/*
 * Does not return on --help, --version, --usage (exit status 0) and when the arguments are
 * wrong (STATUS_USAGE): argp has said what is the matter. Otherwise 0 or a negative errno.
 */
int options_parse(int argc, char **argv, struct options *ret_options);
void options_done(struct options *o);
