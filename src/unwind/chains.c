/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names are asked for once all chains of a process are known: for each address once, and for
 * each file in as few requests as there can be.
 */
#include "unwind/chains.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/arena.h"
#include "model.h"
#include "symbol/perfmap.h"
#include "unwind/arch.h"
#include "unwind/modules.h"
#include "unwind/space.h"
#include "unwind/walk.h"

#define FRAMES_MAX 400000U /* of a process, inlined ones included: what its arena may take */
#define DELETED " (deleted)"

struct chain {
        uint64_t hash;
        struct walk_frame *frames;
        size_t n, n_hidden;
        const char *end_text; /* that was given; NULL: the walk's own */
        const char *gap;      /* in the arena */
        struct user_stack *stack;
        struct chain *same_hash;
        int number;
        UT_hash_handle hh;
};

struct chains {
        struct arena *arena;
        struct chain *table;
        struct chain **list;
        size_t n, size;
        size_t n_frames;
        struct perfmap_name *made; /* code that was made at run time, ascending */
        size_t n_made, made_size;
};

int chains_new(struct arena *arena, struct chains **ret_chains)
{
        struct chains *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        c->arena = arena;
        *ret_chains = c;
        return 0;
}

void chains_free(struct chains *c)
{
        if (!c)
                return;
        HASH_CLEAR(hh, c->table);
        for (size_t i = 0; i < c->n; i++) {
                free(c->list[i]->frames);
                free(c->list[i]);
        }
        free(c->list);
        free(c->made);
        free(c);
}

/* Why it ends */

static const char *reg_name(const struct arch *arch, unsigned reg, char buffer[static 8])
{
        static const char *const x86_64[] = { "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp",
                "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip" };
        static const char *const i386[] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi",
                "eip" };

        if (arch == &arch_x86_64 && reg < sizeof(x86_64) / sizeof(*x86_64))
                return x86_64[reg];
        if (arch == &arch_i386 && reg < sizeof(i386) / sizeof(*i386))
                return i386[reg];
        if (reg == arch->sp)
                return "sp";
        buffer[0] = 'x';
        buffer[1] = reg >= 10 ? (char)('0' + reg / 10 % 10) : (char)('0' + reg);
        buffer[2] = reg >= 10 ? (char)('0' + reg % 10) : 0;
        buffer[3] = 0;
        return buffer;
}

static const char *end_unusable(struct chains *c, struct space *s, uint64_t address)
{
        const struct map *map;
        struct module *module;
        uint64_t at;

        space_place(s, address, &map, &module, &at);
        if (!map)
                return "its code is gone";
        if (module && module_why(module))
                return arena_printf(c->arena, "%s: %s", map->name, module_why(module));
        if (module && module_machine(module) && module_machine(module) != s->arch->machine)
                return "it is code of another kind of machine";
        return "the unwind information of this function cannot be used";
}

static const char *end_words(struct chains *c, struct space *s, const struct walk *w)
{
        char buffer[8];

        switch (w->end) {
        case END_OUTERMOST:
                return NULL;
        case END_REGISTER:
                return arena_printf(c->arena,
                        "its caller is found by register %s, which is not known",
                        reg_name(w->arch, (unsigned)w->wanted, buffer));
        case END_NOWHERE:
                return arena_printf(c->arena, "0x%llx is no code", (unsigned long long)w->wanted);
        case END_WITHOUT:
                return "this code has no unwind information, and keeps no frame pointer";
        case END_UNUSABLE:
                return end_unusable(c, s, w->wanted);
        case END_UNREADABLE:
                return arena_printf(c->arena,
                        "the stack cannot be read at 0x%llx, where it goes on",
                        (unsigned long long)w->wanted);
        case END_LOOP:
                return "it leads back into itself";
        case END_LIMIT:
                break;
        }
        return "it is longer than is looked at";
}

/* Chains */

static uint64_t hash_word(uint64_t hash, uint64_t word)
{
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        return hash ^ hash >> 29;
}

static uint64_t walk_hash(const struct walk *w, const char *end_text)
{
        uint64_t hash = hash_word(w->n, (uint64_t)w->end << 1 | w->by_convention);

        if (w->end != END_OUTERMOST)
                hash = hash_word(hash, w->wanted);
        hash = hash_word(hash, end_text != NULL);
        for (size_t i = 0; i < walk_kept(w); i++) {
                const struct walk_frame *f = walk_frame(w, i);

                hash = hash_word(hash, f->pc);
                hash = hash_word(hash,
                        (uint64_t)f->caller | (uint64_t)f->signal << 1 | (uint64_t)f->by_fp << 2);
        }
        return hash;
}

static bool chain_equal(const struct chain *c, const struct walk *w)
{
        if (c->n != walk_kept(w) || c->n + c->n_hidden != w->n)
                return false;
        for (size_t i = 0; i < c->n; i++) {
                const struct walk_frame *a = &c->frames[i], *b = walk_frame(w, i);

                if (a->pc != b->pc || a->caller != b->caller || a->signal != b->signal)
                        return false;
        }
        return true;
}

/* What was found through a guess is one, unless the end shows that it was right. */
static void chain_doubt(struct chain *chain, const struct walk *w)
{
        bool doubt = false;

        for (size_t i = 0; i < chain->n; i++) {
                if (w->end != END_OUTERMOST || w->by_convention)
                        doubt |= chain->frames[i].by_fp;
                chain->frames[i].by_fp |= doubt;
        }
}

static struct chain *chain_make(
        struct chains *c, struct space *s, const struct walk *w, const char *end_text)
{
        struct chain *chain = calloc(1, sizeof(*chain));

        if (!chain)
                return NULL;
        chain->n = walk_kept(w);
        chain->n_hidden = w->n - chain->n;
        chain->frames = calloc(chain->n + 1, sizeof(*chain->frames));
        if (!chain->frames) {
                free(chain);
                return NULL;
        }
        for (size_t i = 0; i < chain->n; i++)
                chain->frames[i] = *walk_frame(w, i);
        chain_doubt(chain, w);
        chain->end_text = end_text;
        chain->gap = end_text ? end_text : end_words(c, s, w);
        return chain;
}

int chains_add(struct chains *c, struct space *s, const struct walk *w, const char *end_text)
{
        uint64_t hash = walk_hash(w, end_text);
        struct chain *head = NULL, *chain;

        HASH_FIND(hh, c->table, &hash, sizeof(hash), head);
        for (chain = head; chain; chain = chain->same_hash)
                if (chain->end_text == end_text && chain_equal(chain, w))
                        return chain->number;
        if (c->n == c->size) {
                size_t size = c->size ? c->size * 2 : 16;
                struct chain **more = reallocarray(c->list, size, sizeof(struct chain *));

                if (!more)
                        return -ENOMEM;
                c->list = more;
                c->size = size;
        }
        chain = chain_make(c, s, w, end_text);
        if (!chain)
                return -ENOMEM;
        chain->hash = hash;
        chain->number = (int)c->n;
        c->list[c->n++] = chain;
        if (head) {
                chain->same_hash = head->same_hash;
                head->same_hash = chain;
        } else {
                HASH_ADD(hh, c->table, hash, sizeof(chain->hash), chain);
        }
        return chain->number;
}

/* Names */

/* Where to look for the name of a frame: at the call, which is before the return address. */
static uint64_t frame_at(const struct walk_frame *f)
{
        return f->caller ? f->pc - 1 : f->pc;
}

static int made_add(struct chains *c, uint64_t address)
{
        if (c->n_made == c->made_size) {
                size_t size = c->made_size ? c->made_size * 2 : 64;
                struct perfmap_name *more = reallocarray(c->made, size, sizeof(*more));

                if (!more)
                        return -ENOMEM;
                c->made = more;
                c->made_size = size;
        }
        c->made[c->n_made++] = (struct perfmap_name){ .address = address };
        return 0;
}

static int compare_made(const void *a, const void *b)
{
        const struct perfmap_name *x = a, *y = b;

        return (x->address > y->address) - (x->address < y->address);
}

static const struct perfmap_name *made_find(const struct chains *c, uint64_t address)
{
        const struct perfmap_name key = { .address = address };

        if (!c->n_made)
                return NULL;
        return bsearch(&key, c->made, c->n_made, sizeof(key), compare_made);
}

/* Note whatever has no name yet. */
static int names_want(struct chains *c, struct space *s)
{
        for (size_t i = 0; i < c->n; i++) {
                for (size_t j = 0; j < c->list[i]->n; j++) {
                        uint64_t address = frame_at(&c->list[i]->frames[j]), at;
                        const struct map *map;
                        struct module *module;

                        if (space_place(s, address, &map, &module, &at) && module_is_elf(module))
                                module_name(module, at);
                        else if (map && made_add(c, address) < 0)
                                return -ENOMEM;
                }
        }
        return 0;
}

static void names_made(struct chains *c, struct watch *watch, const struct process *p, int dir)
{
        size_t n = 0;

        if (!c->n_made || dir < 0)
                return;
        qsort(c->made, c->n_made, sizeof(*c->made), compare_made);
        for (size_t i = 0; i < c->n_made; i++)
                if (!n || c->made[n - 1].address != c->made[i].address)
                        c->made[n++] = c->made[i];
        c->n_made = n;
        /* Without a map, which few programs write, the frames have no names. */
        perfmap_find(watch, c->arena, p, dir, c->made, n);
}

/* The file of a mapping as people know it; shared by the frames that follow each other. */
static const char *module_label(struct chains *c, const struct map *map, const char *last)
{
        size_t len = strlen(map->name), deleted = strlen(DELETED);

        if (!len)
                return "[anon]";
        if (map->inode && len > deleted && strcmp(map->name + len - deleted, DELETED) == 0)
                len -= deleted;
        if (last && strlen(last) == len && memcmp(last, map->name, len) == 0)
                return last;
        return arena_strn(c->arena, map->name, len);
}

/* A frame and the functions that are inlined there; returns how many. */
static size_t frames_fill(struct chains *c, struct space *s, const struct walk_frame *from,
        const char *last_module, struct user_frame *frames, size_t most)
{
        const struct elf_name *name = NULL;
        struct user_frame f = {
                .address = from->pc,
                .signal = from->signal,
                .unreliable = from->by_fp,
        };
        uint64_t address = frame_at(from), at;
        const struct map *map;
        struct module *module;
        bool placed = space_place(s, address, &map, &module, &at);
        size_t n = 0;

        if (map)
                f.module = module_label(c, map, last_module);
        if (placed && module_is_elf(module)) {
                name = module_name(module, at);
                f.module_address = at + (from->pc - address);
                f.has_module_address = true;
                f.build_id = module_build_id(module);
        } else {
                const struct perfmap_name *made = made_find(c, address);

                if (made && made->symbol) {
                        f.symbol = made->symbol;
                        f.offset = made->offset + (from->pc - address);
                        f.has_offset = true;
                }
        }
        if (name && name->function) {
                f.symbol = name->function;
                f.exported = name->exported;
                f.offset = name->offset + (from->pc - address);
                f.has_offset = true;
        }
        for (uint32_t i = 0; name && i < name->n_inlined && n + 1 < most; i++) {
                const struct elf_inlined *inlined = &name->inlined[i];

                frames[n] = f;
                frames[n].inlined = true;
                frames[n].symbol = inlined->function;
                frames[n].exported = NULL;
                frames[n].has_offset = false;
                frames[n].source = inlined->file;
                frames[n++].line = inlined->file ? inlined->line : 0;
        }
        if (name) {
                f.source = name->file;
                f.line = name->file ? name->line : 0;
        }
        frames[n++] = f;
        return n;
}

static int stack_make(struct chains *c, struct space *s, struct chain *chain)
{
        const size_t most = chain->n + 2 * (size_t)ELF_INLINED_MAX;
        struct user_frame *frames = malloc(most * sizeof(*frames));
        struct user_stack *stack = arena_new_one(c->arena, struct user_stack);
        size_t n = 0;

        if (!frames || !stack) {
                free(frames);
                return -ENOMEM;
        }
        for (size_t i = 0; i < chain->n; i++) {
                /* Room for those that follow, whatever was inlined into this one. */
                size_t room = most - n - (chain->n - i - 1);

                if (i == WALK_INNER && chain->n_hidden)
                        stack->hidden_after = n;
                n += frames_fill(
                        c, s, &chain->frames[i], n ? frames[n - 1].module : NULL, frames + n, room);
        }
        stack->n_frames = n;
        stack->n_hidden = chain->n_hidden;
        stack->gap = chain->gap;
        stack->hash = chain->hash;
        stack->frames = arena_dup(c->arena, frames, n * sizeof(*frames));
        free(frames);
        if (!stack->frames)
                return -ENOMEM;
        c->n_frames += n;
        chain->stack = stack;
        return 0;
}

int chains_finish(
        struct chains *c, struct space *s, struct watch *watch, const struct process *p, int dir)
{
        int r = names_want(c, s);

        if (r == 0)
                r = modules_fetch_names(s->modules);
        if (r == 0)
                names_made(c, watch, p, dir);
        for (size_t i = 0; i < c->n && r == 0 && c->n_frames < FRAMES_MAX; i++)
                r = stack_make(c, s, c->list[i]);
        return r;
}

const char *chains_gap(const struct chains *c, int chain)
{
        return chain >= 0 && (size_t)chain < c->n ? c->list[chain]->gap : NULL;
}

const struct user_stack *chains_stack(const struct chains *c, int chain)
{
        return chain >= 0 && (size_t)chain < c->n ? c->list[chain]->stack : NULL;
}
