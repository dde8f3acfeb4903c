/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which userfaultfd gets the faults of a process, no file tells: there may be several with faults
 * that wait. A program inside the kernel sees all of them, and whose memory each serves. It is
 * asked once a snapshot, and only if a thread waits so. Its numbers are those of the first PID
 * namespace.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "capture/bpf/filewire.h"
#include "capture/fileiter.h"
#include "resolve/fdscan.h"
#include "resolve/peers.h"
#include "resolve/resolver.h"

#define USERFAULTS_MAX 65536

struct userfaults {
        struct wire_userfault *all;
        size_t n, room;
        bool told; /* all of them are there */
};

static void userfault_add(void *arg, const struct wire_userfault *one)
{
        struct userfaults *u = arg;

        if (u->n == u->room) {
                size_t room = u->room ? 2 * u->room : 64;
                struct wire_userfault *all =
                        room > USERFAULTS_MAX ? NULL : reallocarray(u->all, room, sizeof(*u->all));

                if (!all) {
                        u->told = false;
                        return;
                }
                u->all = all;
                u->room = room;
        }
        u->all[u->n++] = *one;
}

static const struct userfaults *userfaults_ask(struct peers *p)
{
        struct fileiter *files = NULL;
        struct userfaults *u = p->userfaults;

        if (u)
                return u;
        u = p->userfaults = calloc(1, sizeof(*u));
        if (!u || fileiter_new(&files) < 0)
                return u;
        u->told = true;
        if (fileiter_userfaults(files, userfault_add, u) < 0)
                u->told = false;
        fileiter_free(files);
        return u;
}

bool peer_userfault(struct peers *p, const struct thread *t, struct ends *e)
{
        const struct userfaults *u = p->scan->blind ? NULL : userfaults_ask(p);
        uint64_t context = 0;

        if (!u || !u->told)
                return false;
        for (size_t i = 0; i < u->n; i++) {
                if (u->all[i].serves != t->process->pid)
                        continue;
                /* Each serves a part of its memory. */
                if (context && context != u->all[i].context)
                        return false;
                context = u->all[i].context;
        }
        e->whole = true;
        for (size_t i = 0; i < u->n; i++)
                if (context && u->all[i].context == context)
                        ends_add(p, e, u->all[i].pid, ROLE_SERVER);
        return e->n > 0;
}

void peer_userfault_done(struct peers *p)
{
        if (p->userfaults)
                free(p->userfaults->all);
        free(p->userfaults);
        p->userfaults = NULL;
}
