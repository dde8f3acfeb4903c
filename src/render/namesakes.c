/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See namesakes.h. A command line says which of twenty workers it is: "postgres: me db [local]
 * UPDATE waiting" is one whole argument, "python3 app.py" two.
 */
#include "render/namesakes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/escape.h"
#include "model.h"
#include "render/page.h"

#define COMMAND_MAX 200 /* bytes, and the argument that exceeds them */

struct namesakes { /* of one name; the head stands for all */
        const char *comm;
        bool several;
        UT_hash_handle hh;
};

static bool process_shown(const struct process *p)
{
        for_each_thread(t, p)
                if (t->matched)
                        return true;
        return false;
}

int namesakes_new(const struct snapshot *s, struct namesakes **ret_namesakes)
{
        struct namesakes *all = NULL;

        for_each_process(p, s) {
                struct namesakes *n;
                size_t len = p->comm ? strlen(p->comm) : 0;

                /* Kernel threads have no command line that could tell them apart. */
                if (!len || !p->n_cmdline || !process_shown(p))
                        continue;
                HASH_FIND(hh, all, p->comm, len, n);
                if (n) {
                        n->several = true;
                        continue;
                }
                n = calloc(1, sizeof(*n));
                if (!n) {
                        namesakes_free(all);
                        return -ENOMEM;
                }
                n->comm = p->comm;
                HASH_ADD_KEYPTR(hh, all, n->comm, len, n);
        }
        *ret_namesakes = all;
        return 0;
}

void namesakes_free(struct namesakes *all)
{
        struct namesakes *n, *next;

        HASH_ITER(hh, all, n, next)
        {
                HASH_DEL(all, n);
                free(n);
        }
}

bool namesakes_has(const struct namesakes *all, const struct process *process)
{
        struct namesakes *n = NULL;

        if (process->comm && process->n_cmdline)
                HASH_FIND(hh, all, process->comm, strlen(process->comm), n);
        return n && n->several;
}

const char *command_words(struct page *p, const struct process *process)
{
        const char *words = "";

        for (size_t i = 0; i < process->n_cmdline; i++) {
                if (strlen(words) > COMMAND_MAX)
                        return page_join(p, words, " …", NULL);
                words = page_join(p, words, i ? " " : "",
                        page_safe(p, process->cmdline[i], COMMAND_MAX), NULL);
        }
        if (process->cmdline_truncated)
                words = page_join(p, words, " …", NULL);
        return *words ? words : NULL;
}
