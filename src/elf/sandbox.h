/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving up all that a parser of hostile files does not need. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/*
 * From here on this process can use the descriptors it has, take memory, answer, and end.
 * Returns bits of enum wire_sandbox, or a negative errno when it could not be made tight.
 * parent: with whom it ends.
 */
int sandbox_enter(pid_t parent);
