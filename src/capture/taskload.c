/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs come as light skeletons (bpftool gen skeleton -L): the kernel itself relocates them,
 * so that no library is needed at run time, and none of the kernel's 5 MB of types is read. The
 * skeletons look the same but for their names.
 */
#include "capture/taskload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-declarations"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wpointer-arith"
#include "nested.lskel.h"
#include "registers.lskel.h"
#include "stacks.lskel.h"
#include "task.lskel.h"
#pragma GCC diagnostic pop

#define DEFINE_LOAD(skeleton, name_fd)                                                             \
        static void skeleton##_free(void *s)                                                       \
        {                                                                                          \
                skeleton##__destroy(s);                                                            \
        }                                                                                          \
                                                                                                   \
        static int skeleton##_load(const struct taskload_options *o, struct taskload *ret)         \
        {                                                                                          \
                struct skeleton *s = skeleton##__open();                                           \
                int r;                                                                             \
                                                                                                   \
                if (!s)                                                                            \
                        return -ENOMEM;                                                            \
                s->maps.slots.max_entries = o->n_slots;                                            \
                s->rodata->remembers = o->remembers;                                               \
                s->rodata->filtered = o->filtered;                                                 \
                s->bss->settings = o->settings;                                                    \
                r = skeleton##__load(s);                                                           \
                if (r < 0) {                                                                       \
                        skeleton##__destroy(s);                                                    \
                        return r;                                                                  \
                }                                                                                  \
                *ret = (struct taskload){                                                          \
                        .program = s,                                                              \
                        .dump = s->progs.dump.prog_fd,                                             \
                        .name = name_fd,                                                           \
                        .slots = s->maps.slots.map_fd,                                             \
                        .settings = &s->bss->settings,                                             \
                        .names = &s->bss->names,                                                   \
                        .free = skeleton##_free,                                                   \
                };                                                                                 \
                return 0;                                                                          \
        }

DEFINE_LOAD(taskprog, s->progs.name.prog_fd)
DEFINE_LOAD(nestedprog, s->progs.name.prog_fd)
DEFINE_LOAD(stacksprog, s->progs.name.prog_fd)
DEFINE_LOAD(registersprog, -1)

int taskload_new(const struct taskload_options *options, struct taskload *ret)
{
        if (options->nested) /* whatever is wanted: it tells more, which does no harm */
                return nestedprog_load(options, ret);
        switch (options->kind) {
        case WIRE_KIND_STACKS:
                return stacksprog_load(options, ret);
        case WIRE_KIND_REGISTERS:
                return registersprog_load(options, ret);
        default:
                return taskprog_load(options, ret);
        }
}

void taskload_done(struct taskload *load)
{
        if (load->program)
                load->free(load->program);
        load->program = NULL;
}
