/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the command says besides its output: exit statuses, why it stopped, what it did not
 * find. The library does not print, so that every word on stderr comes from here or argp.
 */
#pragma once

#include <stdio.h>

struct options;
struct pwhy_snapshot;

/* Promised by --help and pwhy(1). */
enum status {
        STATUS_SHOWN = 0,   /* all that was asked for */
        STATUS_NOTHING = 1, /* no thread matches */
        STATUS_USAGE = 2,   /* the arguments are wrong, nothing was looked at */
        STATUS_PARTLY = 3,  /* less than was asked for, or stopped underway */
        STATUS_DEADLOCK = 4 /* a deadlock was found; before all others */
};

/* Say why the library stopped (a negative errno) and what to do. Returns the exit status. */
enum status report_stop(const struct options *o, int error);

/* Say why the text of --explain-stack cannot be read (a negative errno). */
enum status report_text(const char *file, int error);

/* Say, once, that stdout did not take the output; silent when its reader has left. */
enum status report_output(int error);

/* Targets without a match, one sentence a line. */
void report_unmatched(
        const struct options *o, const struct pwhy_snapshot *s, const char *prefix, FILE *out);

/* What could not be had, one sentence a line: where the format has no place for it. */
void report_gaps(const struct pwhy_snapshot *s, const char *prefix, FILE *out);

/* The exit status that a snapshot deserves. */
enum status report_status(const struct options *o, const struct pwhy_snapshot *s);
