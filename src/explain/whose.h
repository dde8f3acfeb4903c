/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owners in a sentence. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct object;
struct thread;

/*
 * Words of sentences: {whose} ("the lock of cron (12)"), {by} (" by cron (12)", or nothing), {held}
 * (", held by flusher (thread 812)", or nothing), {joined} ("flusher (thread 812)"). False: none
 * of them.
 */
#define WHOSE_TEXT_MAX 400
bool whose_word(const char *word, size_t len, const struct thread *t, const struct object *o,
        char ret_text[static WHOSE_TEXT_MAX]);
