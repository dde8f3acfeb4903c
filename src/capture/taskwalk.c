/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See taskwalk.h; a light skeleton as in taskiter.c. */
#include "capture/taskwalk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-declarations"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wpointer-arith"
#include "walk.lskel.h"
#pragma GCC diagnostic pop

struct taskwalk {
        struct walkprog *program;
        struct wire_slot *slots;
        size_t n_slots;
};

int taskwalk_new(size_t n_slots, struct taskwalk **ret_walk)
{
        struct taskwalk *w = calloc(1, sizeof(*w));
        int r = -ENOMEM;

        if (!w)
                return r;
        w->n_slots = n_slots;
        w->slots = MAP_FAILED;
        w->program = walkprog__open();
        if (w->program) {
                w->program->maps.slots.max_entries = (uint32_t)n_slots;
                w->program->bss->walk.slots_mask = (uint32_t)n_slots - 1;
                r = walkprog__load(w->program);
        }
        if (r >= 0) {
                w->slots = mmap(NULL, n_slots * sizeof(*w->slots), PROT_READ | PROT_WRITE,
                        MAP_SHARED, w->program->maps.slots.map_fd, 0);
                if (w->slots == MAP_FAILED)
                        r = -errno;
        }
        if (r < 0) {
                taskwalk_free(w);
                return r;
        }
        *ret_walk = w;
        return 0;
}

void taskwalk_free(struct taskwalk *w)
{
        if (!w)
                return;
        if (w->slots != MAP_FAILED)
                munmap(w->slots, w->n_slots * sizeof(*w->slots));
        if (w->program)
                walkprog__destroy(w->program);
        free(w);
}

struct wire_slot *taskwalk_slots(struct taskwalk *w)
{
        return w->slots;
}

int taskwalk_fd(const struct taskwalk *w)
{
        return w->program->progs.ran.prog_fd;
}

int taskwalk_run(struct taskwalk *w, uint32_t pass, size_t *ret_same, const int32_t **ret_tids,
        size_t *ret_n)
{
        struct wire_walk *walk = &w->program->bss->walk;
        union bpf_attr attr;

        memset(&attr, 0, sizeof(attr));
        attr.test.prog_fd = (uint32_t)taskwalk_fd(w);
        walk->pass = pass;
        walk->n_ran = walk->n_same = 0;
        if (syscall(SYS_bpf, BPF_PROG_RUN, &attr, sizeof(attr)) < 0)
                return -errno;
        if (walk->n_ran > WIRE_RAN_MAX)
                return -E2BIG;
        *ret_same = walk->n_same;
        *ret_tids = walk->ran;
        *ret_n = walk->n_ran;
        return 0;
}
