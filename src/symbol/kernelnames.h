/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of kernel addresses, asked of the kernel itself and kept: a whole machine sleeps at a few
 * hundred of them, of the two hundred thousand in /proc/kallsyms.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct kernelnames;

/* ask: texts for n addresses, at most KERNELNAMES_BATCH, which last until it is called again. */
#define KERNELNAMES_BATCH 8
struct kernelnames_ops {
        int (*ask)(void *arg, const uint64_t *addresses, size_t n, const char *ret_texts[]);
        void *arg;
};

int kernelnames_new(const struct kernelnames_ops *ops, struct kernelnames **ret_names);
void kernelnames_free(struct kernelnames *k);

/* "inet_csk_accept+0x1f2/0x3b0", for as long as k lives. NULL: no memory, or the kernel failed. */
const char *kernelnames_find(struct kernelnames *k, uint64_t address);

/* Ask for all of these that are not known yet, so that finding them is a look-up. -errno. */
int kernelnames_want(struct kernelnames *k, const uint64_t *addresses, size_t n);
