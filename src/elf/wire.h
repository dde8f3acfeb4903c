/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the ELF server and its client say to each other, over a stream socket: one request, one
 * answer. Fixed-width types only; both are built together, and WIRE_VERSION is compared all the
 * same, since an installed helper may be older. An fd comes with the header of a request.
 */
#pragma once

#include <stdint.h>

#include "symbol/elfserver.h"

#define WIRE_VERSION 1
#define WIRE_FD 3                  /* the socket's number in the server */
#define WIRE_ADDRESSES_MAX 256     /* of one request */
#define WIRE_ANSWER_MAX (16 << 20) /* bytes after the header of an answer */
#define WIRE_MODULES_MAX 16384
#define WIRE_NONE UINT32_MAX /* no string */

enum wire_op {
        WIRE_HELLO = 1, /* not asked for: the server's first word, struct wire_hello */
        WIRE_ADD,       /* with an fd: struct elf_facts */
        WIRE_DEBUG,     /* with an fd; flags: enum elf_debug: struct elf_facts */
        WIRE_ROWS,      /* addresses: as many struct cfi_row */
        WIRE_NAMES,     /* addresses; flags: enum elf_names: struct wire_names and what follows */
};

struct wire_request {
        uint32_t op;
        uint32_t module;
        uint32_t flags;
        uint32_t n; /* addresses that follow */
        uint64_t patience_ns;
};

struct wire_answer {
        uint32_t op;
        int32_t result; /* 0 or a negative errno, then without anything behind it */
        uint32_t n;
        uint32_t length; /* bytes that follow */
};

enum wire_sandbox { /* what the server has given up */
        WIRE_SANDBOX_USER = 1,
        WIRE_SANDBOX_CAPS = 2,
        WIRE_SANDBOX_LIMITS = 4,
        WIRE_SANDBOX_SECCOMP = 8,
};

struct wire_hello {
        uint32_t version;
        uint32_t sandbox; /* bits of enum wire_sandbox */
};

/* Followed by n struct wire_name, n_inlined struct wire_inlined, and the strings. */
struct wire_names {
        uint32_t n;
        uint32_t n_inlined;
        uint32_t n_bytes; /* of the strings, each NUL-terminated; others name them by position */
        uint32_t reserved;
};

struct wire_name {
        uint64_t offset, size;
        uint32_t function, symbol, exported, file; /* WIRE_NONE: none */
        uint32_t line;
        uint32_t inlined, n_inlined; /* the first of them, and how many */
        uint32_t reserved;
};

struct wire_inlined {
        uint32_t function, file, line;
        uint32_t reserved;
};
