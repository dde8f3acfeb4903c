/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of addresses, as the answer to a request. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "elf/wire.h"

struct module;

struct answer { /* what follows the header of an answer; freed by the caller */
        void *bytes;
        size_t n;
};

/* -ENOMEM, -E2BIG. */
int names_answer(struct module *m, enum elf_names what, const uint64_t *addresses, size_t n,
        struct answer *ret_answer);
