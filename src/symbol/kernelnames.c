/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See kernelnames.h. */
#include "symbol/kernelnames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct name {
        uint64_t address;
        UT_hash_handle hh;
        char text[];
};

struct kernelnames {
        struct kernelnames_ops ops;
        struct name *names;
        uint64_t wanted[KERNELNAMES_BATCH];
        size_t n_wanted;
};

int kernelnames_new(const struct kernelnames_ops *ops, struct kernelnames **ret_names)
{
        struct kernelnames *k = calloc(1, sizeof(*k));

        if (!k)
                return -ENOMEM;
        k->ops = *ops;
        *ret_names = k;
        return 0;
}

void kernelnames_free(struct kernelnames *k)
{
        struct name *n, *next;

        if (!k)
                return;
        HASH_ITER(hh, k->names, n, next)
        {
                HASH_DEL(k->names, n);
                free(n);
        }
        free(k);
}

static struct name *name_get(struct kernelnames *k, uint64_t address)
{
        struct name *n;

        HASH_FIND(hh, k->names, &address, sizeof(address), n);
        return n;
}

static int name_add(struct kernelnames *k, uint64_t address, const char *text)
{
        size_t len = strlen(text);
        struct name *n = name_get(k, address);

        if (n)
                return 0; /* it was wanted twice */
        n = malloc(sizeof(*n) + len + 1);
        if (!n)
                return -ENOMEM;
        n->address = address;
        memcpy(n->text, text, len + 1);
        HASH_ADD(hh, k->names, address, sizeof(n->address), n);
        return 0;
}

static int wanted_ask(struct kernelnames *k)
{
        const char *texts[KERNELNAMES_BATCH];
        int r;

        if (!k->n_wanted)
                return 0;
        r = k->ops.ask(k->ops.arg, k->wanted, k->n_wanted, texts);
        for (size_t i = 0; i < k->n_wanted && r == 0; i++)
                r = name_add(k, k->wanted[i], texts[i]);
        k->n_wanted = 0;
        return r;
}

int kernelnames_want(struct kernelnames *k, const uint64_t *addresses, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                int r = 0;

                if (name_get(k, addresses[i]))
                        continue;
                k->wanted[k->n_wanted++] = addresses[i];
                if (k->n_wanted == KERNELNAMES_BATCH)
                        r = wanted_ask(k);
                if (r < 0)
                        return r;
        }
        return wanted_ask(k);
}

const char *kernelnames_find(struct kernelnames *k, uint64_t address)
{
        struct name *n = name_get(k, address);

        if (!n && kernelnames_want(k, &address, 1) == 0)
                n = name_get(k, address);
        return n ? n->text : NULL;
}
