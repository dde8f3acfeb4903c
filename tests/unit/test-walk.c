/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unwind/expression.c, memory.c, step.c, walk.c: stacks that are made by hand, with the rows
 * that compilers' CFI becomes, for x86-64, i386 and arm64.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "unwind/arch.h"
#include "unwind/expression.h"
#include "unwind/memory.h"
#include "unwind/pieces.h"
#include "unwind/row.h"
#include "unwind/step.h"
#include "unwind/walk.h"

/* Expressions */

static int nowhere(void *arg, uint64_t address, unsigned size, uint64_t *ret_value)
{
        (void)arg;
        if (address != 0x1000)
                return -EFAULT;
        *ret_value = size == 8 ? 0x1122334455667788 : size == 4 ? 0x55667788 : 0x88;
        return 0;
}

static int evaluate(const struct arch *arch, const char *bytes, size_t len, const uint64_t *first,
        uint64_t *ret)
{
        const struct user_regs regs = { .known = 1 << 7, .value = { [7] = 0x5000 } };
        const struct expression e = { .arch = arch,
                .regs = &regs,
                .bias = 0x100,
                .bytes = (const uint8_t *)bytes,
                .len = len,
                .read = nowhere };

        return expression_evaluate(&e, first, ret);
}

#define VALUE(bytes, wanted)                                                                       \
        do {                                                                                       \
                uint64_t got = 0;                                                                  \
                assert_int_equal(evaluate(&arch_x86_64, bytes, sizeof(bytes) - 1, NULL, &got), 0); \
                assert_int_equal(got, (uint64_t)(wanted));                                         \
        } while (0)
#define FAILS(bytes, error)                                                                        \
        do {                                                                                       \
                uint64_t got = 7;                                                                  \
                assert_int_equal(                                                                  \
                        evaluate(&arch_x86_64, bytes, sizeof(bytes) - 1, NULL, &got), error);      \
                assert_int_equal(got, 7);                                                          \
        } while (0)

static void test_expression(void **state)
{
        const uint64_t first = 0x40;
        uint64_t value;

        (void)state;
        VALUE("\x35", 5);                                     /* lit5 */
        VALUE("\x09\xff", -1);                                /* const1s */
        VALUE("\x08\xff", 255);                               /* const1u */
        VALUE("\x0b\x00\x80", -32768);                        /* const2s */
        VALUE("\x10\x80\x01", 128);                           /* constu */
        VALUE("\x11\x7f", -1);                                /* consts */
        VALUE("\x03\x01\x00\x00\x00\x00\x00\x00\x00", 0x101); /* addr, with the bias */
        VALUE("\x77\x08", 0x5008);                            /* breg7 */
        VALUE("\x92\x07\x78", 0x4ff8);                        /* bregx 7, -8 */
        VALUE("\x0a\x00\x10\x06", 0x1122334455667788);        /* const2u, deref */
        VALUE("\x0a\x00\x10\x94\x01", 0x88);                  /* deref_size 1 */
        VALUE("\x31\x32\x16\x1c", 1);                         /* lit1 lit2 swap minus */
        VALUE("\x31\x32\x33\x17\x1c", -1);                    /* 1 2 3 rot: 3 1 2; 1 - 2 */
        VALUE("\x31\x32\x14", 1);                             /* over */
        VALUE("\x31\x32\x15\x01", 1);                         /* pick */
        VALUE("\x31\x32\x13", 1);                             /* drop */
        VALUE("\x39\x1f", -9);                                /* neg */
        VALUE("\x39\x1f\x19", 9);                             /* abs */
        VALUE("\x30\x20", -1);                                /* not */
        VALUE("\x39\x1f\x32\x1b", -4);                        /* -9 / 2 */
        VALUE("\x39\x34\x1d", 1);                             /* 9 mod 4 */
        VALUE("\x31\x08\x40\x24", 0);                         /* 1 << 64 */
        VALUE("\x30\x20\x08\xc8\x26", -1);                    /* -1 >> 200, arithmetic */
        VALUE("\x30\x20\x33\x2d", 1);                         /* -1 < 3 */
        VALUE("\x31\x28\x01\x00\x96\x35", 5);                 /* bra over nop */
        VALUE("\x2f\x01\x00\x31\x32", 2);                     /* skip over lit1 */
        VALUE("\x31\x23\x10", 17);                            /* plus_uconst */
        /* The PLT's CFA, as linkers write it: rsp + 8 + ((rip & 15) >= 11) * 8 */
        FAILS("\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22", -ENODATA);
        assert_int_equal(evaluate(&arch_x86_64, "\x23\x08", 2, &first, &value), 0);
        assert_int_equal(value, 0x48);
        /* 32-bit arithmetic wraps at 32 bits. */
        assert_int_equal(evaluate(&arch_i386, "\x30\x20\x31\x22", 4, NULL, &value), 0);
        assert_int_equal(value, 0);
}

static void test_bad_expressions(void **state)
{
        char deep[200];
        uint64_t value;

        (void)state;
        FAILS("", -EINVAL);
        FAILS("\x13", -EINVAL);         /* drop from nothing */
        FAILS("\x12", -EINVAL);         /* dup of nothing */
        FAILS("\x31\x16", -EINVAL);     /* swap of one */
        FAILS("\x31\x15\x05", -EINVAL); /* pick from below */
        FAILS("\x31\x30\x1b", -EINVAL); /* 1 / 0 */
        FAILS("\x31\x30\x1d", -EINVAL); /* 1 mod 0 */
        FAILS("\x08", -EINVAL);         /* cut */
        FAILS("\x10\x80", -EINVAL);     /* cut in the middle of a number */
        FAILS("\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", -EINVAL);
        FAILS("\x31\x2f\xfc\xff", -EINVAL); /* round and round, the stack grows */
        FAILS("\x2f\xfd\xff", -EINVAL);     /* round and round */
        FAILS("\x2f\xfc\xff", -EINVAL);     /* to before the beginning */
        FAILS("\x2f\x05\x00", -EINVAL);     /* to behind the end */
        FAILS("\x31\x06", -EFAULT);         /* no memory there */
        FAILS("\x31\x94\x03", -EINVAL);     /* three bytes */
        FAILS("\x71\x00", -ENODATA);        /* register 1 */
        FAILS("\x8f\x00", -EINVAL);         /* register 31 */
        FAILS("\x92\xff\xff\x7f\x00", -EINVAL);
        FAILS("\xff", -EINVAL);
        memset(deep, 0x31, sizeof(deep));
        assert_int_equal(evaluate(&arch_x86_64, deep, sizeof(deep), NULL, &value), -EINVAL);
        /* The least number by -1 has no result that fits. */
        VALUE("\x0f\x00\x00\x00\x00\x00\x00\x00\x80\x09\xff\x1b", INT64_MIN);
}

/* Memory */

static struct piece *piece_make(uint64_t start, uint32_t asked, uint32_t len)
{
        struct piece *p = calloc(1, sizeof(*p) + asked);

        p->start = start;
        p->asked = asked;
        p->len = len;
        for (uint32_t i = 0; i < len; i++)
                p->bytes[i] = (unsigned char)i;
        return p;
}

static void test_memory(void **state)
{
        struct memory m = { 0 };
        uint64_t value;

        (void)state;
        assert_int_equal(memory_read(&m, 0x1000, 8, &value), -EAGAIN);
        memory_add(&m, piece_make(0x1000, 64, 64));
        assert_int_equal(memory_read(&m, 0x1000, 8, &value), 0);
        assert_int_equal(value, 0x0706050403020100);
        assert_int_equal(memory_read(&m, 0x1038, 8, &value), 0);
        assert_int_equal(memory_read(&m, 0x1039, 8, &value), -EAGAIN); /* goes on behind it */
        assert_int_equal(memory_read(&m, 0xfff, 1, &value), -EAGAIN);
        memory_add(&m, piece_make(0x2000, 64, 16)); /* and there was no more */
        assert_int_equal(memory_read(&m, 0x2008, 8, &value), 0);
        assert_int_equal(memory_read(&m, 0x2009, 8, &value), -EFAULT);
        assert_int_equal(memory_read(&m, 0x2010, 8, &value), -EFAULT);
        assert_int_equal(memory_read(&m, 0x2040, 8, &value), -EAGAIN);
        assert_int_equal(memory_read(&m, UINT64_MAX, 8, &value), -EAGAIN);
        for (unsigned i = 0; i < PIECES_MAX; i++)
                memory_add(&m, piece_make(0x10000 + 0x1000 * i, 16, 16));
        assert_int_equal(memory_read(&m, 0x1000, 8, &value), -EAGAIN); /* the oldest has gone */
        assert_int_equal(memory_read(&m, 0x10000, 8, &value), 0);
        memory_done(&m);
}

/* Of our own memory: many at once, of which one is not there and one ends early. */
static void test_pieces(void **state)
{
        enum { N = 300, LEN = 2048 };
        static unsigned char bytes[N][LEN];
        static struct piece_request requests[N];
        const long page = sysconf(_SC_PAGESIZE);
        unsigned char *end = mmap(
                NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        (void)state;
        assert_ptr_not_equal(end, MAP_FAILED);
        assert_int_equal(munmap(end + page, (size_t)page), 0);
        for (int i = 0; i < N; i++) {
                memset(bytes[i], i, LEN);
                requests[i] = (struct piece_request){ (uintptr_t)bytes[i], LEN, NULL };
        }
        requests[100].start = 16;
        requests[200].start = (uintptr_t)end + (size_t)page - 8;
        if (pieces_read(NULL, getpid(), getpid(), requests, N) < 0)
                skip();
        for (int i = 0; i < N; i++) {
                struct piece *p = requests[i].piece;

                assert_int_equal(p->len, i == 100 ? 0 : i == 200 ? 8 : LEN);
                if (p->len == LEN)
                        assert_memory_equal(p->bytes, bytes[i], LEN);
        }
        for (int i = 0; i < N; i += 2)
                piece_free(requests[i].piece);
        assert_memory_equal(requests[1].piece->bytes, bytes[1], LEN);
        for (int i = 1; i < N; i += 2)
                piece_free(requests[i].piece);
        piece_free(NULL);
        munmap(end, (size_t)page);
}

/* Walks: functions of 0x100 bytes each from 0x400000 on, with a row each */

#define CODE UINT64_C(0x400000)
#define STACK UINT64_C(0x7ffe0000)
#define FUNCTIONS 16

struct world {
        struct cfi_row rows[FUNCTIONS];
        bool here[FUNCTIONS]; /* its row was fetched */
        uint64_t stack[512];
        struct walk walk;
        unsigned fetched, read;
};

static void world_find(void *arg, uint64_t address, struct code *ret_code)
{
        struct world *w = arg;
        size_t i = (address - CODE) / 0x100;

        *ret_code = (struct code){ .state = CODE_NOWHERE };
        if (address < CODE || i >= FUNCTIONS)
                return;
        if (!w->here[i]) {
                ret_code->state = CODE_WANTED;
                return;
        }
        ret_code->state = w->rows[i].status == CFI_ROW    ? CODE_ROW
                          : w->rows[i].status == CFI_NONE ? CODE_WITHOUT
                                                          : CODE_UNUSABLE;
        ret_code->row = &w->rows[i];
}

static uint64_t at(unsigned function, unsigned offset)
{
        return CODE + function * 0x100 + offset;
}

/* CFA = register + offset, and the return address where x86-64 pushes it. */
static struct cfi_row *row_x86(struct world *w, unsigned function, uint8_t reg, int32_t offset)
{
        struct cfi_row *row = &w->rows[function];

        *row = (struct cfi_row){ .start = at(function, 0), .end = at(function + 1, 0) };
        row->status = CFI_ROW;
        row->ra = 16;
        row->cfa = (struct cfi_rule){ .reg = reg, .how = CFI_REGISTER_OFFSET, .offset = offset };
        row->rules[row->n_rules++] = (struct cfi_rule){ .reg = 3, .how = CFI_SAME };
        row->rules[row->n_rules++] = (struct cfi_rule){ .reg = 6, .how = CFI_SAME };
        row->rules[row->n_rules++] = (struct cfi_rule){ 16, CFI_AT_CFA, 0, -8 };
        return row;
}

static void world_begin(struct world *w, const struct arch *arch, uint64_t known)
{
        static struct code_source code;
        struct user_regs regs = { .known = known };

        code = (struct code_source){ world_find, w };
        regs.value[arch->sp] = STACK;
        regs.value[arch->pc] = at(0, 0x10);
        if (arch == &arch_x86_64)
                regs.value[6] = STACK + 0x40;
        walk_init(&w->walk, arch, &code, &regs);
}

/* Fetch whatever the walk wants, as its caller does. */
static void world_run(struct world *w)
{
        for (unsigned round = 0; round < 10000; round++) {
                assert_int_equal(walk_run(&w->walk), 0);
                if (w->walk.state == WALK_ENDED)
                        return;
                if (w->walk.state == WALK_WANTS_ROW) {
                        w->here[(w->walk.wanted - CODE) / 0x100] = true;
                        w->fetched++;
                } else {
                        uint64_t start = w->walk.wanted & ~UINT64_C(63);
                        size_t offset = (size_t)(start - STACK);
                        struct piece *p;

                        assert_int_equal(w->walk.state, WALK_WANTS_MEMORY);
                        p = piece_make(start, 64, 64);
                        p->len = start < STACK || offset >= sizeof(w->stack) ? 0 : 64;
                        if (p->len)
                                memcpy(p->bytes, (char *)w->stack + offset, 64);
                        memory_add(&w->walk.memory, p);
                        w->read++;
                }
        }
        fail_msg("the walk has no end");
}

static void expect(const struct world *w, enum walk_end end, size_t n, const uint64_t *pcs)
{
        assert_int_equal(w->walk.end, end);
        assert_int_equal(w->walk.n, n);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(walk_frame(&w->walk, i)->pc, pcs[i]);
}

#define ALL UINT64_C(0x1ffff)
#define SP_PC (UINT64_C(1) << 7 | UINT64_C(1) << 16)

static void test_rows(void **state)
{
        struct world w = { 0 };

        (void)state;
        row_x86(&w, 0, 7, 8);  /* a leaf */
        row_x86(&w, 1, 7, 32); /* with a frame */
        row_x86(&w, 2, 7, 16)->rules[1] = (struct cfi_rule){ 6, CFI_AT_CFA, 0, -16 };
        row_x86(&w, 3, 6, 16)->rules[1] = (struct cfi_rule){ 6, CFI_AT_CFA, 0, -16 };
        row_x86(&w, 4, 7, 8)->outermost = 1;
        w.stack[0] = at(1, 0x20);
        w.stack[4] = at(3, 0);   /* a call at the very end of function 2: it does not return */
        w.stack[5] = STACK + 80; /* rbp, saved by function 2 … */
        w.stack[6] = at(3, 0x50);
        w.stack[10] = 0x1234;
        w.stack[11] = at(4, 1); /* … on which function 3 rests */
        world_begin(&w, &arch_x86_64, SP_PC);
        world_run(&w);
        expect(&w, END_OUTERMOST, 5,
                (uint64_t[]){ at(0, 0x10), at(1, 0x20), at(3, 0), at(3, 0x50), at(4, 1) });
        assert_false(walk_frame(&w.walk, 0)->caller);
        assert_true(walk_frame(&w.walk, 1)->caller);
        assert_false(walk_frame(&w.walk, 3)->by_fp);
        assert_int_equal(w.fetched, 5);
        assert_false(w.walk.by_convention);
        walk_done(&w.walk);
}

/* /proc tells sp and pc only. What needs another register ends there, and says which. */
static void test_unknown_register(void **state)
{
        struct world w = { 0 };

        (void)state;
        row_x86(&w, 0, 7, 8);
        row_x86(&w, 1, 6, 16)->rules[1] = (struct cfi_rule){ 6, CFI_AT_CFA, 0, -16 };
        row_x86(&w, 2, 7, 8)->outermost = 1;
        w.stack[0] = at(1, 0x20);
        w.stack[9] = at(2, 0x20);
        world_begin(&w, &arch_x86_64, SP_PC);
        world_run(&w);
        expect(&w, END_REGISTER, 2, (uint64_t[]){ at(0, 0x10), at(1, 0x20) });
        assert_int_equal(w.walk.wanted, 6);
        walk_done(&w.walk);
        /* With all of them it goes on. */
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        expect(&w, END_OUTERMOST, 3, (uint64_t[]){ at(0, 0x10), at(1, 0x20), at(2, 0x20) });
        walk_done(&w.walk);
}

/* A handler's frame: registers from the context on the stack, and an exact pc. */
static void test_signal(void **state)
{
        /* deref of rsp + 40, as __restore_rt has it */
        static const uint8_t saved_sp[] = { 0x77, 40 }, saved_pc[] = { 0x77, 48 };
        struct world w = { 0 };
        struct cfi_row *row;

        (void)state;
        row_x86(&w, 0, 7, 8);
        row = row_x86(&w, 1, 7, 0);
        row->signal_frame = 1;
        row->cfa = (struct cfi_rule){ .how = CFI_EXPRESSION, .length = 3, .offset = 4 };
        memcpy(row->bytes, saved_sp, 2);
        memcpy(row->bytes + 2, saved_pc, 2);
        memcpy(row->bytes + 4, "\x77\x28\x06", 3);
        row->rules[row->n_rules - 1] =
                (struct cfi_rule){ .reg = 16, .how = CFI_AT_EXPRESSION, .length = 2, .offset = 2 };
        row_x86(&w, 2, 7, 8)->outermost = 1;
        w.stack[0] = at(1, 8);
        w.stack[6] = STACK + 0x100;
        w.stack[7] = at(2, 0); /* interrupted at its first instruction */
        world_begin(&w, &arch_x86_64, SP_PC);
        world_run(&w);
        expect(&w, END_OUTERMOST, 3, (uint64_t[]){ at(0, 0x10), at(1, 8), at(2, 0) });
        assert_true(walk_frame(&w.walk, 1)->signal);
        assert_false(walk_frame(&w.walk, 2)->caller);
        walk_done(&w.walk);
}

/* Code without CFI: by frame pointers, which are marked; and only into code. */
static void test_frame_pointers(void **state)
{
        struct world w = { 0 };

        (void)state;
        row_x86(&w, 2, 7, 8)->outermost = 1;
        w.stack[8] = STACK + 0x80;
        w.stack[9] = at(1, 5);
        w.stack[16] = 0;
        w.stack[17] = at(2, 5);
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        expect(&w, END_OUTERMOST, 3, (uint64_t[]){ at(0, 0x10), at(1, 5), at(2, 5) });
        assert_true(walk_frame(&w.walk, 1)->by_fp);
        assert_true(walk_frame(&w.walk, 2)->by_fp);
        assert_false(w.walk.by_convention);
        walk_done(&w.walk);

        w.stack[17] = 0x1234; /* no code */
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        expect(&w, END_WITHOUT, 2, (uint64_t[]){ at(0, 0x10), at(1, 5) });
        walk_done(&w.walk);

        w.stack[8] = 0; /* a frame pointer of 0 marks the outermost frame */
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        expect(&w, END_OUTERMOST, 2, (uint64_t[]){ at(0, 0x10), at(1, 5) });
        assert_true(w.walk.by_convention);
        walk_done(&w.walk);

        /* Of code that may keep none, 0 is only what somebody further out has left there. */
        world_begin(&w, &arch_x86_64, ALL);
        w.walk.regs.value[6] = 0;
        world_run(&w);
        expect(&w, END_WITHOUT, 1, (uint64_t[]){ at(0, 0x10) });
        walk_done(&w.walk);

        w.stack[8] = STACK - 64; /* it leads down */
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        assert_int_equal(w.walk.end, END_WITHOUT);
        walk_done(&w.walk);

        world_begin(&w, &arch_x86_64, SP_PC);
        world_run(&w);
        expect(&w, END_REGISTER, 1, (uint64_t[]){ at(0, 0x10) });
        walk_done(&w.walk);
}

static void test_ends(void **state)
{
        struct world w = { 0 };
        struct cfi_row *row;

        (void)state;
        row_x86(&w, 0, 7, 8);
        w.stack[0] = 0x9999; /* not code: no frame */
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        expect(&w, END_NOWHERE, 1, (uint64_t[]){ at(0, 0x10) });
        assert_int_equal(w.walk.wanted, 0x9999);
        walk_done(&w.walk);

        w.stack[0] = 0;
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        expect(&w, END_OUTERMOST, 1, (uint64_t[]){ at(0, 0x10) });
        walk_done(&w.walk);

        row_x86(&w, 0, 7, 0x10000); /* beyond the stack */
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        expect(&w, END_UNREADABLE, 1, (uint64_t[]){ at(0, 0x10) });
        walk_done(&w.walk);

        row_x86(&w, 0, 7, 8)->status = CFI_BAD;
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        expect(&w, END_UNUSABLE, 1, (uint64_t[]){ at(0, 0x10) });
        walk_done(&w.walk);

        /* Rows that make no sense, from a server that was taken over. */
        row = row_x86(&w, 0, 7, 8);
        row->n_rules = 255;
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        assert_int_equal(w.walk.end, END_UNUSABLE);
        walk_done(&w.walk);
        row = row_x86(&w, 0, 200, 8);
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        assert_int_equal(w.walk.end, END_UNUSABLE);
        walk_done(&w.walk);
        row = row_x86(&w, 0, 7, 8);
        row->rules[2] = (struct cfi_rule){ 16, CFI_EXPRESSION, 500, 0 };
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        assert_int_equal(w.walk.end, END_UNUSABLE);
        walk_done(&w.walk);
        row->rules[2] = (struct cfi_rule){ 16, CFI_EXPRESSION, 5, -100 };
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        assert_int_equal(w.walk.end, END_UNUSABLE);
        walk_done(&w.walk);
}

/* A stack that leads back into itself, after a while. */
static void test_loop(void **state)
{
        struct world w = { 0 };

        (void)state;
        row_x86(&w, 0, 7, 8);
        row_x86(&w, 1, 7, 8);
        row_x86(&w, 2, 7, -16 + 8); /* back */
        w.stack[0] = at(1, 5);
        w.stack[1] = at(1, 6);
        w.stack[2] = at(2, 5);
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        assert_int_equal(w.walk.end, END_LOOP);
        assert_true(w.walk.n < 20);
        walk_done(&w.walk);
}

/* Many frames: the innermost and the outermost are kept. */
static void test_deep(void **state)
{
        struct world w = { 0 };
        const size_t n = ARRAY_SIZE(w.stack) - 1;

        (void)state;
        row_x86(&w, 0, 7, 8);
        row_x86(&w, 1, 7, 8);
        row_x86(&w, 2, 7, 8)->outermost = 1;
        for (size_t i = 0; i < n; i++)
                w.stack[i] = at(1, 1 + (unsigned)(i % 0xf0));
        w.stack[n - 1] = at(2, 9);
        world_begin(&w, &arch_x86_64, ALL);
        world_run(&w);
        assert_int_equal(w.walk.end, END_OUTERMOST);
        assert_int_equal(w.walk.n, n + 1);
        assert_int_equal(walk_kept(&w.walk), WALK_INNER + WALK_OUTER);
        for (size_t i = 1; i < WALK_INNER; i++)
                assert_int_equal(walk_frame(&w.walk, i)->pc, w.stack[i - 1]);
        for (size_t i = 0; i < WALK_OUTER; i++)
                assert_int_equal(
                        walk_frame(&w.walk, WALK_INNER + i)->pc, w.stack[n - WALK_OUTER + i]);
        walk_done(&w.walk);
}

/* A leaf whose return address is in x30, a frame by x29, signed return addresses. */
static void test_arm64(void **state)
{
        const uint64_t signature = UINT64_C(0x2d7) << 48;
        struct world w = { 0 };
        struct user_regs regs = { .known = UINT64_C(0x1ffffffff) };
        struct code_source code = { world_find, &w };

        (void)state;
        for (unsigned i = 0; i < 3; i++) {
                struct cfi_row *row = &w.rows[i];

                *row = (struct cfi_row){ .status = CFI_ROW, .ra = 30, .ra_signed = 1 };
                row->cfa = (struct cfi_rule){ .reg = 31, .how = CFI_REGISTER_OFFSET };
                row->rules[row->n_rules++] = (struct cfi_rule){ .reg = 29, .how = CFI_SAME };
                row->rules[row->n_rules++] = (struct cfi_rule){ .reg = 30, .how = CFI_SAME };
        }
        w.rows[1].cfa = (struct cfi_rule){ .reg = 29, .how = CFI_REGISTER_OFFSET, .offset = 32 };
        w.rows[1].rules[0] = (struct cfi_rule){ 29, CFI_AT_CFA, 0, -32 };
        w.rows[1].rules[1] = (struct cfi_rule){ 30, CFI_AT_CFA, 0, -24 };
        w.rows[2].outermost = 1;
        regs.value[29] = STACK + 16;
        regs.value[30] = at(1, 8) | signature;
        regs.value[31] = STACK;
        regs.value[32] = at(0, 4);
        w.stack[2] = STACK + 0x200;
        w.stack[3] = at(2, 8) | signature;
        walk_init(&w.walk, &arch_arm64, &code, &regs);
        world_run(&w);
        expect(&w, END_OUTERMOST, 3, (uint64_t[]){ at(0, 4), at(1, 8), at(2, 8) });
        walk_done(&w.walk);

        /* Without CFI: frame records, until one of 0. */
        memset(w.rows, 0, sizeof(w.rows));
        w.stack[64] = 0;
        w.stack[65] = at(3, 8) | signature;
        regs.value[29] = STACK + 16;
        walk_init(&w.walk, &arch_arm64, &code, &regs);
        world_run(&w);
        expect(&w, END_OUTERMOST, 3, (uint64_t[]){ at(0, 4), at(2, 8), at(3, 8) });
        walk_done(&w.walk);
}

static void test_i386(void **state)
{
        struct world w = { 0 };
        struct user_regs wide = { .known = ALL }, regs;
        struct code_source code = { world_find, &w };
        uint32_t *stack = (uint32_t *)w.stack;
        struct cfi_row *row = &w.rows[0];

        (void)state;
        for (unsigned i = 0; i < 17; i++)
                wide.value[i] = 0x100 + i;
        wide.value[7] = STACK;
        wide.value[16] = at(0, 4);
        arch_narrow(&wide, &regs);
        assert_int_equal(regs.known, 0x1ff);
        assert_int_equal(regs.value[4], STACK);    /* esp */
        assert_int_equal(regs.value[5], 0x106);    /* ebp */
        assert_int_equal(regs.value[8], at(0, 4)); /* eip */
        assert_int_equal(regs.value[3], 0x103);    /* ebx */
        *row = (struct cfi_row){ .status = CFI_ROW, .ra = 8 };
        row->cfa = (struct cfi_rule){ .reg = 4, .how = CFI_REGISTER_OFFSET, .offset = 8 };
        row->rules[row->n_rules++] = (struct cfi_rule){ 8, CFI_AT_CFA, 0, -4 };
        w.rows[1] = *row;
        w.rows[1].outermost = 1;
        stack[1] = (uint32_t)at(1, 8);
        walk_init(&w.walk, &arch_i386, &code, &regs);
        world_run(&w);
        expect(&w, END_OUTERMOST, 2, (uint64_t[]){ at(0, 4), at(1, 8) });
        walk_done(&w.walk);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_expression),
                cmocka_unit_test(test_bad_expressions),
                cmocka_unit_test(test_memory),
                cmocka_unit_test(test_pieces),
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_unknown_register),
                cmocka_unit_test(test_signal),
                cmocka_unit_test(test_frame_pointers),
                cmocka_unit_test(test_ends),
                cmocka_unit_test(test_loop),
                cmocka_unit_test(test_deep),
                cmocka_unit_test(test_arm64),
                cmocka_unit_test(test_i386),
        };

        return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
