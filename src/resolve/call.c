/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arguments are found by the letters of the call's description, so a call that is in the table
 * needs nothing here. What a letter cannot say is in timeout.c and children.c.
 */
#include "resolve/call.h"

#include <poll.h>
#include <string.h>

#include "base/arena.h"
#include "model.h"
#include "resolve/children.h"
#include "resolve/resolver.h"
#include "resolve/syscall.h"
#include "resolve/timeout.h"

#define FD_SET_MAX 65536 /* fds of a select looked at, as many as callmem.c reads */

struct object *call_object_new(struct resolver *r, const char *kind)
{
        struct object *o = arena_new_one(resolver_snapshot(r)->arena, struct object);

        if (o) {
                o->fd = -1;
                o->kind = kind;
        }
        return o;
}

static void members_set(
        struct resolver *r, struct object *o, const struct member *members, size_t n, size_t hidden)
{
        o->members = arena_dup(resolver_snapshot(r)->arena, members, n * sizeof(*members));
        o->n_members = o->members ? n : 0;
        o->n_members_hidden = hidden;
}

static bool member_make(struct resolver *r, int fd, uint32_t events, struct member *ret)
{
        struct object *o = resolver_fd(r, fd);

        if (!o) {
                o = call_object_new(r, NULL);
                if (!o)
                        return false;
                o->fd = fd;
        }
        *ret = (struct member){ o, events };
        return true;
}

/* struct pollfd { int fd; short events, revents; }: the same in every ABI */
static struct object *poll_set(struct resolver *r, const struct call_memory *m, size_t passed)
{
        struct object *o = call_object_new(r, "poll-set");
        struct member members[MEMBERS_MAX];
        size_t n = 0, hidden = 0;

        for (size_t i = 0; o && m->bytes && i + sizeof(struct pollfd) <= m->len;
                i += sizeof(struct pollfd)) {
                struct pollfd p;

                memcpy(&p, (const char *)m->bytes + i, sizeof(p));
                if (p.fd < 0)
                        continue;
                if (n == MEMBERS_MAX)
                        hidden++;
                else if (member_make(r, p.fd, (uint16_t)p.events, &members[n]))
                        n++;
        }
        if (o) {
                members_set(r, o, members, n, hidden);
                o->partial = passed > m->len / sizeof(struct pollfd);
        }
        return o;
}

static bool set_has(const struct call_memory *m, size_t fd)
{
        return m->bytes && fd / 8 < m->len && ((const uint8_t *)m->bytes)[fd / 8] >> (fd % 8) & 1;
}

/* Three sets of bits; little-endian, so that bytes can be looked at one by one. */
static struct object *select_set(struct resolver *r, const struct call *c)
{
        static const uint32_t events[] = { POLLIN, POLLOUT, POLLPRI };
        struct object *o = call_object_new(r, "poll-set");
        struct member members[MEMBERS_MAX];
        size_t n = 0, hidden = 0, n_fds = (uint32_t)c->args[0];

        for (size_t fd = 0; o && fd < n_fds && fd < FD_SET_MAX; fd++) {
                uint32_t wanted = 0;

                for (int i = 0; i < 3; i++) {
                        int arg = syscall_arg(c->desc, 'e', i);

                        if (arg >= 0 && set_has(&c->memory[arg], fd))
                                wanted |= events[i];
                }
                if (!wanted)
                        continue;
                if (n == MEMBERS_MAX)
                        hidden++;
                else if (member_make(r, (int)fd, wanted, &members[n]))
                        n++;
        }
        if (o)
                members_set(r, o, members, n, hidden);
        if (o)
                o->partial = n_fds > FD_SET_MAX;
        return o;
}

static struct object *futex_object(struct resolver *r, const struct call *c, int arg)
{
        struct object *o = call_object_new(r, "futex");

        if (!o)
                return NULL;
        o->address = c->args[arg];
        o->has_address = true;
        if (c->memory[arg].len >= sizeof(o->word)) {
                memcpy(&o->word, c->memory[arg].bytes, sizeof(o->word));
                o->has_word = true;
        }
        return o;
}

static struct object *path_object(struct resolver *r, const struct call_memory *m)
{
        struct object *o = call_object_new(r, NULL);

        if (o && m->bytes)
                o->path = arena_strn(
                        resolver_snapshot(r)->arena, m->bytes, strnlen(m->bytes, m->len));
        return o;
}

static void objects_resolve(struct resolver *r, struct call *c)
{
        int poll = syscall_arg(c->desc, 'L', 0), set = syscall_arg(c->desc, 'e', 0);
        int fd = syscall_arg(c->desc, 'f', 0), fd2 = syscall_arg(c->desc, 'f', 1);
        int word = syscall_arg(c->desc, 'w', 0), path = syscall_arg(c->desc, 's', 0);

        if (poll >= 0) {
                /* Without its memory the set is not known, which is not an empty set. */
                if (c->memory[poll].bytes || !(uint32_t)c->args[poll + 1])
                        c->object = poll_set(r, &c->memory[poll], (uint32_t)c->args[poll + 1]);
        } else if (set >= 0) {
                if (!c->memory_refused)
                        c->object = select_set(r, c);
        } else if (word >= 0) {
                c->object = futex_object(r, c, word);
        } else if (fd >= 0) {
                c->object = resolver_fd(r, (int)c->args[fd]);
                if (fd2 >= 0)
                        c->object2 = resolver_fd(r, (int)c->args[fd2]);
        } else if (path >= 0) {
                c->object = path_object(r, &c->memory[path]);
        }
}

void call_resolve(struct resolver *r, struct thread *t)
{
        struct call *c = &t->call;

        if (c->state != CALL_INSIDE || !c->desc)
                return;
        if (call_is(c, "wait4|waitpid|waitid")) {
                children_read(r, t->process);
                c->object = children_object(r, c);
                return;
        }
        if (call_is(c, "pause|rt_sigsuspend|sigsuspend|rt_sigtimedwait|rt_sigtimedwait_time64"))
                c->object = children_signalling(r, t);
        else if (t->state == 'D' && call_is(c, "vfork|clone|clone3"))
                c->object = children_vforked(r, t);
        else
                objects_resolve(r, c);
        timeout_resolve(r, c);
}
