/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One module of a target inside the ELF server: its file, the debug files given for it, and
 * what has been read of them. Everything is read when it is first asked for.
 *
 * This side is where hostile bytes meet libelf and libdw: it is written to be total, and it may
 * crash all the same. It never opens a file.
 */
#pragma once

#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbol/elfserver.h"

struct cuset;
struct symtab;

struct image { /* an opened file */
        Elf *elf;
        Dwarf *dwarf;
        bool dwarf_tried;
        int fd;       /* -1: in memory */
        void *memory; /* what it is in, if that is ours */
        uint16_t machine, type;
};

struct cfi_table {
        Dwarf_CFI *cfi; /* NULL: there is none, or not tried */
        bool tried;
        int no_match; /* libdw's error number for "no row" */
};

struct module {
        struct image main, debug, alt, mini; /* elf NULL: not there */
        struct elf_facts facts;
        bool mini_tried;
        struct cfi_table eh_frame, debug_frame;
        struct signing *signing; /* arm64: which return addresses are signed; NULL: none */
        struct symtab *symbols;  /* of all images; NULL: not read yet */
        struct symtab *exported; /* .dynsym of the file itself */
        struct cuset *units;
        size_t n_asked; /* addresses, while there is no table of all symbols */
        bool go_tried, is_go;
        int64_t until_ns; /* CLOCK_MONOTONIC: when the request in hand has to be done */
};

/* The fd is the module's from here on. -ENOEXEC, -ENOMEM. */
int module_open(struct module *m, int fd);
/* The same from memory, which stays the caller's. */
int module_open_memory(struct module *m, void *image, size_t size);
void module_close(struct module *m);

/* -ESTALE: of another build. */
int module_debug(struct module *m, enum elf_debug kind, int fd, struct elf_facts *ret_facts);

/* DWARF of the module, from wherever it is; NULL: none. */
Dwarf *module_dwarf(struct module *m);

/*
 * Give back all memory: of each file, what was looked at stays mapped, and its DWARF takes
 * megabytes. Before it is asked about again it has to be woken. -ENOEXEC: its file has changed.
 */
void module_rest(struct module *m);
int module_wake(struct module *m);

/* What .gnu_debugdata holds, decompressed; NULL: none. */
Elf *module_mini(struct module *m);

bool module_late(const struct module *m); /* the request's time is over */

/* A section by name; NULL: none. */
Elf_Scn *image_section(Elf *elf, const char *name, GElf_Shdr *ret_header);
