/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * symbol/elfserver.c with the real helper on this program's own file, and with one whose parser
 * has been taken over (elf-misbehave.c): nothing it does may reach beyond its module.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/worker.h"
#include "symbol/elfserver.h"
#include "unit/elf-misbehave.h"

#define BUDGET_NS (8 * NS_PER_S)

struct fixture {
        struct arena *arena;
        struct elfserver *server;
        unsigned id; /* of this program */
        struct elf_facts facts;
};

static int find_base(struct dl_phdr_info *info, size_t size, void *data)
{
        (void)size;
        *(uint64_t *)data = info->dlpi_addr;
        return 1; /* the first is the program */
}

/* Of a function of this program, in the file's own addresses. */
static uint64_t address_of(void (*function)(void))
{
        uint64_t base = 0;

        dl_iterate_phdr(find_base, &base);
        return (uint64_t)(uintptr_t)function - base;
}

__attribute__((noinline)) static void known_function(void)
{
        __asm__ volatile("");
}

static int self_open(void)
{
        return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}

static struct fixture *fixture_new(const char *helper, int64_t budget_ns)
{
        struct fixture *f = calloc(1, sizeof(*f));

        setenv("PWHY_ELF", helper, 1);
        f->arena = arena_new();
        assert_non_null(f->arena);
        assert_int_equal(elfserver_new(NULL, budget_ns, &f->server), 0);
        return f;
}

static int setup_real(void **state)
{
        struct fixture *f = fixture_new(getenv("PWHY_ELF_REAL"), BUDGET_NS);

        *state = f;
        return elfserver_add(f->server, self_open(), &f->id, &f->facts);
}

static int setup_bad(void **state)
{
        struct fixture *f = fixture_new(getenv("PWHY_ELF_MISBEHAVE"), BUDGET_NS);

        *state = f;
        return elfserver_add(f->server, self_open(), &f->id, &f->facts);
}

static int setup_impatient(void **state)
{
        struct fixture *f = fixture_new(getenv("PWHY_ELF_MISBEHAVE"), 2 * NS_PER_S);

        *state = f;
        return elfserver_add(f->server, self_open(), &f->id, &f->facts);
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        elfserver_free(f->server);
        arena_free(f->arena);
        free(f);
        return 0;
}

static void test_facts(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(f->facts.class64, 1);
        assert_in_range(f->facts.n_segments, 1, ELF_SEGMENTS_MAX);
        assert_true(f->facts.has_eh_frame);
}

static void test_name(void **state)
{
        struct fixture *f = *state;
        uint64_t address = address_of(known_function);
        struct elf_name name;

        assert_int_equal(
                elfserver_names(f->server, f->id, ELF_NAMES_LINES, &address, 1, f->arena, &name),
                0);
        assert_string_equal(name.function, "known_function");
        assert_int_equal(name.offset, 0);
}

static void test_row(void **state)
{
        struct fixture *f = *state;
        uint64_t addresses[300];
        struct cfi_row rows[300];

        /* More than one request's worth. */
        for (size_t i = 0; i < 300; i++)
                addresses[i] = i % 2 ? address_of(known_function) : 1;
        assert_int_equal(elfserver_rows(f->server, f->id, addresses, 300, rows), 0);
        for (size_t i = 0; i < 300; i++) {
                assert_int_equal(rows[i].status, i % 2 ? CFI_ROW : CFI_NONE);
                assert_in_range(addresses[i], rows[i].start, rows[i].end - 1);
        }
}

static void test_nothing_asked(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(elfserver_rows(f->server, f->id, NULL, 0, NULL), 0);
        assert_int_equal(elfserver_rows(f->server, 99, (uint64_t[]){ 1 }, 1, NULL), -EINVAL);
}

static int memory_file(const void *bytes, size_t n)
{
        int fd = memfd_create("elf", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, bytes, n), (ssize_t)n);
        return fd;
}

static void test_no_elf(void **state)
{
        static const char *const texts[] = { "", "x", "\177ELF", "#!/bin/sh\n" };
        struct fixture *f = *state;
        unsigned id;

        for (size_t i = 0; i < 4; i++)
                assert_int_equal(elfserver_add(f->server, memory_file(texts[i], strlen(texts[i])),
                                         &id, NULL),
                        -ENOEXEC);
        assert_int_equal(
                elfserver_add(f->server, open("/", O_RDONLY | O_CLOEXEC), &id, NULL), -ENOEXEC);
        assert_int_equal(
                elfserver_add(f->server, open("/dev/zero", O_RDONLY | O_CLOEXEC), &id, NULL),
                -ENOEXEC);
        test_name(state);
}

/* The image of the vDSO, as a memfd. */
static void test_vdso(void **state)
{
        struct fixture *f = *state;
        char line[512];
        FILE *maps = fopen("/proc/self/maps", "re");
        unsigned long start = 0, end = 0;
        struct elf_facts facts;
        unsigned id;

        while (fgets(line, sizeof(line), maps))
                if (strstr(line, "[vdso]"))
                        assert_int_equal(sscanf(line, "%lx-%lx", &start, &end), 2);
        fclose(maps);
        if (!start)
                skip();
        assert_int_equal(
                elfserver_add(f->server, memory_file((void *)start, end - start), &id, &facts), 0);
        assert_int_equal(facts.type, ET_DYN);
        assert_true(facts.n_build_id > 0);
}

/* A debug file of another program is not taken, and the module stays good. */
static void test_other_build(void **state)
{
        struct fixture *f = *state;
        int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        struct stat st;
        char *copy;

        assert_int_equal(fstat(fd, &st), 0);
        copy = malloc((size_t)st.st_size);
        assert_int_equal(read(fd, copy, (size_t)st.st_size), st.st_size);
        close(fd);
        if (f->facts.n_build_id) {
                char *id = memmem(copy, (size_t)st.st_size, f->facts.build_id, f->facts.n_build_id);

                assert_non_null(id);
                id[3] ^= 1;
        }
        fd = memory_file(copy, (size_t)st.st_size);
        free(copy);
        assert_int_equal(elfserver_debug(f->server, f->id, ELF_DEBUG, fd, NULL), -ESTALE);
        test_name(state);
}

static void status_line(pid_t pid, const char *name, char value[static 128]);

/* PIDs of this process's children that have not ended. */
static size_t children(pid_t pids[static 16])
{
        char path[64];
        size_t n = 0;
        FILE *file;
        int pid;

        snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
        file = fopen(path, "re");
        if (!file)
                return 0;
        while (n < 16 && fscanf(file, "%d", &pid) == 1) {
                char state[128];

                status_line(pid, "State:\t", state);
                if (state[0] != 'Z' && state[0] != 'X')
                        pids[n++] = pid;
        }
        fclose(file);
        return n;
}

static void status_line(pid_t pid, const char *name, char value[static 128])
{
        char path[64], line[256];
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        file = fopen(path, "re");
        assert_non_null(file);
        value[0] = 0;
        while (fgets(line, sizeof(line), file))
                if (strncmp(line, name, strlen(name)) == 0)
                        snprintf(value, 128, "%s", line + strlen(name));
        fclose(file);
        value[strcspn(value, "\n")] = 0;
}

static size_t fds_count(pid_t pid)
{
        char path[64];
        size_t n = 0;
        DIR *dir;

        snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
        dir = opendir(path);
        if (!dir)
                return 0;
        while (readdir(dir))
                n++;
        closedir(dir);
        return n - 2;
}

static bool sanitized(void)
{
        return getenv("PWHY_SANITIZED") != NULL;
}

/* What the kernel says about the helper. */
static void test_confined(void **state)
{
        char value[128];
        pid_t pids[16];

        test_name(state); /* it has said hello */
        assert_int_equal(children(pids), 1);
        status_line(pids[0], "CapEff:\t", value);
        assert_string_equal(value, "0000000000000000");
        status_line(pids[0], "CapPrm:\t", value);
        assert_string_equal(value, "0000000000000000");
        status_line(pids[0], "CapInh:\t", value);
        assert_string_equal(value, "0000000000000000");
        status_line(pids[0], "NoNewPrivs:\t", value);
        assert_string_equal(value, "1");
        if (!sanitized()) {
                status_line(pids[0], "Seccomp:\t", value);
                assert_string_equal(value, "2");
        }
        if (geteuid() != 0)
                return;
        status_line(pids[0], "CapBnd:\t", value);
        assert_string_equal(value, "0000000000000000");
        status_line(pids[0], "Uid:\t", value);
        assert_string_equal(value, "65534\t65534\t65534\t65534");
        status_line(pids[0], "Gid:\t", value);
        assert_string_equal(value, "65534\t65534\t65534\t65534");
        status_line(pids[0], "Groups:\t", value);
        assert_string_equal(value, " ");
        /* Standard streams, the socket, this program. */
        assert_int_equal(fds_count(pids[0]), 5);
}

/* Two servers do not share descriptors, and no helper outlives its server. */
static void test_ends(void **state)
{
        struct fixture *f = *state;
        struct fixture *g = fixture_new(getenv("PWHY_ELF_REAL"), BUDGET_NS);
        void *second = g;
        pid_t pids[16];

        (void)f;
        assert_int_equal(elfserver_add(g->server, self_open(), &g->id, NULL), 0);
        test_name(&second);
        assert_int_equal(children(pids), 2);
        teardown(&second);
        /* It has been killed; that it has ended is a matter of moments. */
        for (int i = 0; i < 2000 && children(pids) > 1; i++)
                usleep(5000);
        assert_int_equal(children(pids), 1);
        test_name(state);
}

/* Its parent is killed: so is it. */
static void test_orphan(void **state)
{
        pid_t pids[16], child, helper;
        int pipe_fds[2];

        (void)state;
        assert_int_equal(pipe(pipe_fds), 0);
        child = fork();
        if (child == 0) {
                struct fixture *g = fixture_new(getenv("PWHY_ELF_REAL"), BUDGET_NS);

                if (elfserver_add(g->server, self_open(), &g->id, NULL) == 0 &&
                        children(pids) == 1 && write(pipe_fds[1], pids, sizeof(*pids)) > 0)
                        pause();
                _exit(1);
        }
        close(pipe_fds[1]);
        assert_int_equal(read(pipe_fds[0], &helper, sizeof(helper)), sizeof(helper));
        close(pipe_fds[0]);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        for (int i = 0; i < 2000; i++) {
                char value[128], path[32];

                snprintf(path, sizeof(path), "/proc/%d", (int)helper);
                if (access(path, F_OK) < 0)
                        return;
                status_line(helper, "State:\t", value);
                if (value[0] == 'Z' || value[0] == 'X')
                        return;
                usleep(5000);
        }
        fail_msg("the helper outlives the process that started it");
}

static int misbehave(struct fixture *f, unsigned id, uint64_t how, struct elf_name *ret)
{
        return elfserver_names(f->server, id, ELF_NAMES_SYMBOLS, &how, 1, f->arena, ret);
}

/* Each ends the server and its module alone: -EIO, then -EBADF; another module goes on. */
static void test_forbidden(void **state)
{
        struct fixture *f = *state;
        struct elf_name name;

        for (uint64_t how = DO_OPEN; how < DO_FORBIDDEN_END; how++) {
                unsigned id;

                if (sanitized() && how != DO_CRASH)
                        continue;
                assert_int_equal(elfserver_add(f->server, self_open(), &id, NULL), 0);
                assert_int_equal(misbehave(f, id, DO_NOTHING, &name), 0);
                if (misbehave(f, id, how, &name) != -EIO)
                        fail_msg("misbehaviour %d was allowed", (int)how);
                assert_int_equal(misbehave(f, id, DO_NOTHING, &name), -EBADF);
                assert_int_equal(misbehave(f, f->id, DO_NOTHING, &name), 0);
        }
}

static void test_memory(void **state)
{
        struct fixture *f = *state;
        struct elf_name name;

        if (sanitized())
                skip();
        assert_int_equal(misbehave(f, f->id, DO_TAKE_MEMORY, &name), -ENOMEM);
        assert_int_equal(misbehave(f, f->id, DO_NOTHING, &name), 0);
}

static void test_lies(void **state)
{
        struct fixture *f = *state;
        struct elf_name name;

        assert_int_equal(misbehave(f, f->id, DO_LIE_STRING, &name), 0);
        assert_null(name.function);
        assert_null(name.symbol);
        assert_int_equal(misbehave(f, f->id, DO_LIE_INLINED, &name), 0);
        assert_int_equal(name.n_inlined, 0);
        assert_int_equal(misbehave(f, f->id, DO_LIE_COUNT, &name), -EPROTO);
        assert_int_equal(misbehave(f, f->id, DO_LIE_SIZE, &name), -EPROTO);
}

/* Whatever takes too long is killed, others are asked on, and all of it takes the budget. */
static void test_hangs(void **state)
{
        struct fixture *f = *state;
        int64_t start = clock_ns(CLOCK_MONOTONIC), took_ns;
        struct elf_name name;
        unsigned ids[4];

        for (size_t i = 0; i < 4; i++)
                assert_int_equal(elfserver_add(f->server, self_open(), &ids[i], NULL), 0);
        for (size_t i = 0; i < 4; i++) {
                assert_int_equal(misbehave(f, ids[i], DO_SLEEP, &name), -ETIMEDOUT);
                assert_int_equal(misbehave(f, ids[i], DO_NOTHING, &name), -EBADF);
        }
        assert_int_equal(misbehave(f, f->id, DO_NOTHING, &name), 0);
        took_ns = clock_ns(CLOCK_MONOTONIC) - start;
        assert_true(took_ns < BUDGET_NS);
}

/* What computes for ever gets more time, since it could be the machine that is busy. */
static void test_spins(void **state)
{
        struct fixture *f = *state;
        int64_t start = clock_ns(CLOCK_MONOTONIC);
        struct elf_name name;
        unsigned id;

        assert_int_equal(elfserver_add(f->server, self_open(), &id, NULL), 0);
        assert_int_equal(misbehave(f, id, DO_SPIN, &name), -ETIMEDOUT);
        assert_true(clock_ns(CLOCK_MONOTONIC) - start < 5 * NS_PER_S);
        assert_int_equal(misbehave(f, f->id, DO_NOTHING, &name), 0);
}

static void test_budget(void **state)
{
        struct fixture *f = *state;
        int64_t start = clock_ns(CLOCK_MONOTONIC);
        struct elf_name name;
        unsigned id;
        int r;

        for (size_t i = 0; i < 1000; i++) {
                r = elfserver_add(f->server, self_open(), &id, NULL);
                if (r == 0)
                        r = misbehave(f, id, DO_SLEEP, &name);
                assert_int_equal(r, -ETIMEDOUT);
        }
        assert_true(clock_ns(CLOCK_MONOTONIC) - start < 8 * NS_PER_S);
}

static int beating(void *arg)
{
        struct fixture *f = arg;
        struct elf_name name;

        if (elfserver_add(f->server, self_open(), &f->id, NULL) < 0)
                return -EINVAL;
        return misbehave(f, f->id, DO_SLEEP, &name) == -ETIMEDOUT ? 0 : -EBADF;
}

/* A worker that waits for the server does not count as hanging. */
static void test_watch(void **state)
{
        struct fixture *f = *state, in_worker = *f;
        struct watch *watch = watch_new(f->arena);

        assert_int_equal(elfserver_new(watch, 8 * NS_PER_S, &in_worker.server), 0);
        /* Patience of the watch: 0.4 s; of the server: 2 s. */
        assert_int_equal(worker_run(watch, 1600 * NS_PER_MS, beating, &in_worker), 0);
        assert_int_equal(watch->n_hung, 0);
        elfserver_free(in_worker.server);
}

static void test_no_helper(void **state)
{
        struct fixture *f = fixture_new("/nonexistent/pwhy-elf", BUDGET_NS);
        void *second = f;
        unsigned id;

        (void)state;
        assert_int_equal(elfserver_add(f->server, self_open(), &id, NULL), -EOPNOTSUPP);
        assert_int_equal(elfserver_add(f->server, self_open(), &id, NULL), -EOPNOTSUPP);
        teardown(&second);
        /* One that is no helper. */
        f = fixture_new("/bin/true", BUDGET_NS);
        second = f;
        assert_int_equal(elfserver_add(f->server, self_open(), &id, NULL), -EOPNOTSUPP);
        teardown(&second);
        f = fixture_new("/bin/cat", BUDGET_NS);
        second = f;
        assert_int_equal(elfserver_add(f->server, self_open(), &id, NULL), -EOPNOTSUPP);
        teardown(&second);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_facts, setup_real, teardown),
                cmocka_unit_test_setup_teardown(test_name, setup_real, teardown),
                cmocka_unit_test_setup_teardown(test_row, setup_real, teardown),
                cmocka_unit_test_setup_teardown(test_nothing_asked, setup_real, teardown),
                cmocka_unit_test_setup_teardown(test_no_elf, setup_real, teardown),
                cmocka_unit_test_setup_teardown(test_vdso, setup_real, teardown),
                cmocka_unit_test_setup_teardown(test_other_build, setup_real, teardown),
                cmocka_unit_test_setup_teardown(test_confined, setup_real, teardown),
                cmocka_unit_test_setup_teardown(test_ends, setup_real, teardown),
                cmocka_unit_test(test_orphan),
                cmocka_unit_test_setup_teardown(test_forbidden, setup_bad, teardown),
                cmocka_unit_test_setup_teardown(test_memory, setup_bad, teardown),
                cmocka_unit_test_setup_teardown(test_lies, setup_bad, teardown),
                cmocka_unit_test_setup_teardown(test_hangs, setup_bad, teardown),
                cmocka_unit_test_setup_teardown(test_spins, setup_impatient, teardown),
                cmocka_unit_test_setup_teardown(test_budget, setup_impatient, teardown),
                cmocka_unit_test_setup_teardown(test_watch, setup_bad, teardown),
                cmocka_unit_test(test_no_helper),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
