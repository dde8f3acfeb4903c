/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Thousands of damaged ELF files for the ELF server, always the same ones: each is answered or
 * refused, in time, and a good module beside them keeps its answers. PWHY_SOURCE has the files.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "symbol/elfserver.h"

#define ROUNDS 700           /* of each kind, for each file… */
#define ROUNDS_SANITIZED 150 /* …where the helper is that much slower */
#define BUDGET_NS (30 * NS_PER_S)
#define PLACES 16

static uint64_t random_state = 88172645463325252ULL;

/* xorshift64: the same numbers everywhere. */
static uint64_t random_below(uint64_t n)
{
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return n ? random_state % n : 0;
}

static unsigned rounds(void)
{
        return getenv("PWHY_SANITIZED") ? ROUNDS_SANITIZED : ROUNDS;
}

struct file {
        uint8_t *bytes;
        size_t n;
};

static struct file file_read(const char *name)
{
        char path[4096];
        struct file f = { .bytes = malloc(1 << 20) };
        int fd;

        snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/elf/%s", getenv("PWHY_SOURCE"), name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                fail_msg("%s: %s", path, strerror(errno));
        f.n = (size_t)read(fd, f.bytes, 1 << 20);
        close(fd);
        assert_in_range(f.n, sizeof(Elf64_Ehdr), 1 << 20);
        return f;
}

static int file_fd(const uint8_t *bytes, size_t n)
{
        int fd = memfd_create("elf", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, bytes, n), (ssize_t)n);
        return fd;
}

static const uint64_t extremes[] = { 0, 1, 7, 0xff, 0xffff, 0x7fffffff, 0xffffffff,
        0x7fffffffffffffff, 0xffffffffffffffff, 0x8000000000000000, 0xfffffffffffffff0 };

static void flip(struct file *f)
{
        for (uint64_t n = 1 + random_below(40); n; n--)
                f->bytes[random_below(f->n)] ^= (uint8_t)(1U << random_below(8));
}

static void overwrite(struct file *f)
{
        size_t at = random_below(f->n), n = 1 + random_below(64);

        if (n > f->n - at)
                n = f->n - at;
        for (size_t i = 0; i < n; i++)
                f->bytes[at + i] = (uint8_t)random_below(256);
}

static void truncate_file(struct file *f)
{
        f->n = 1 + random_below(f->n);
}

/* A field of the ELF header, or of a section or program header, to something extreme. */
static void extreme_field(struct file *f)
{
        Elf64_Ehdr *e = (Elf64_Ehdr *)f->bytes;
        size_t start = 0, n = sizeof(*e), width = 1U << (1 + random_below(3)), at;
        uint64_t which = random_below(3);
        uint64_t value = extremes[random_below(ARRAY_SIZE(extremes))];

        if (which == 1) {
                start = e->e_shoff;
                n = (size_t)e->e_shnum * e->e_shentsize;
        } else if (which == 2) {
                start = e->e_phoff;
                n = (size_t)e->e_phnum * e->e_phentsize;
        }
        if (n < width || start > f->n || n > f->n - start)
                return;
        at = start + random_below(n / width) * width;
        if (which == 0 && at < 6)
                return; /* no ELF file at all: not interesting */
        memcpy(f->bytes + at, &value, width);
}

/* One section lies where another does, or links to another. */
static void overlap(struct file *f)
{
        Elf64_Ehdr *e = (Elf64_Ehdr *)f->bytes;
        Elf64_Shdr *s = (Elf64_Shdr *)(f->bytes + e->e_shoff), *a, *b;

        if (!e->e_shnum || e->e_shoff + e->e_shnum * sizeof(*s) > f->n)
                return;
        a = &s[random_below(e->e_shnum)];
        b = &s[random_below(e->e_shnum)];
        switch (random_below(5)) {
        case 0:
                a->sh_offset = b->sh_offset;
                break;
        case 1:
                a->sh_name = b->sh_name;
                break;
        case 2:
                a->sh_link = (uint32_t)(b - s);
                break;
        case 3:
                a->sh_type = b->sh_type;
                break;
        default:
                a->sh_size = b->sh_offset + b->sh_size;
                break;
        }
}

static void (*const mutations[])(
        struct file *f) = { flip, overwrite, truncate_file, extreme_field, overlap };

struct count {
        unsigned asked, answered, refused, crashed, late;
        int64_t slowest_ns;
};

static void tell(struct count *c, int r)
{
        if (r == 0)
                c->answered++;
        else if (r == -EIO)
                c->crashed++;
        else if (r == -ETIMEDOUT)
                c->late++;
        else if (r == -ENOEXEC || r == -ENOMEM || r == -E2BIG || r == -EPROTO || r == -ESTALE)
                c->refused++;
        else
                fail_msg("error %d", r);
}

/* All there is to ask about a module. */
static int ask(struct elfserver *s, unsigned id, const struct elf_facts *facts, struct arena *arena)
{
        uint64_t addresses[PLACES];
        struct cfi_row rows[PLACES];
        struct elf_name names[PLACES];
        int r;

        for (unsigned i = 0; i < PLACES; i++) {
                const struct elf_segment *segment =
                        &facts->segments[facts->n_segments ? i % facts->n_segments : 0];

                addresses[i] = segment->address + random_below(segment->file_size);
        }
        r = elfserver_rows(s, id, addresses, PLACES, rows);
        if (r == 0)
                r = elfserver_names(s, id, ELF_NAMES_LINES, addresses, PLACES, arena, names);
        for (unsigned i = 0; i < PLACES && r == 0; i++)
                assert_true(rows[i].start <= addresses[i] && addresses[i] < rows[i].end);
        return r;
}

static void mutate_one(struct elfserver *s, const struct file *good, unsigned kind, struct count *c)
{
        struct file f = { .bytes = malloc(good->n), .n = good->n };
        int64_t start = clock_ns(CLOCK_MONOTONIC), took_ns;
        struct arena *arena = arena_new();
        struct elf_facts facts;
        unsigned id;
        int fd, r;

        memcpy(f.bytes, good->bytes, good->n);
        mutations[kind](&f);
        fd = file_fd(f.bytes, f.n);
        free(f.bytes);
        c->asked++;
        r = elfserver_add(s, fd, &id, &facts);
        if (r == 0)
                r = ask(s, id, &facts, arena);
        tell(c, r);
        took_ns = clock_ns(CLOCK_MONOTONIC) - start;
        if (took_ns > c->slowest_ns)
                c->slowest_ns = took_ns;
        arena_free(arena);
}

static void mutate_file(const char *name)
{
        const struct file good = file_read(name);
        struct count c = { 0 };
        struct elf_facts facts;
        unsigned id;

        for (unsigned kind = 0; kind < ARRAY_SIZE(mutations); kind++) {
                struct elfserver *s;

                assert_int_equal(elfserver_new(NULL, BUDGET_NS, &s), 0);
                assert_int_equal(elfserver_add(s, file_fd(good.bytes, good.n), &id, &facts), 0);
                for (unsigned i = 0; i < rounds(); i++) {
                        struct arena *arena = i % 50 ? NULL : arena_new();

                        mutate_one(s, &good, kind, &c);
                        /* What crashes is no loss to others. */
                        if (arena)
                                assert_int_equal(ask(s, id, &facts, arena), 0);
                        arena_free(arena);
                }
                elfserver_free(s);
        }
        free(good.bytes);
        print_message("%s: %u files: %u answered, %u refused, %u crashed, %u late; %.0f ms\n", name,
                c.asked, c.answered, c.refused, c.crashed, c.late,
                (double)c.slowest_ns / NS_PER_MS);
        assert_int_equal(c.late, 0);
        /* A test of the parser, too: most of the damage does not matter to it. */
        assert_true(c.answered > c.asked / 4);
        assert_true(c.crashed < c.asked / 50);
}

static void test_x86(void **state)
{
        (void)state;
        mutate_file("x86");
}

static void test_arm64(void **state)
{
        (void)state;
        mutate_file("arm64");
}

static void test_minidebug(void **state)
{
        (void)state;
        mutate_file("mini");
}

static void test_debug_frame(void **state)
{
        (void)state;
        mutate_file("frame");
}

static void test_no_sections(void **state)
{
        (void)state;
        mutate_file("nosections");
}

/* 4 GiB with nothing in them: the sections of a good file are said to be as large. */
static void test_sparse(void **state)
{
        const uint64_t size = UINT64_C(4) << 30;
        const struct file good = file_read("x86");
        int64_t start = clock_ns(CLOCK_MONOTONIC);
        Elf64_Ehdr *e = (Elf64_Ehdr *)good.bytes;
        Elf64_Shdr *sections = (Elf64_Shdr *)(good.bytes + e->e_shoff);
        struct arena *arena = arena_new();
        struct elf_facts facts;
        struct elfserver *s;
        struct count c = { 0 };

        (void)state;
        assert_int_equal(elfserver_new(NULL, BUDGET_NS, &s), 0);
        for (unsigned i = 0; i < e->e_shnum; i++) {
                Elf64_Shdr before = sections[i];
                unsigned id;
                int fd, r;

                sections[i].sh_size = size - before.sh_offset;
                fd = file_fd(good.bytes, good.n);
                sections[i] = before;
                assert_int_equal(ftruncate(fd, (off_t)size), 0);
                r = elfserver_add(s, fd, &id, &facts);
                if (r == 0)
                        r = ask(s, id, &facts, arena);
                tell(&c, r);
        }
        print_message("sparse: %u answered, %u refused, %u crashed, %u late; %.0f ms\n", c.answered,
                c.refused, c.crashed, c.late,
                (double)(clock_ns(CLOCK_MONOTONIC) - start) / NS_PER_MS);
        assert_true(clock_ns(CLOCK_MONOTONIC) - start < BUDGET_NS + 5 * NS_PER_S);
        assert_true(c.answered > 0);
        elfserver_free(s);
        arena_free(arena);
        free(good.bytes);
}

/* The file becomes shorter while it is mapped: SIGBUS, in there. */
static void test_shrinks(void **state)
{
        const struct file good = file_read("x86");
        int fd = file_fd(good.bytes, good.n), other = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        struct arena *arena = arena_new();
        struct elf_facts facts;
        struct elfserver *s;
        unsigned id, second;

        (void)state;
        assert_int_equal(elfserver_new(NULL, BUDGET_NS, &s), 0);
        assert_int_equal(elfserver_add(s, file_fd(good.bytes, good.n), &second, NULL), 0);
        assert_int_equal(elfserver_add(s, fd, &id, &facts), 0);
        assert_int_equal(ftruncate(other, 0), 0);
        /* A fresh server is asked, too, and finds an empty file. */
        assert_int_equal(ask(s, id, &facts, arena), -ENOEXEC);
        assert_int_equal(ask(s, id, &facts, arena), -EBADF);
        assert_int_equal(ask(s, second, &facts, arena), 0);
        close(other);
        elfserver_free(s);
        arena_free(arena);
        free(good.bytes);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_x86),
                cmocka_unit_test(test_arm64),
                cmocka_unit_test(test_minidebug),
                cmocka_unit_test(test_debug_frame),
                cmocka_unit_test(test_no_sections),
                cmocka_unit_test(test_sparse),
                cmocka_unit_test(test_shrinks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
