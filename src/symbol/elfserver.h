/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ELF server: a process without privileges that parses the files of targets.
 *
 * An ELF file of a target is hostile input for a big parser (libdw), and pwhy runs as root. So
 * a helper program of pwhy's is started, gives up all it may do (src/elf/sandbox.c), gets
 * opened files and answers with facts, rows and names. It cannot open anything. It is started
 * at the first request, from the worker, and ends with it.
 *
 * Each request has a deadline. A server that crashes or does not answer is killed, the module
 * it was asked about is bad from then on (every request: -EBADF), and the other modules are
 * given to a fresh server when they are next asked about. What it answers is bounded and
 * checked; strings are as hostile as the file they came from.
 *
 * Errors: -EBADF: this module is bad, ask nothing more of it. -ETIMEDOUT: bad, it did not
 * answer. -EIO: bad, the server died over it. -ENOEXEC: not an ELF file that can be used.
 * -EOPNOTSUPP: built without DWARF, or there is no helper program. -ENOMEM, -EMFILE.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwind/row.h"

struct arena;
struct elfserver;
struct watch;

/*
 * Nothing is started yet. While a request waits, watch (may be NULL) gets its beat, so that the
 * worker does not count as hanging: all waits together end after budget_ns, one after a
 * fraction of it.
 */
int elfserver_new(struct watch *watch, int64_t budget_ns, struct elfserver **ret_server);
void elfserver_free(struct elfserver *s);

/* Begin to start the helper, without waiting for it: it gets ready while other things are read. */
void elfserver_warm(struct elfserver *s);

#define ELF_BUILD_ID_MAX 64
#define ELF_SEGMENTS_MAX 64
#define ELF_LINK_MAX 512

struct elf_segment { /* PT_LOAD, ascending by address */
        uint64_t offset, address, file_size, memory_size;
        uint32_t flags; /* PF_X … */
        uint32_t reserved;
};

struct elf_facts {
        uint16_t machine; /* EM_X86_64 … */
        uint16_t type;    /* ET_EXEC, ET_DYN … */
        uint8_t class64;
        uint8_t has_symtab;
        uint8_t has_minidebug; /* .gnu_debugdata */
        uint8_t has_debug;     /* .debug_info with something in it */
        uint8_t has_eh_frame;
        uint8_t has_debug_frame;
        uint8_t n_build_id; /* 0: none */
        uint8_t n_alt_id;
        uint32_t n_segments;
        uint32_t link_crc;
        uint8_t build_id[ELF_BUILD_ID_MAX];
        uint8_t alt_id[ELF_BUILD_ID_MAX]; /* build ID of the dwz file */
        char link[ELF_LINK_MAX];          /* .gnu_debuglink; "": none */
        char alt[ELF_LINK_MAX];           /* .gnu_debugaltlink; "": none */
        struct elf_segment segments[ELF_SEGMENTS_MAX];
};

/*
 * An opened ELF file; may be a memfd with the image of a vDSO. The fd belongs to the server
 * from here on, also if this fails. id: small and dense, from 0. Facts may be NULL. A file that
 * cannot be used has no id.
 */
int elfserver_add(struct elfserver *s, int fd, unsigned *ret_id, struct elf_facts *ret_facts);

/*
 * A separate debug file, or the dwz file that this refers to, of a module. -ESTALE: it is of
 * another build (by build ID, else by the CRC of the debug link), and was not taken. Facts of
 * it may be NULL; alt[] there says which dwz file it wants.
 */
enum elf_debug { ELF_DEBUG, ELF_DEBUG_ALT };
int elfserver_debug(
        struct elfserver *s, unsigned id, enum elf_debug kind, int fd, struct elf_facts *ret_facts);

/* The row of each address (of the file's own), as they are in the file: pc - bias. */
int elfserver_rows(struct elfserver *s, unsigned id, const uint64_t *addresses, size_t n,
        struct cfi_row *ret_rows);

#define ELF_INLINED_MAX 64 /* of one address; the outermost are left out beyond that */

struct elf_inlined {          /* a function that was inlined here */
        const char *function; /* demangled; NULL: it has no name */
        const char *file;     /* where in it the address is */
        uint32_t line;        /* 0: not known */
};

struct elf_name {
        const char *function; /* demangled; NULL: no symbol covers it */
        const char *symbol;   /* the same as it is in the table, without "@VERSION" */
        const char *exported; /* .dynsym's name for the same place; NULL: none */
        uint64_t offset;      /* of the address in function */
        uint64_t size;        /* of function; 0: not known */
        const char *file;     /* where in function itself it is; NULL: not known */
        uint32_t line;
        uint32_t n_inlined;
        const struct elf_inlined *inlined; /* innermost first; all of them are in function */
};

enum elf_names { ELF_NAMES_SYMBOLS = 0, ELF_NAMES_LINES = 1 /* with file, line and inlined */ };

/*
 * The name of each address. Of a return address, ask about the byte before: the call's line is
 * wanted, and a call that does not return may be the last of its function; add one to offset.
 * Strings live in the arena. Functions are never NULL with inlined frames below them.
 */
int elfserver_names(struct elfserver *s, unsigned id, enum elf_names what,
        const uint64_t *addresses, size_t n, struct arena *arena, struct elf_name *ret_names);

/* "crashed", "did not answer", "is not a usable ELF file": why a module's error, for a gap. */
const char *elfserver_why(int error);
