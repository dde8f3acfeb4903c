/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A module from the inside: for modules.c, which makes them, and module.c, which keeps them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "symbol/elfserver.h"

struct module_key {
        uint64_t device, inode, size, changed_ns;
};

struct name {
        uint64_t address;
        struct elf_name name;
        UT_hash_handle hh;
};

struct addresses {
        uint64_t *list;
        size_t n, size;
};

struct module {
        struct module_key key;
        unsigned id;
        int error; /* 0: usable; see elfserver_why() */
        const char *why;
        struct elf_facts *facts;
        const char *build_id;
        bool without_lines;
        struct cfi_row **rows; /* ascending by start, without overlap */
        size_t n_rows, rows_size;
        struct name *names;
        struct addresses wanted, unnamed;
        struct module *next;
        UT_hash_handle hh;
};

void module_free(struct module *m);
/* why NULL: it is no ELF file, which is no gap. */
void module_fail(struct module *module, int error, const char *why);

#define MODULE_BATCH 256U /* addresses in one request; room for so many answers is lent */
/* Fetch what was wanted. -ENOMEM, or what is the matter with the module. */
int module_fetch_rows(struct module *module, struct elfserver *server, struct cfi_row *rows);
int module_fetch_names(struct module *module, struct elfserver *server, struct arena *arena,
        struct elf_name *names);
