/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that code is mapped from, opened as the process that maps them has them (deleted or
 * replaced meanwhile, in another mount namespace, without a path at all) and handed to the ELF
 * server. Each is asked for once, whichever processes map it, and its rows of CFI are kept.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbol/elfserver.h"

struct arena;
struct map;
struct module;
struct modules;
struct procio;
struct watch;

/* In shared memory: devices on which opening a file hung. */
#define DEAD_MAX 32
struct dead_devices {
        uint64_t opening; /* device number + 1 of the file that is being opened; 0: none */
        uint64_t dead[DEAD_MAX];
        size_t n;
};

/* budget_ns: for downloads, if any are wanted. */
int modules_new(struct procio *io, struct watch *watch, struct elfserver *server,
        struct arena *arena, struct dead_devices *dead, int64_t budget_ns,
        struct modules **ret_modules);
void modules_free(struct modules *m);
void modules_without_lines(struct modules *m); /* from here on */

/*
 * The module of a mapping; NULL: it is of no file, or no memory. dir is the process's. The
 * module may turn out to be unusable at any time, see below.
 */
struct module *modules_open(struct modules *m, int dir, pid_t pid, const struct map *map);

/* Why nothing can be told of it; NULL: it is usable, or no ELF file (then it is not a gap). */
const char *module_why(const struct module *m);
bool module_is_elf(const struct module *m);
uint16_t module_machine(const struct module *m);     /* EM_…; 0: not known */
const char *module_build_id(const struct module *m); /* hexadecimal; NULL: none */
unsigned module_id(const struct module *m);

/* From an offset in the file to an address in it. False: no segment of code is there. */
bool module_address(const struct module *m, uint64_t offset, uint64_t *ret_address);

/* The row for an address of the file; NULL: not there yet, and noted as wanted. */
const struct cfi_row *module_row(struct module *m, uint64_t address);

/* Fetch all rows that were wanted. 0 or -ENOMEM. */
int modules_fetch(struct modules *m);

/*
 * Names of addresses of the file; asked for once. NULL: not there yet, and noted as wanted.
 * After modules_fetch_names() it is there; function may be NULL.
 */
const struct elf_name *module_name(struct module *m, uint64_t address);
int modules_fetch_names(struct modules *m);
