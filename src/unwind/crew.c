/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walks of many threads of a process, side by side: all go as far as they can, then what they
 * lack (rows of CFI, more bytes of their stacks) is fetched for all at once, and they go on.
 */
#include "unwind/unwinder-parts.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/procio.h"
#include "model.h"
#include "unwind/arch.h"
#include "unwind/chains.h"
#include "unwind/memory.h"
#include "unwind/modules.h"
#include "unwind/pieces.h"
#include "unwind/recorded.h"
#include "unwind/space.h"
#include "unwind/unwinder.h"
#include "unwind/walk.h"

#define MORE 16384U /* bytes, the next time, and four times as much each time after that… */
#define MORE_MAX (1U << 20)   /* …up to this */
#define STACK_MAX (64U << 20) /* bytes of one thread's stack that are looked at */
#define ROUNDS_MAX 4096U
#define GUESSES_MAX 8U   /* walks, each time rows are fetched */
#define RECHECK_MANY 64U /* from so many threads on, the source is asked and not files */

struct walker { /* a thread, and its walk */
        struct thread *thread;
        struct walk walk;
        bool late;        /* some of its memory was not read while it held still… */
        size_t late_from; /* …and these frames are from before that */
        uint32_t more;    /* bytes to read next */
        int chain;
};

/* What was copied while it held still; of a recorded tree, its stack as it was recorded. */
static struct piece *piece_first(struct unwinder *u, const struct space *s, const struct thread *t)
{
        struct piece_request request = { unwinder_copy_start(unwinder_sp(u, t)), MORE, NULL };

        if (procio_live(u->io))
                return copies_take(&u->copies, t);
        recorded_pieces(u->io, s->dir, s->pid, &request, 1);
        return request.piece;
}

static void regs_copy(const struct user_regs *from, struct user_regs *ret)
{
        *ret = (struct user_regs){ .known = from->known };
        for (unsigned i = 0; i < USER_REGS_MAX; i++)
                if (from->known >> i & 1)
                        ret->value[i] = from->value[i];
}

/* At the innermost frame, with what registers are known. Its memory is not touched. */
static void walker_begin(struct unwinder *u, struct walker *m, const struct code_source *code)
{
        const struct thread *t = m->thread;
        const struct arch *arch = u->arch;
        const struct memory memory = m->walk.memory;
        struct space *s = code->arg;
        struct user_regs regs = { 0 }, narrow;
        uint64_t sp = unwinder_sp(u, t), pc = unwinder_pc(u, t), at;
        struct module *module = NULL;
        const struct map *map;

        if (t->regs)
                regs_copy(t->regs, &regs);
        regs.known |= UINT64_C(1) << arch->sp | UINT64_C(1) << arch->pc;
        regs.value[arch->sp] = sp;
        regs.value[arch->pc] = pc;
        if (arch == &arch_x86_64 && !(sp >> 32) && !(pc >> 32)) {
                space_place(s, pc, &map, &module, &at);
                if (module && module_machine(module) == arch_i386.machine) {
                        arch_narrow(&regs, &narrow);
                        regs = narrow;
                        arch = &arch_i386;
                }
        }
        walk_init(&m->walk, arch, code, &regs);
        if (u->wanted)
                m->walk.most = PLACE_FRAMES;
        m->walk.memory = memory;
}

static void walker_init(
        struct unwinder *u, struct walker *m, struct thread *t, const struct code_source *code)
{
        struct piece *piece = piece_first(u, code->arg, t);

        *m = (struct walker){ .thread = t, .chain = -1, .more = MORE };
        walker_begin(u, m, code);
        if (piece && piece->start == unwinder_copy_start(unwinder_sp(u, t))) {
                memory_add(&m->walk.memory, piece);
        } else {
                m->late = true;
                m->late_from = 1; /* where it is, is known all the same */
                m->more = FIRST;
                piece_free(piece);
        }
}

/* More of the stacks of those that want it. 0 or -ENOMEM. */
static int crew_read(struct unwinder *u, const struct space *s, struct walker *crew, size_t n)
{
        _cleanup_free_ struct piece_request *requests = calloc(n + 1, sizeof(*requests));
        size_t m = 0;
        int r;

        if (!requests)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                struct walk *w = &crew[i].walk;

                if (w->state != WALK_WANTS_MEMORY)
                        continue;
                if (w->memory.total > STACK_MAX) {
                        walk_stop(w, END_LIMIT);
                        continue;
                }
                requests[m++] = (struct piece_request){ unwinder_copy_start(w->wanted),
                        crew[i].more, NULL };
        }
        if (procio_live(u->io))
                r = m ? pieces_read(u->watch, s->pid, s->tid, requests, m) : 0;
        else
                r = recorded_pieces(u->io, s->dir, s->pid, requests, m);
        m = 0;
        for (size_t i = 0; i < n; i++) {
                struct walk *w = &crew[i].walk;

                if (w->state != WALK_WANTS_MEMORY)
                        continue;
                if (!crew[i].late)
                        crew[i].late_from = w->n;
                crew[i].late = true;
                crew[i].more = crew[i].more < MORE           ? MORE
                               : crew[i].more * 4 < MORE_MAX ? crew[i].more * 4
                                                             : MORE_MAX;
                if (requests[m].piece)
                        memory_add(&w->memory, requests[m].piece);
                if (r < 0)
                        walk_stop(w, END_UNREADABLE);
                m++;
        }
        if (r < 0 && r != -ENOMEM)
                unwinder_gap_process(u, r);
        return r == -ENOMEM ? r : 0;
}

/*
 * What a walk that lacks a row will lack next. Of the first few: the others are mostly in the same
 * places.
 */
static void walk_guess(struct space *s, const struct walk *w, unsigned *n_guessed)
{
        if (w->state != WALK_WANTS_ROW || *n_guessed == GUESSES_MAX)
                return;
        ++*n_guessed;
        space_guess(s, &w->memory, w->regs.value[w->arch->sp], w->arch->word);
}

/* Run all walks to their ends. */
static int crew_run(struct unwinder *u, struct space *s, struct walker *crew, size_t n)
{
        for (unsigned round = 0;; round++) {
                bool rows = false, bytes = false;
                unsigned n_guessed = 0;
                int r = 0;

                for (size_t i = 0; i < n && r == 0; i++) {
                        struct walk *w = &crew[i].walk;

                        if (w->state == WALK_ENDED)
                                continue;
                        s->arch = w->arch;
                        r = walk_run(w);
                        rows |= w->state == WALK_WANTS_ROW;
                        walk_guess(s, w, &n_guessed);
                        bytes |= w->state == WALK_WANTS_MEMORY;
                        if (round == ROUNDS_MAX && w->state != WALK_ENDED)
                                walk_stop(w, END_LIMIT);
                }
                if (r < 0 || round == ROUNDS_MAX || (!rows && !bytes))
                        return r;
                if (rows)
                        r = modules_fetch(u->modules);
                if (r == 0 && bytes)
                        r = crew_read(u, s, crew, n);
                if (r < 0)
                        return r;
        }
}

/*
 * Those that lack a register, if it can be had after all: once more from the beginning. What was
 * read of their stacks serves again.
 */
static int crew_run_again(
        struct unwinder *u, struct walker *crew, size_t n, const struct code_source *code)
{
        bool any = false;

        for (size_t i = 0; i < n; i++) {
                struct walker *m = &crew[i];

                if (m->walk.end != END_REGISTER || m->walk.state != WALK_ENDED || m->thread->regs ||
                        !u->recheck || !u->recheck->registers(u->recheck->arg, m->thread))
                        continue;
                free(m->walk.frames);
                walker_begin(u, m, code);
                any = true;
        }
        return any ? crew_run(u, code->arg, crew, n) : 0;
}

/* What somebody could do something about is said for the whole snapshot, too. */
static void gap_walk(
        struct unwinder *u, const struct walk *w, const struct thread *t, const char *text)
{
        if (w->end == END_UNUSABLE && text)
                snapshot_gap(u->snapshot, "user stacks", text, NULL, false);
        if (w->end == END_REGISTER && !t->regs)
                snapshot_gap(u->snapshot, "user stacks",
                        "some functions are left by registers that /proc does not tell; the stack "
                        "ends there",
                        u->privilege.sys_admin ? NULL
                                               : "run pwhy with sudo, which reads all registers",
                        false);
}

/* Threads to chains. */
int crew_walk(struct unwinder *u, struct space *s, struct chains *chains, int dir,
        struct thread *const *threads, size_t n, int *ret_chains)
{
        static const char moved[] = "it ran on while its stack was read";
        const struct code_source code = { space_find, s };
        struct walker *crew = calloc(n, sizeof(*crew));
        size_t n_late = 0;
        bool sampled;
        int r = crew ? 0 : -ENOMEM;

        if (!crew)
                return r;
        for (size_t i = 0; i < n; i++)
                walker_init(u, &crew[i], threads[i], &code);
        r = crew_run(u, s, crew, n);
        if (r == 0)
                r = crew_run_again(u, crew, n, &code);
        for (size_t i = 0; i < n; i++)
                n_late += crew[i].late;
        sampled = n_late >= RECHECK_MANY && u->recheck &&
                  u->recheck->refresh(u->recheck->arg, s->pid);
        for (size_t i = 0; i < n && r == 0; i++) {
                struct walk *w = &crew[i].walk;
                const char *text = NULL;

                if (crew[i].late && !(sampled ? u->recheck->unmoved(u->recheck->arg, threads[i])
                                              : unwinder_unmoved(u, threads[i], dir))) {
                        size_t most =
                                crew[i].late_from < WALK_INNER ? crew[i].late_from : WALK_INNER;

                        w->n = w->n < most ? w->n : most;
                        text = moved;
                }
                s->arch = w->arch;
                ret_chains[i] = chains_add(chains, s, w, text);
                gap_walk(u, w, threads[i], chains_gap(chains, ret_chains[i]));
                r = ret_chains[i] < 0 ? ret_chains[i] : 0;
        }
        for (size_t i = 0; i < n; i++)
                walk_done(&crew[i].walk);
        free(crew);
        return r;
}
