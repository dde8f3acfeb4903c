/* SPDX-License-Identifier: GPL-2.0-or-later */
/* target/select.c: numbers and names to processes, over recorded trees made here. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/procio.h"
#include "pwhy.h"
#include "query.h"
#include "target/select.h"

#include "tree.h"

#define KTHREAD "2129984" /* flags of stat with PF_KTHREAD */

struct fixture {
        struct tree tree;
        struct arena *arena;
        struct procio *io;
        struct pwhy_query *query;
        struct selection s;
        pid_t self[2];
};

/* A process with its main thread. cmdline: arguments joined by '|'; exe NULL: none. */
static void process_add(
        struct fixture *f, int pid, const char *comm, const char *exe, const char *cmdline)
{
        char name[64], args[1024];
        size_t len = 0;

        tree_stat(&f->tree, pid, pid, comm, 'S', 1);
        tree_add(&f->tree, pid, "status", "Name:\t%s\nTgid:\t%d\nPid:\t%d\nPPid:\t1\n",
                strlen(comm) < 16 ? comm : "x", pid, pid);
        if (exe)
                tree_link(&f->tree, pid, "exe", exe);
        for (; cmdline && *cmdline; cmdline++)
                args[len++] = *cmdline == '|' ? 0 : *cmdline;
        if (cmdline)
                args[len++] = 0;
        snprintf(name, sizeof(name), "%d/cmdline", pid);
        tree_bytes(&f->tree, name, args, len);
}

static void thread_add(struct fixture *f, int pid, int tid, const char *comm)
{
        tree_stat(&f->tree, pid, tid, comm, 'S', 1);
}

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        tree_new(&f->tree);
        f->arena = arena_new();
        f->self[0] = f->self[1] = -1;
        if (!f->arena || procio_new(f->tree.root, NULL, &f->io) < 0 ||
                pwhy_query_new(&f->query) < 0)
                return -1;
        process_add(f, 1, "systemd", "/usr/lib/systemd/systemd", "/sbin/init|splash");
        tree_add(&f->tree, 2, "stat",
                "2 (kthreadd) S 0 0 0 0 -1 " KTHREAD
                " 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
                "0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
        process_add(f, 100, "bash", "/usr/bin/bash", "-bash");
        process_add(f, 101, "bash", "/usr/bin/bash", "bash");
        process_add(f, 200, "nginx", "/usr/sbin/nginx", "nginx: worker process");
        process_add(f, 201, "nginx", "/usr/sbin/nginx (deleted)", "nginx: master process");
        process_add(f, 300, "python3", "/usr/bin/python3.11", "python3|-u|/opt/app/server.py|-v");
        process_add(f, 301, "sh", "/usr/bin/dash", "/bin/sh|./backup.sh");
        process_add(f, 302, "renamed-comm", "/opt/db/mysqld", "/opt/db/mysqld|--basedir=/opt");
        process_add(f, 400, "threaded", "/usr/bin/threaded", "threaded");
        thread_add(f, 400, 401, "worker");
        thread_add(f, 400, 402, "worker");
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        pwhy_query_free(f->query);
        procio_free(f->io);
        arena_free(f->arena);
        tree_free(&f->tree);
        free(f);
        return 0;
}

static void select_all_of(struct fixture *f, const char *const *names, size_t n)
{
        bool all = f->query->all, main_thread = f->query->main_thread;

        pwhy_query_free(f->query);
        assert_int_equal(pwhy_query_new(&f->query), 0);
        f->query->all = all;
        f->query->main_thread = main_thread;
        for (size_t i = 0; i < n; i++)
                assert_int_equal(pwhy_query_add_target(f->query, names[i]), 0);
        assert_int_equal(select_targets(f->io, f->arena, f->query, f->self, &f->s), 0);
        assert_false(arena_failed(f->arena));
}

static void select_one_of(struct fixture *f, const char *name)
{
        select_all_of(f, &name, 1);
}

/* The PIDs of what was chosen: "100 101". */
static const char *chosen(struct fixture *f)
{
        static char text[512];
        size_t len = 0;

        *text = 0;
        for (size_t i = 0; i < f->s.n_targets && len < sizeof(text) - 32; i++) {
                const struct target *t = &f->s.targets[i];

                len += (size_t)snprintf(
                        text + len, sizeof(text) - len, "%s%d", i ? " " : "", (int)t->pid);
                if (t->tid)
                        len += (size_t)snprintf(text + len, sizeof(text) - len, "/%d", (int)t->tid);
        }
        return text;
}

#define CHOOSES(f, name, expected)                                                                 \
        do {                                                                                       \
                select_one_of(f, name);                                                            \
                assert_string_equal(chosen(f), expected);                                          \
        } while (0)

static void test_numbers(void **state)
{
        struct fixture *f = *state;

        CHOOSES(f, "100", "100");
        assert_int_equal(f->s.n_unmatched, 0);
        assert_true(f->s.targets[0].start_time == 0);
        CHOOSES(f, "400", "400");
        CHOOSES(f, "401", "400/401");
        CHOOSES(f, "2", ""); /* no status and no thread was recorded */
        CHOOSES(f, "999", "");
        assert_int_equal(f->s.n_unmatched, 1);
        assert_string_equal(f->s.unmatched[0], "there is no process or thread 999");
}

static void test_odd_numbers(void **state)
{
        static const char *const odd[] = { "0", "-1", "+100", " 100", "100 ", "0x64", "1e2",
                "4294967396", "99999999999999999999", "100.", "00000000000000000000000000000000" };
        struct fixture *f = *state;

        for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
                select_one_of(f, odd[i]);
                assert_int_equal(f->s.n_targets, 0);
                assert_int_equal(f->s.n_unmatched, 1);
                assert_non_null(strstr(f->s.unmatched[0], "no process"));
        }
}

static void test_comm(void **state)
{
        struct fixture *f = *state;

        CHOOSES(f, "bash", "100 101");
        assert_true(
                f->s.targets[0].start_time == 1100); /* whoever gets the number next is not it */
        CHOOSES(f, "kthreadd", "2");
        CHOOSES(f, "renamed-comm", "302");
        CHOOSES(f, "systemd", "1");
        /* The name of a thread that is not the main one does not count. */
        CHOOSES(f, "worker", "");
        CHOOSES(f, "Bash", "");
}

static void test_exe(void **state)
{
        struct fixture *f = *state;

        CHOOSES(f, "mysqld", "302");
        CHOOSES(f, "python3.11", "300");
        CHOOSES(f, "dash", "301");
        CHOOSES(f, "nginx", "200 201"); /* replaced on disk, too */
        CHOOSES(f, "nginx (deleted)", "");
}

static void test_argv0(void **state)
{
        struct fixture *f = *state;

        CHOOSES(f, "init", "1");
        process_add(f, 500, "x", "/usr/bin/x", "-zsh");
        CHOOSES(f, "zsh", "500");
        process_add(f, 501, "x", "/usr/bin/x", "postgres: checkpointer");
        CHOOSES(f, "postgres", "501");
        CHOOSES(f, "postgre", "");
        CHOOSES(f, "postgres:", "");
}

static void test_script(void **state)
{
        struct fixture *f = *state;

        CHOOSES(f, "server.py", "300");
        CHOOSES(f, "backup.sh", "301");
        /* An argument of something that runs no scripts is no name. */
        process_add(f, 600, "cat", "/usr/bin/cat", "cat|/opt/app/notes.txt");
        CHOOSES(f, "notes.txt", "");
        /* Nor is an option, or what follows the script. */
        CHOOSES(f, "-u", "");
        CHOOSES(f, "-v", "");
        process_add(f, 601, "sh", "/usr/bin/bash", "sh|run.sh|input.dat");
        CHOOSES(f, "run.sh", "601");
        CHOOSES(f, "input.dat", "");
        /* "shutdown" begins with "sh". */
        process_add(f, 602, "shutdown", "/usr/sbin/shutdown", "shutdown|now.sh");
        CHOOSES(f, "now.sh", "");
}

static void test_path(void **state)
{
        struct fixture *f = *state;

        CHOOSES(f, "/usr/bin/bash", "100 101");
        CHOOSES(f, "./mysqld", "302");
        CHOOSES(f, "/sbin/init", "1");
        CHOOSES(f, "/no/such/thing", "");
        CHOOSES(f, "/", "");
        CHOOSES(f, "////", "");
}

static void test_near_misses(void **state)
{
        struct fixture *f = *state;

        select_one_of(f, "ngin");
        assert_int_equal(f->s.n_unmatched, 1);
        assert_non_null(strstr(f->s.unmatched[0], "no process is called \"ngin\""));
        assert_non_null(strstr(f->s.unmatched[0], "there is nginx"));
        select_one_of(f, "mysqdl"); /* letters swapped: the comm is another, argv[0] is near */
        assert_non_null(strstr(f->s.unmatched[0], "mysqld"));
        select_one_of(f, "NGINX");
        assert_non_null(strstr(f->s.unmatched[0], "nginx"));
        select_one_of(f, "qqqqqqqqqq");
        assert_null(strstr(f->s.unmatched[0], "; there is"));
        assert_non_null(strstr(f->s.unmatched[0], "ps -e"));
        /* A near miss of the one before is not one of the next. */
        select_all_of(f, (const char *[]){ "ngin", "qqqqqqqqqq" }, 2);
        assert_int_equal(f->s.n_unmatched, 2);
        assert_null(strstr(f->s.unmatched[1], "nginx"));
}

/* Near misses are few, each named once. */
static void test_near_bounded(void **state)
{
        struct fixture *f = *state;
        const char *comma;
        int n = 0;

        for (int i = 0; i < 30; i++) {
                char comm[16];

                snprintf(comm, sizeof(comm), "daemon%c", 'a' + i % 10);
                process_add(f, 700 + i, comm, "/usr/sbin/d", comm);
        }
        select_one_of(f, "daemon");
        for (comma = f->s.unmatched[0]; (comma = strchr(comma, ',')); comma++)
                n++;
        assert_int_equal(n, 2);
}

static bool is_printable(const char *text)
{
        for (; *text; text++)
                if ((unsigned char)*text < ' ' || *text == 0x7f)
                        return false;
        return true;
}

/* What is printed to a terminal later must not hold what a terminal obeys. */
static void test_hostile_names(void **state)
{
        struct fixture *f = *state;
        char huge[5000], args[1100];

        process_add(f, 800, ") R 1 (evil)", "/bin/evil\n\033[2J", "evil\033]0;title\007|a\nb");
        process_add(f, 801, "\033[31mred", "/bin/red", "\033[31mred");
        process_add(f, 802, "", "/bin/", "");
        tree_add(&f->tree, 803, "stat", "not a stat at all");
        tree_add(&f->tree, 804, "stat", "%s", "");
        memset(args, 'l', 900);
        args[900] = 0;
        process_add(f, 805, "longargs", "/bin/longargs", args);

        CHOOSES(f, ") R 1 (evil)", "800");
        CHOOSES(f, "\033[31mred", "801");
        select_one_of(f, "[31mredd");
        assert_int_equal(f->s.n_unmatched, 1);
        assert_non_null(strstr(f->s.unmatched[0], "there is"));
        assert_true(is_printable(f->s.unmatched[0]));
        select_one_of(f, "no\033[31m\nsuch");
        assert_int_equal(f->s.n_unmatched, 1);
        assert_true(is_printable(f->s.unmatched[0]));
        memset(huge, 'h', sizeof(huge) - 1);
        huge[sizeof(huge) - 1] = 0;
        select_one_of(f, huge);
        assert_int_equal(f->s.n_unmatched, 1);
        huge[2000] = '/';
        select_one_of(f, huge);
        assert_int_equal(f->s.n_unmatched, 1);
        /* A long name is looked for up to a bound, not beyond any buffer. */
        args[300] = 0;
        select_one_of(f, args);
        assert_true(f->s.n_targets <= 1);
}

static void test_self(void **state)
{
        struct fixture *f = *state;

        f->self[0] = 100;
        f->self[1] = 201;
        CHOOSES(f, "bash", "101");
        CHOOSES(f, "nginx", "200");
        /* By its number it was asked for. */
        CHOOSES(f, "100", "100");
        f->query->all = true;
        select_all_of(f, NULL, 0);
        assert_string_equal(chosen(f), "1 2 101 200 300 301 302 400");
}

static void test_all(void **state)
{
        struct fixture *f = *state;

        tree_text(&f->tree, "uptime", "1 1\n");
        tree_text(&f->tree, "self/stat", "");
        tree_text(&f->tree, "12x/stat", "");
        tree_text(&f->tree, "-5/stat", "");
        tree_text(&f->tree, "99999999999/stat", "");
        f->query->all = true;
        select_all_of(f, NULL, 0);
        assert_string_equal(chosen(f), "1 2 100 101 200 201 300 301 302 400");
        assert_int_equal(f->s.n_unmatched, 0);
        /* With names beside: they still have to be there. */
        select_all_of(f, (const char *[]){ "bash", "nobody" }, 2);
        assert_string_equal(chosen(f), "1 2 100 101 200 201 300 301 302 400");
        assert_int_equal(f->s.n_unmatched, 1);
}

static void test_duplicates(void **state)
{
        struct fixture *f = *state;

        select_all_of(f, (const char *[]){ "bash", "101", "bash", "100", "/bin/bash" }, 5);
        assert_string_equal(chosen(f), "100 101");
        /* A thread of a process that is chosen whole is shown with it. */
        select_all_of(f, (const char *[]){ "402", "401", "401", "threaded" }, 4);
        assert_string_equal(chosen(f), "400");
        select_all_of(f, (const char *[]){ "402", "401", "402" }, 3);
        assert_string_equal(chosen(f), "400/401 400/402");
        select_all_of(f, (const char *[]){ "302", "1", "200" }, 3);
        assert_string_equal(chosen(f), "1 200 302");
}

static void test_main_thread(void **state)
{
        struct fixture *f = *state;

        f->query->main_thread = true;
        CHOOSES(f, "400", "400/400");
        CHOOSES(f, "401", "400/401"); /* a thread by its number is that thread */
        CHOOSES(f, "threaded", "400/400");
        CHOOSES(f, "bash", "100/100 101/101");
        select_all_of(f, (const char *[]){ "threaded", "400", "402" }, 3);
        assert_string_equal(chosen(f), "400/400 400/402");
        f->query->all = true;
        select_all_of(f, NULL, 0);
        assert_string_equal(chosen(f), "1/1 2/2 100/100 101/101 200/200 201/201 300/300 301/301 "
                                       "302/302 400/400");
}

static void test_nothing_asked(void **state)
{
        struct fixture *f = *state;

        select_all_of(f, NULL, 0);
        assert_int_equal(f->s.n_targets, 0);
        assert_int_equal(f->s.n_unmatched, 0);
}

/* Each unmatched target has its sentence, in the order of the targets. */
static void test_unmatched(void **state)
{
        struct fixture *f = *state;

        select_all_of(f, (const char *[]){ "zzz-a", "bash", "31337", "zzz-b" }, 4);
        assert_string_equal(chosen(f), "100 101");
        assert_int_equal(f->s.n_unmatched, 3);
        assert_non_null(strstr(f->s.unmatched[0], "zzz-a"));
        assert_non_null(strstr(f->s.unmatched[1], "31337"));
        assert_non_null(strstr(f->s.unmatched[2], "zzz-b"));
}

static void test_vanishing(void **state)
{
        struct fixture *f = *state;

        /* Directories of processes that end while they are looked at hold nothing. */
        tree_add(&f->tree, 900, "stat.errno", "ESRCH\n");
        tree_add(&f->tree, 901, "stat", "901 (half");
        CHOOSES(f, "bash", "100 101");
        CHOOSES(f, "half", "");
}

static void test_many(void **state)
{
        enum { N = 20000 };
        struct fixture *f = *state;
        int64_t start, took;

        for (int i = 0; i < N; i++) {
                char path[64], stat[160];
                int len = snprintf(stat, sizeof(stat),
                        "%d (many%d) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0\n", 10000 + i,
                        i % 100, i);

                snprintf(path, sizeof(path), "%d/stat", 10000 + i);
                tree_bytes(&f->tree, path, stat, (size_t)len);
        }
        start = clock_ns(CLOCK_MONOTONIC);
        select_one_of(f, "many7");
        assert_int_equal(f->s.n_targets, N / 100);
        for (size_t i = 1; i < f->s.n_targets; i++)
                assert_true(f->s.targets[i - 1].pid < f->s.targets[i].pid);
        select_one_of(f, "manny");
        assert_int_equal(f->s.n_unmatched, 1);
        f->query->all = true;
        select_all_of(f, NULL, 0);
        assert_true(f->s.n_targets >= N);
        took = clock_ns(CLOCK_MONOTONIC) - start;
        /* Some 0.3 s; what is quadratic takes minutes. */
        assert_true(took < 20 * NS_PER_S);
}

/* The live /proc: this process by its number, and a number that nobody has. */
static void test_live(void **state)
{
        struct fixture *f = *state;
        struct procio *io;
        char number[32];

        procio_free(f->io);
        f->io = NULL;
        assert_int_equal(procio_new(NULL, NULL, &io), 0);
        f->io = io;
        snprintf(number, sizeof(number), "%d", (int)getpid());
        select_one_of(f, number);
        assert_int_equal(f->s.n_targets, 1);
        assert_int_equal(f->s.targets[0].pid, getpid());
        assert_int_equal(f->s.targets[0].tid, 0);
        select_one_of(f, "2147483647"); /* beyond any pid_max */
        assert_int_equal(f->s.n_targets, 0);
        assert_int_equal(f->s.n_unmatched, 1);
        select_one_of(f, "test-select");
        assert_true(f->s.n_targets >= 1);
}

int main(void)
{
#define RECORDED(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                RECORDED(test_numbers),
                RECORDED(test_odd_numbers),
                RECORDED(test_comm),
                RECORDED(test_exe),
                RECORDED(test_argv0),
                RECORDED(test_script),
                RECORDED(test_path),
                RECORDED(test_near_misses),
                RECORDED(test_near_bounded),
                RECORDED(test_hostile_names),
                RECORDED(test_self),
                RECORDED(test_all),
                RECORDED(test_duplicates),
                RECORDED(test_main_thread),
                RECORDED(test_nothing_asked),
                RECORDED(test_unmatched),
                RECORDED(test_vanishing),
                RECORDED(test_many),
                RECORDED(test_live),
        };

        return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
