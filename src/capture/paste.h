/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The source "text": stacks that somebody copied out of a terminal or a log.
 *
 * Understood are /proc/PID/stack of any kernel, alone or named by head, grep or pwhy --raw,
 * and the kernel's log with the tasks that SysRq-t, SysRq-w, the hung-task detector and the
 * lockup detectors print, whatever prefix a logger gave its lines.
 *
 * A text tells what it tells: what is not in it (fds, peers, users) stays unknown, and a line
 * that may belong to another task than the one before it belongs to none.
 */
#pragma once

#include <stddef.h>

struct snapshot;

/* Read of a text; what is beyond is a gap. */
#define PASTE_MAX ((size_t)64 << 20)

/* Adds the tasks of a text to the snapshot, and facts about its host. 0 or -ENOMEM. */
int paste_read(struct snapshot *s, const char *text, size_t len);
