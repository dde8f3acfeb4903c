/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames beyond those that are kept at the inner end go round in a ring, so that at the end
 * the outermost ones are in it. That a stack leads back into itself is found by Brent's method:
 * a frame is remembered, and another one after twice as many.
 */
#include "unwind/walk.h"

#include <errno.h>
#include <stdlib.h>

#include "unwind/arch.h"
#include "unwind/row.h"
#include "unwind/step.h"

void walk_init(struct walk *w, const struct arch *arch, const struct code_source *code,
        const struct user_regs *regs)
{
        *w = (struct walk){ .arch = arch, .code = code, .regs = *regs, .exact = true };
        w->most = WALK_FRAMES_MAX;
        w->seen_next = 1;
}

void walk_done(struct walk *w)
{
        memory_done(&w->memory);
        free(w->frames);
        w->frames = NULL;
        w->size = 0;
}

void walk_stop(struct walk *w, enum walk_end end)
{
        w->state = WALK_ENDED;
        w->end = end;
}

size_t walk_kept(const struct walk *w)
{
        return w->n < WALK_INNER + WALK_OUTER ? w->n : WALK_INNER + WALK_OUTER;
}

const struct walk_frame *walk_frame(const struct walk *w, size_t index)
{
        if (index >= WALK_INNER && w->n > WALK_INNER + WALK_OUTER)
                index = WALK_INNER + (index - WALK_INNER + w->n - WALK_INNER) % WALK_OUTER;
        return &w->frames[index];
}

static int frame_add(struct walk *w, bool signal)
{
        size_t at = w->n < WALK_INNER ? w->n : WALK_INNER + (w->n - WALK_INNER) % WALK_OUTER;

        if (at == w->size) {
                size_t size = w->size ? w->size * 2 : 16;
                struct walk_frame *more = reallocarray(w->frames, size, sizeof(*more));

                if (!more)
                        return -ENOMEM;
                w->frames = more;
                w->size = size;
        }
        w->frames[at] = (struct walk_frame){
                .pc = w->regs.value[w->arch->pc],
                .caller = !w->exact,
                .signal = signal,
                .by_fp = w->by_fp,
        };
        w->n++;
        return 0;
}

static bool reg_known(const struct walk *w, unsigned reg)
{
        return w->regs.known & UINT64_C(1) << reg;
}

/* Frames are told apart by their stack pointers: even an endless recursion moves it. */
static bool loops(struct walk *w)
{
        uint64_t pc = w->regs.value[w->arch->pc], sp = w->regs.value[w->arch->sp];

        if (!reg_known(w, w->arch->sp))
                sp = w->regs.value[w->arch->fp];
        if (w->n > 1 && pc == w->seen_pc && sp == w->seen_sp)
                return true;
        if (w->n == w->seen_next) {
                w->seen_pc = pc;
                w->seen_sp = sp;
                w->seen_next *= 2;
        }
        return false;
}

/* What keeps a step from being made, as the walk's state. */
static void step_failed(struct walk *w, const struct stepper *s, int error)
{
        switch (error) {
        case -EAGAIN:
                w->state = WALK_WANTS_MEMORY;
                w->wanted = s->address;
                break;
        case -EFAULT:
                w->wanted = s->address;
                walk_stop(w, END_UNREADABLE);
                break;
        case -ENODATA:
                w->wanted = s->reg;
                walk_stop(w, END_REGISTER);
                break;
        default:
                walk_stop(w, END_UNUSABLE);
                break;
        }
}

static void step_without(struct walk *w, struct stepper *s, struct user_regs *ret_caller)
{
        struct code code = { .state = CODE_NOWHERE };
        int r = step_by_frame_pointer(s, &w->regs, ret_caller);
        uint64_t pc = ret_caller->value[w->arch->pc];

        if (r == -EAGAIN) {
                step_failed(w, s, r);
                return;
        }
        /* Zeros say so only where a frame pointer led here: other code may not keep any. */
        if (w->by_fp && (r == -ENOENT || (r == 0 && !pc && !ret_caller->value[w->arch->fp]))) {
                w->by_convention = true;
                walk_stop(w, END_OUTERMOST);
                return;
        }
        if (r == -ENODATA) {
                step_failed(w, s, r);
                return;
        }
        if (r == 0)
                w->code->find(w->code->arg, pc - 1, &code);
        if (code.state == CODE_NOWHERE)
                walk_stop(w, END_WITHOUT);
}

static void step(struct walk *w, const struct code *code)
{
        struct stepper s = { .arch = w->arch, .memory = &w->memory };
        struct user_regs caller = { 0 };
        bool signal = false;

        if (code->state == CODE_ROW) {
                int r = step_by_row(&s, code->row, code->bias, &w->regs, &caller);

                signal = code->row->signal_frame;
                if (r < 0)
                        step_failed(w, &s, r);
                else if (!(caller.known & UINT64_C(1) << w->arch->pc) || !caller.value[w->arch->pc])
                        walk_stop(w, END_OUTERMOST);
        } else {
                step_without(w, &s, &caller);
        }
        if (w->state != WALK_READY)
                return;
        w->by_fp = code->state != CODE_ROW;
        w->exact = signal;
        w->counted = false;
        w->regs = caller;
}

/* Look at the frame in hand, and go to its caller. */
static int frame_walk(struct walk *w)
{
        uint64_t pc = w->regs.value[w->arch->pc];
        struct code code = { .state = CODE_NOWHERE };
        int r;

        w->wanted = w->exact ? pc : pc - 1;
        w->code->find(w->code->arg, w->wanted, &code);
        if (code.state == CODE_WANTED) {
                w->state = WALK_WANTS_ROW;
                return 0;
        }
        /* What is no code is no frame, unless the thread was really there. */
        if (!w->counted && (code.state != CODE_NOWHERE || w->exact)) {
                r = frame_add(w, code.state == CODE_ROW && code.row->signal_frame);
                if (r < 0)
                        return r;
                w->counted = true;
        }
        switch (code.state) {
        case CODE_ROW:
        case CODE_WITHOUT:
                step(w, &code);
                break;
        case CODE_NOWHERE:
                w->wanted = pc;
                walk_stop(w, END_NOWHERE);
                break;
        default:
                walk_stop(w, END_UNUSABLE);
                break;
        }
        if (w->state == WALK_READY && loops(w))
                walk_stop(w, END_LOOP);
        if (w->state == WALK_READY && w->n == w->most)
                walk_stop(w, END_LIMIT);
        return 0;
}

int walk_run(struct walk *w)
{
        int r = 0;

        /* What was wanted has been fetched: the frame in hand is looked at again. */
        if (w->state != WALK_ENDED)
                w->state = WALK_READY;
        while (w->state == WALK_READY && r == 0)
                r = frame_walk(w);
        return r;
}
