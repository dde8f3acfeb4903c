/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of code that was made at run time, from /tmp/perf-PID.map: what JITs write for perf(1)
 * (Java with an agent or -XX:+DumpPerfMapAtExit, Node with --perf-basic-prof, Python 3.12 with
 * -X perf, and others). The file is the target's, and anybody may write into /tmp: what is not a
 * regular file of the process's user or of root is not read, and lines may be anything.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena;
struct process;
struct watch;

struct perfmap_name {
        uint64_t address;
        const char *symbol; /* in the arena; NULL: not found */
        uint64_t offset;    /* of the address in it */
};

/* "7f2e3c001000 1a0 LazyCompile:~main app.js:1", without newline. 0 or -EINVAL. */
int perfmap_parse(char *line, uint64_t *ret_start, uint64_t *ret_size, const char **ret_symbol);

/*
 * Find the names of addresses, which are ascending. dir: of the process. What is written last
 * counts, since code is thrown away and others takes its place. 0, or why there is no file:
 * -ENOENT, -EPERM (not to be trusted), -ETIMEDOUT (hung before) …
 */
int perfmap_find(struct watch *watch, struct arena *arena, const struct process *p, int dir,
        struct perfmap_name *names, size_t n);
