/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debug files from servers, for those who have set DEBUGINFOD_URLS; for nobody else. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct debuginfod;
struct watch;

/*
 * NULL: the variable is not set, or libdebuginfod is not there. All downloads together take
 * at most budget_ns; the watch gets its beat meanwhile.
 */
struct debuginfod *debuginfod_new(struct watch *watch, int64_t budget_ns);
void debuginfod_free(struct debuginfod *d);

/* An fd of the debug file of a build, or a negative errno. pid: for whom, if it hangs. */
int debuginfod_open(struct debuginfod *d, pid_t pid, const uint8_t *build_id, unsigned n);
