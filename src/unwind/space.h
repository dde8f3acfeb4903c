/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code of one process: from an address to a mapping, its file, and the row of CFI there. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "unwind/maps.h"
#include "unwind/walk.h"

struct arch;
struct memory;
struct module;
struct modules;
struct procio;
struct watch;

#define SPACE_CACHE 1024U

struct space {
        struct maps maps;
        struct modules *modules;
        struct module **opened; /* of each mapping; NULL: not asked yet, or none */
        bool *asked;
        int dir;
        pid_t pid;
        pid_t tid; /* whom the kernel is asked for the memory */
        const struct arch *arch;
        struct {
                uint64_t address;
                struct code code;
        } * cache; /* thousands of threads are in the same few places */
};

/* 0, or as maps_read(). */
int space_init(struct space *s, struct procio *io, struct watch *watch, struct modules *modules,
        int dir, const struct process *p);
void space_done(struct space *s);

/* The walk's code_source. */
void space_find(void *arg, uint64_t address, struct code *ret_code);
/*
 * Want the rows of whatever looks like a return address in a stack, in files that are known
 * already. Most are, and are had so with one question instead of one each.
 */
void space_guess(struct space *s, const struct memory *m, uint64_t sp, unsigned word);
/* What is at an address: ret_map NULL: no code; ret_module NULL: of no file. True: in a file,
 * at *ret_address of its own addresses. */
bool space_place(struct space *s, uint64_t address, const struct map **ret_map,
        struct module **ret_module, uint64_t *ret_address);
