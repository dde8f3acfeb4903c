/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk up one thread's stack, over captured registers and bytes alone. It stops where it
 * lacks something that somebody has to fetch first, and is taken up again from there: so the
 * walks of ten thousand threads fetch what they lack together.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"
#include "unwind/memory.h"

struct arch;
struct cfi_row;

enum code_state {
        CODE_NOWHERE,  /* no executable mapping */
        CODE_WANTED,   /* its row has to be fetched first */
        CODE_ROW,      /* there is a row */
        CODE_WITHOUT,  /* there is no CFI for it */
        CODE_UNUSABLE, /* there is CFI, or may be, and it cannot be used */
};

struct code { /* what is known of the code at an address */
        enum code_state state;
        const struct cfi_row *row;
        uint64_t bias;
};

struct code_source {
        void (*find)(void *arg, uint64_t address, struct code *ret_code);
        void *arg;
};

/* A chain keeps its innermost and its outermost frames. */
#define WALK_INNER 192U
#define WALK_OUTER 64U
#define WALK_FRAMES_MAX 400000U /* looked at, if walk.most is not set */

struct walk_frame {
        uint64_t pc;
        bool caller; /* pc is a return address: the call is before it */
        bool signal; /* the kernel's frame of a signal handler */
        bool by_fp;  /* found by a frame pointer */
};

enum walk_state { WALK_READY, WALK_WANTS_ROW, WALK_WANTS_MEMORY, WALK_ENDED };

enum walk_end {
        END_OUTERMOST,
        END_REGISTER,   /* wanted: the register that is not known */
        END_NOWHERE,    /* wanted: the address, which is no code */
        END_WITHOUT,    /* no CFI, and the frame pointer leads nowhere */
        END_UNUSABLE,   /* CFI that makes no sense, or cannot be had */
        END_UNREADABLE, /* wanted: the address, where there is no memory */
        END_LOOP,
        END_LIMIT,
};

struct walk {
        const struct arch *arch;
        const struct code_source *code;
        size_t most; /* frames to look at: then it ends with a gap */
        struct memory memory;
        struct user_regs regs; /* of the frame in hand */
        bool exact;            /* its pc is one that was reached, not a return address */
        bool by_fp;
        bool counted;       /* it is among the frames */
        bool by_convention; /* the end was told by a frame pointer of 0 */
        enum walk_state state;
        enum walk_end end;
        uint64_t wanted; /* address or register */
        struct walk_frame *frames;
        size_t n, size; /* n: all that there were */
        uint64_t seen_pc, seen_sp;
        size_t seen_next;
};

/* regs: of the innermost frame; sp and pc must be known. The memory is the caller's to fill. */
void walk_init(struct walk *w, const struct arch *arch, const struct code_source *code,
        const struct user_regs *regs);
void walk_done(struct walk *w);

/* Go on, until something has to be fetched or it has ended. 0 or -ENOMEM. */
int walk_run(struct walk *w);
/* End it here: what it wants cannot be had. */
void walk_stop(struct walk *w, enum walk_end end);

/* Frames that were kept: walk_frame(0) … walk_frame(walk_kept() - 1). */
size_t walk_kept(const struct walk *w);
const struct walk_frame *walk_frame(const struct walk *w, size_t index);
