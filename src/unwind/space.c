/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unwind/space.h"

#include <errno.h>
#include <stdlib.h>

#include "unwind/arch.h"
#include "unwind/memory.h"
#include "unwind/modules.h"
#include "unwind/row.h"

#define GUESS_WORDS 256U

int space_init(struct space *s, struct procio *io, struct watch *watch, struct modules *modules,
        int dir, const struct process *p)
{
        int r;

        *s = (struct space){
                .modules = modules, .dir = dir, .pid = p->pid, .tid = process_memory_tid(p)
        };
        r = maps_read(io, watch, dir, p->pid, &s->maps);
        if (r < 0)
                return r;
        s->opened = calloc(s->maps.n + 1, sizeof(struct module *));
        s->asked = calloc(s->maps.n + 1, sizeof(*s->asked));
        s->cache = calloc(SPACE_CACHE, sizeof(*s->cache));
        if (!s->opened || !s->asked || !s->cache) {
                space_done(s);
                return -ENOMEM;
        }
        return 0;
}

void space_done(struct space *s)
{
        maps_done(&s->maps);
        free(s->opened);
        free(s->asked);
        free(s->cache);
        *s = (struct space){ 0 };
}

bool space_place(struct space *s, uint64_t address, const struct map **ret_map,
        struct module **ret_module, uint64_t *ret_address)
{
        const struct map *map = maps_find(&s->maps, address);
        size_t i = map ? (size_t)(map - s->maps.maps) : 0;

        *ret_map = map;
        *ret_module = NULL;
        if (!map)
                return false;
        if (!s->asked[i]) {
                s->asked[i] = true;
                s->opened[i] = modules_open(s->modules, s->dir, s->pid, map);
        }
        *ret_module = s->opened[i];
        return s->opened[i] &&
               module_address(s->opened[i], address - map->start + map->offset, ret_address);
}

static void code_find(struct space *s, uint64_t address, struct code *ret)
{
        const struct cfi_row *row;
        const struct map *map;
        struct module *module;
        uint64_t at;
        bool placed = space_place(s, address, &map, &module, &at);

        *ret = (struct code){ .state = CODE_NOWHERE };
        if (!map)
                return;
        ret->state = CODE_UNUSABLE;
        if (module && module_why(module))
                return;
        /* A program of another machine under an emulator: not what the registers are of. */
        if (module && module_machine(module) && module_machine(module) != s->arch->machine)
                return;
        ret->state = CODE_WITHOUT;
        if (!placed || !module_is_elf(module))
                return;
        row = module_row(module, at);
        if (!row) {
                ret->state = CODE_WANTED;
        } else if (row->status == CFI_ROW) {
                ret->state = CODE_ROW;
                ret->row = row;
                ret->bias = address - at;
        } else if (row->status != CFI_NONE) {
                ret->state = CODE_UNUSABLE;
        }
}

void space_guess(struct space *s, const struct memory *m, uint64_t sp, unsigned word)
{
        for (unsigned i = 0; i < GUESS_WORDS; i++) {
                const struct map *map;
                uint64_t value, at;
                size_t index;

                if (memory_read(m, sp + (uint64_t)i * word, word, &value) != 0)
                        return;
                map = value ? maps_find(&s->maps, value - 1) : NULL;
                index = map ? (size_t)(map - s->maps.maps) : 0;
                if (!map || !s->opened[index])
                        continue;
                if (module_machine(s->opened[index]) == s->arch->machine &&
                        module_address(s->opened[index], value - 1 - map->start + map->offset, &at))
                        module_row(s->opened[index], at);
        }
}

void space_find(void *arg, uint64_t address, struct code *ret_code)
{
        struct space *s = arg;
        size_t slot = (address ^ address >> 10) % SPACE_CACHE;

        if (s->cache[slot].address == address && s->cache[slot].code.state != CODE_NOWHERE) {
                *ret_code = s->cache[slot].code;
                return;
        }
        code_find(s, address, ret_code);
        if (ret_code->state == CODE_WANTED)
                return;
        s->cache[slot].address = address;
        s->cache[slot].code = *ret_code;
}
