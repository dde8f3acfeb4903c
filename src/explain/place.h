/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects and English of waits for a file system: the server, daemon or device behind it.
 *
 * A call's file is what a wait is about only if it is on such a file system: the functions on
 * the stack say which kind it is, the mount must agree.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "explain/rules.h"

struct arena;
struct object;
struct thread;

/* SUBJECT_PLACE: rule->made is "nfs" (any network file system), "fuse" or "directory" (autofs). */
struct object *place_object(struct arena *a, const struct rule *rule, const struct thread *t);

/* Is the call's open file, by its mount, on a network file system; on FUSE? Never UNSURE. */
enum truth when_on_remote(const struct thread *t);
enum truth when_on_fuse(const struct thread *t);

/*
 * Words of sentences: {server}, {daemon}, {automounter}, {device} (", on sda1", or nothing),
 * {for} (", for /mnt/x/file (fd 3)", or nothing). False: none of them.
 */
#define PLACE_TEXT_MAX 900
bool place_word(
        const char *word, size_t len, const struct object *o, char ret_text[static PLACE_TEXT_MAX]);

/* "filer:/export on /mnt/x type nfs4"; NULL: nothing known. */
const char *place_evidence(struct arena *a, const struct object *o);
