/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text from a target on its way to a terminal or a JSON document. Names, arguments and
 * paths are hostile: control characters, escape sequences, invalid UTF-8, any length.
 */
#pragma once

#include <stddef.h>

struct arena;

/*
 * Copy of text in which nothing can act on a terminal: control characters (C0, DEL, C1
 * as UTF-8), bidirectional overrides, line and paragraph separators, bytes that are not
 * UTF-8 become \n, \t, \e, \xNN or \u{NNNN}; a backslash becomes \\. At most max bytes
 * of the source are looked at; when there is more, the copy ends with "…". Lives in the
 * arena; NULL for NULL or without memory.
 */
const char *escape_text(struct arena *a, const char *text, size_t len, size_t max);

/*
 * Copy that is valid UTF-8 and otherwise unchanged, for JSON (whose writer escapes control
 * characters itself): each invalid byte becomes \xNN as text; bounded like above.
 */
const char *escape_utf8(struct arena *a, const char *text, size_t len, size_t max);

#define ESCAPE_NAME_MAX 256
#define ESCAPE_PATH_MAX 1024
#define ESCAPE_ARG_MAX 4096
