/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The executable mappings of a process: which file, or what else, an address of code is in.
 *
 * Enters: /proc/PID/maps. Leaves: its executable lines, in order. Can go missing: all of it (the
 * process's memory is locked, or may not be looked at), or what is beyond the bounds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct procio;
struct watch;

struct map {
        uint64_t start, end;
        uint64_t offset; /* of its beginning in the file */
        uint32_t device_major, device_minor;
        uint64_t inode;   /* 0: no file */
        const char *name; /* "/usr/bin/x", "/usr/bin/x (deleted)", "[vdso]"; "": none */
};

struct maps {
        struct map *maps; /* ascending */
        size_t n, size;
        bool partial; /* there were more than the bounds allow */
};

/*
 * One line, without its newline; name points into it. Returns 1 if it is of an executable
 * mapping, 0 if of another one, -EINVAL if it is no line of maps.
 */
int map_parse(char *line, struct map *ret_map);

/* dir: of the process. 0, or -errno; -ETIMEDOUT: hung before. */
int maps_read(struct procio *io, struct watch *watch, int dir, pid_t pid, struct maps *ret_maps);
void maps_done(struct maps *m);

/* The mapping that an address is in; NULL: none that is executable. */
const struct map *maps_find(const struct maps *m, uint64_t address);
