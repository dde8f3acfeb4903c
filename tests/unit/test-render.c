/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots made by hand, and what people, scripts and /proc readers see of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "model.h"
#include "pwhy.h"
#include "render/render.h"
#include "resolve/syscall.h"

struct fixture {
        struct arena *arena;
        struct snapshot s, before;
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));
        if (!f)
                return -1;
        f->arena = arena_new();
        if (!f->arena)
                return -1;
        snapshot_init(&f->s, f->arena);
        snapshot_init(&f->before, f->arena);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;
        arena_free(f->arena);
        free(f);
        return 0;
}

static struct process *add_process(struct snapshot *s, pid_t pid, const char *comm)
{
        struct process *p = arena_new_one(s->arena, struct process);
        p->pid = pid;
        p->comm = comm;
        p->start_time = 1000;
        snapshot_add_process(s, p);
        return p;
}

static struct thread *add_thread(struct snapshot *s, struct process *p, pid_t tid)
{
        struct thread *t = arena_new_one(s->arena, struct thread);
        t->tid = tid;
        t->comm = p->comm;
        t->state = 'S';
        t->cpu = -1;
        t->matched = true;
        t->root = t;
        process_add_thread(s, p, t);
        s->n_matched++;
        return t;
}

static void wait_set(struct thread *t, enum reason reason, const char *text)
{
        t->wait.reason = reason;
        t->wait.confidence = CONFIDENCE_CERTAIN;
        t->wait.text = text;
}

static void time_set(struct thread *t, int64_t ns)
{
        t->has_for = true;
        t->for_ns = ns;
}

static struct object *add_object(struct snapshot *s, const char *kind, int fd)
{
        struct object *o = arena_new_one(s->arena, struct object);
        o->kind = kind;
        o->fd = fd;
        return o;
}

static const char accept_text[] = "[<0>] inet_csk_accept+0x246/0x380\n[<0>] f+0x1/0x2 [nfs]\n";

/* The program of the manual's first page. */
static struct thread *add_accept(struct snapshot *s)
{
        static const struct syscall_desc accept = { .name = "accept", .args = "fpp" };
        static struct frame frames[] = {
                { .symbol = "inet_csk_accept", .has_offset = true, .offset = 0x246, .size = 0x380 },
                { .symbol = "f",
                        .module = "nfs",
                        .has_offset = true,
                        .offset = 1,
                        .size = 2,
                        .unreliable = true },
                { .address = 0xffffffff81000000 },
        };
        static const struct stack stack = { .text = accept_text,
                .text_len = sizeof(accept_text) - 1,
                .frames = frames,
                .n_frames = ARRAY_SIZE(frames) };
        struct process *p = add_process(s, 4242, "accept.out");
        struct thread *t = add_thread(s, p, 4242);

        time_set(t, 252 * NS_PER_S);
        wait_set(t, REASON_ACCEPT, "waiting for a client to connect to 0.0.0.0:1337 (TCP, fd 3)");
        t->wait.object = add_object(s, "tcp", 3);
        t->wait.object->local = "0.0.0.0:1337";
        t->wait.object->state = "LISTEN";
        t->call = (struct call){ .state = CALL_INSIDE,
                .abi = ABI_X86_64,
                .nr = 43,
                .args = { 3, 0x7ffc5c0d8a10, 0x7ffc5c0d8a0c },
                .desc = &accept };
        t->kernel_stack = &stack;
        return t;
}

static char *text_of(const struct fixture *f, bool compare, bool colour, unsigned columns)
{
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);

        assert_non_null(out);
        assert_int_equal(render_text(out, &f->s, compare ? &f->before : NULL, colour, columns), 0);
        fclose(out);
        return text;
}

static void text_equals(const struct fixture *f, const char *expected)
{
        _cleanup_free_ char *text = text_of(f, false, false, 0);
        assert_string_equal(text, expected);
}

static struct json_object *json_of(const struct fixture *f)
{
        _cleanup_free_ char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        struct json_tokener *tokener = json_tokener_new();

        assert_int_equal(render_json(out, &f->s), 0);
        fclose(out);
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        struct json_object *o = json_tokener_parse_ex(tokener, text, (int)len);
        assert_non_null(o);
        json_tokener_free(tokener);
        return o;
}

/* The value at a path as JSON text: "threads.0.wait.reason"; NULL when absent. */
static const char *json_at(struct json_object *o, const char *path)
{
        _cleanup_free_ char *copy = strdup(path);
        char *save = NULL;

        for (char *key = strtok_r(copy, ".", &save); key; key = strtok_r(NULL, ".", &save)) {
                if (json_object_is_type(o, json_type_array))
                        o = json_object_array_get_idx(o, (size_t)atoi(key));
                else if (!json_object_object_get_ex(o, key, &o))
                        return NULL;
                if (!o)
                        return NULL;
        }
        return json_object_to_json_string_ext(
                o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

static void test_text_compact(void **state)
{
        struct fixture *f = *state;

        add_accept(&f->s);
        text_equals(f, "accept.out (4242)  sleeping for 4 min 12 s\n"
                       "  waiting for a client to connect to 0.0.0.0:1337 (TCP, fd 3)\n"
                       "  syscall  accept(3, 0x7ffc5c0d8a10, 0x7ffc5c0d8a0c)\n"
                       "  kernel   inet_csk_accept+0x246/0x380\n"
                       "           ? f+0x1/0x2 [nfs]\n"
                       "           0xffffffff81000000\n");
}

static void test_text_states(void **state)
{
        static const struct {
                char letter;
                bool has_on_cpu, on_cpu;
                const char *words;
        } rows[] = {
                { 'R', true, true, "running" },
                { 'R', true, false, "ready to run for about 1 s" },
                { 'S', false, false, "sleeping for about 1 s" },
                { 'D', false, false, "in uninterruptible sleep for about 1 s" },
                { 'T', false, false, "stopped for about 1 s" },
                { 't', false, false, "traced for about 1 s" },
                { 'Z', false, false, "zombie for about 1 s" },
                { 'I', false, false, "idle for about 1 s" },
                { 'X', false, false, "dead for about 1 s" },
                { 'P', false, false, "parked for about 1 s" },
                { 0, false, false, "state unknown for about 1 s" },
        };
        struct fixture *f = *state;
        struct thread *t = add_thread(&f->s, add_process(&f->s, 7, "x"), 7);

        time_set(t, NS_PER_S);
        t->for_error_ns = 101 * NS_PER_MS;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char expected[80];
                t->state = rows[i].letter;
                t->has_on_cpu = rows[i].has_on_cpu;
                t->on_cpu = rows[i].on_cpu;
                snprintf(expected, sizeof(expected), "x (7)  %s\n", rows[i].words);
                text_equals(f, expected);
        }
        t->state = 'S';
        t->for_error_ns = 100 * NS_PER_MS;
        text_equals(f, "x (7)  sleeping for 1 s\n");
        t->for_error_ns = 200 * NS_PER_MS;
        t->for_ns = 4 * NS_PER_S;
        text_equals(f, "x (7)  sleeping for 4 s\n");
        t->has_for = false;
        t->moved = true;
        text_equals(f, "x (7)  sleeping, was moving while it was read\n");
        t->process->inner_pid = 1;
        text_equals(f, "x (7, 1 in its namespace)  sleeping, was moving while it was read\n");
}

static void test_text_confidence(void **state)
{
        struct fixture *f = *state;
        struct thread *t = add_thread(&f->s, add_process(&f->s, 7, "x"), 7);

        wait_set(t, REASON_LOCK, "waiting for a lock");
        t->wait.evidence[0] = "state D";
        t->wait.evidence[1] = "frame f";
        t->wait.n_evidence = 2;
        t->wchan = "f";
        text_equals(f, "x (7)  sleeping\n  waiting for a lock\n  wchan    f\n");
        t->wait.confidence = CONFIDENCE_LIKELY;
        text_equals(f, "x (7)  sleeping\n  waiting for a lock (likely)\n"
                       "  seen     state D; frame f\n  wchan    f\n");
        t->wait.confidence = CONFIDENCE_GUESS;
        text_equals(f, "x (7)  sleeping\n  waiting for a lock (a guess)\n"
                       "  seen     state D; frame f\n  wchan    f\n");
        t->wait.reason = REASON_UNKNOWN;
        t->wait.text = "why it waits could not be told";
        text_equals(f, "x (7)  sleeping\n  why it waits could not be told\n"
                       "  seen     state D; frame f\n  wchan    f\n");
}

static void test_text_owners(void **state)
{
        struct fixture *f = *state;
        struct process *p = add_process(&f->s, 7, "x");
        struct thread *t = add_thread(&f->s, p, 7);
        struct owner on[10];

        wait_set(t, REASON_LOCK, "waiting for a lock");
        t->wait.on = on;
        t->wait.n_on = 1;
        on[0] = (struct owner){ .pid = 91, .comm = "backup", .role = ROLE_HOLDER };
        text_equals(f, "x (7)  sleeping\n  waiting for a lock\n  by       holder backup (pid 91)\n"
                       "  chain ends here: any thread of backup (pid 91) can end this wait\n");
        on[0].tid = 95;
        on[1] = (struct owner){ .pid = 7, .tid = 9, .comm = "w", .role = ROLE_THREAD };
        on[2] = (struct owner){ .pid = 5, .tid = 5, .role = ROLE_TRACER };
        t->wait.n_on = 3;
        text_equals(f,
                "x (7)  sleeping\n  waiting for a lock\n"
                "  by       holder backup (pid 91, thread 95); thread w (9); tracer pid 5\n");
        for (size_t i = 0; i < ARRAY_SIZE(on); i++)
                on[i] = (struct owner){ .pid = 20 + (pid_t)i, .comm = "c", .role = ROLE_CHILD };
        t->wait.n_on = ARRAY_SIZE(on);
        text_equals(f,
                "x (7)  sleeping\n  waiting for a lock\n"
                "  by       children c (pid 20), c (pid 21), c (pid 22), c (pid 23), c (pid 24), "
                "c (pid 25), c (pid 26), c (pid 27) and 2 more\n");
        t->wait.n_on = 1;
        t->deadlocked = true;
        text_equals(f,
                "x (7)  sleeping  deadlocked\n  waiting for a lock\n  by       child c (pid 20)\n");
}

static struct object *add_poll_set(struct snapshot *s, size_t n, size_t hidden)
{
        struct object *set = add_object(s, "poll-set", -1);
        set->members = arena_new_array(s->arena, struct member, n);
        set->n_members = n;
        set->n_members_hidden = hidden;
        for (size_t i = 0; i < n; i++) {
                set->members[i].object = add_object(s, "pipe", (int)i);
                set->members[i].events = i == 0 ? POLLIN : POLLIN | POLLOUT;
        }
        return set;
}

static void test_text_members(void **state)
{
        struct fixture *f = *state;
        struct thread *t = add_thread(&f->s, add_process(&f->s, 7, "x"), 7);
        struct object *set = add_poll_set(&f->s, 2, 0), *o = set->members[0].object;

        wait_set(t, REASON_POLL, "waiting for any of 2 descriptors");
        t->wait.object = set;
        o->fd = 5;
        o->kind = "tcp";
        o->protocol = "TCP";
        o->local = "127.0.0.1:80";
        o->remote = "127.0.0.1:4242";
        text_equals(f, "x (7)  sleeping\n  waiting for any of 2 descriptors\n"
                       "  members  fd 5  TCP 127.0.0.1:80 → 127.0.0.1:4242  for reading\n"
                       "           fd 1  pipe  for reading and writing\n");

        t->wait.object = add_poll_set(&f->s, 9, 100);
        _cleanup_free_ char *text = text_of(f, false, false, 0);
        assert_non_null(strstr(text, "           fd 7  pipe  for reading and writing\n"
                                     "           … and 101 more\n"));
        assert_null(strstr(text, "fd 8"));
}

static void test_text_threads(void **state)
{
        static const struct syscall_desc futex = { .name = "futex", .args = "pi" };
        struct fixture *f = *state;
        struct process *p = add_process(&f->s, 4242, "nginx");

        wait_set(add_thread(&f->s, p, 4242), REASON_POLL, "waiting");
        for (int i = 0; i < 3; i++) {
                struct thread *t = add_thread(&f->s, p, 4243 + i);
                wait_set(t, REASON_FUTEX, "waiting for a futex");
                time_set(t, (i == 1 ? 252 : 2) * NS_PER_S);
                t->call = (struct call){ .state = CALL_INSIDE, .desc = &futex, .nr = 202 };
                t->call.args[0] = 0x1000 * (uint64_t)i;
        }
        struct thread *named = add_thread(&f->s, p, 4250);
        wait_set(named, REASON_SLEEP, "sleeping");
        named->comm = "timer";
        text_equals(f, "nginx (4242)  5 threads\n"
                       "  main thread 4242  sleeping\n"
                       "    waiting\n"
                       "  3 threads: 4243-4245  sleeping for 2 s to 4 min 12 s\n"
                       "    waiting for a futex\n"
                       "    syscall  futex(…)\n"
                       "  thread 4250 (timer)  sleeping\n"
                       "    sleeping\n");

        /* Some, the main one, and one other of them. */
        named->matched = false;
        _cleanup_free_ char *some = text_of(f, false, false, 0);
        assert_memory_equal(some, "nginx (4242)  4 of 5 threads\n", 29);
        for_each_thread(t, p)
                t->matched = t->tid == 4242;
        text_equals(f, "nginx (4242)  main thread, 1 of 5  sleeping\n  waiting\n");
        for_each_thread(t, p)
                t->matched = t == named;
        text_equals(f, "nginx (4242)  thread timer (4250), 1 of 5  sleeping\n  sleeping\n");
}

static void test_text_names(void **state)
{
        struct fixture *f = *state;
        struct process *p = add_process(&f->s, 1, "main");
        const char *names[] = { "main", "a", "b", "a", "c", "d" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                add_thread(&f->s, p, 1 + 2 * (pid_t)i)->comm = names[i];
        text_equals(f, "main (1)  6 threads\n"
                       "  6 threads: 1, 3, 5, 7, 9, 11 (a, b, c, …)  sleeping\n");
}

static void test_text_footer(void **state)
{
        struct fixture *f = *state;

        add_thread(&f->s, add_process(&f->s, 1, "a"), 1);
        add_thread(&f->s, add_process(&f->s, 2, "b"), 2);
        for (int i = 0; i < 12; i++)
                snapshot_gap(&f->s, "kernel stacks", "the kernel shows them to CAP_SYS_ADMIN only",
                        "run pwhy with sudo", i == 11);
        snapshot_gap(&f->s, "threads", "ended while they were read", NULL, false);
        snapshot_gap(&f->s, "sockets", "no netlink", NULL, false);
        assert_int_equal(f->s.gaps->count, 12);
        assert_true(f->s.gaps->hides);
        f->s.n_idle = 12;
        text_equals(f,
                "a (1)  sleeping\n\nb (2)  sleeping\n\n"
                "missing: kernel stacks of 12 threads: the kernel shows them to CAP_SYS_ADMIN "
                "only; run pwhy with sudo\n"
                "missing: 1 thread: ended while they were read\n"
                "missing: sockets: no netlink\n"
                "12 idle kernel threads left out (--idle shows them)\n");
}

static void test_text_marks(void **state)
{
        struct fixture *f = *state;

        for (int round = 0; round < 2; round++) {
                struct snapshot *s = round == 0 ? &f->before : &f->s;
                wait_set(add_thread(s, add_process(s, 1, "same"), 1), REASON_SLEEP, "s");
                struct thread *t = add_thread(s, add_process(s, 2, "ran"), 2);
                t->has_switches = true;
                t->switches = 5 + (unsigned)round;
                struct process *p = add_process(s, 3, round == 0 ? "old" : "reused");
                p->start_time += (unsigned)round;
                add_thread(s, p, 3);
                add_thread(s, add_process(s, 4, "hidden"), 4)->matched = round == 0;
        }
        _cleanup_free_ char *text = text_of(f, true, false, 0);
        assert_string_equal(text,
                "  same (1)  sleeping\n    s\n\n~ ran (2)  sleeping\n\n+ reused (3)  sleeping\n\n"
                "  ended: old (3)\n");
        /* Nothing before and nothing now. */
        snapshot_init(&f->s, f->arena);
        snapshot_init(&f->before, f->arena);
        _cleanup_free_ char *none = text_of(f, true, false, 0);
        assert_string_equal(none, "");
}

/* Characters of each line, escape sequences left out. */
static void lines_fit(const char *text, size_t columns)
{
        size_t width = 0;

        for (const char *s = text; *s; s++) {
                if (*s == '\033') {
                        s += strcspn(s, "m");
                } else if (*s == '\n') {
                        assert_true(width <= columns);
                        width = 0;
                } else if (((unsigned char)*s & 0xc0) != 0x80) {
                        width++;
                }
        }
        assert_int_equal(width, 0);
}

static void test_text_width(void **state)
{
        struct fixture *f = *state;
        struct thread *t = add_accept(&f->s);
        char path[300];

        _cleanup_free_ char *text = text_of(f, false, false, 44);
        assert_string_equal(text, "accept.out (4242)  sleeping for 4 min 12 s\n"
                                  "  waiting for a client to connect to\n"
                                  "    0.0.0.0:1337 (TCP, fd 3)\n"
                                  "  syscall  accept(3, 0x7ffc5c0d8a10, 0x7ffc…\n"
                                  "  kernel   inet_csk_accept+0x246/0x380\n"
                                  "           ? f+0x1/0x2 [nfs]\n"
                                  "           0xffffffff81000000\n");
        /* A word longer than any line is broken, multi-byte characters stay whole. */
        memset(path, 'p', sizeof(path));
        memcpy(path + 120, "€€€€€€€€€€", 30);
        path[sizeof(path) - 1] = '\0';
        t->wait.text = path;
        for (unsigned columns = 1; columns < 200; columns++) {
                _cleanup_free_ char *narrow = text_of(f, false, true, columns);
                lines_fit(narrow, columns < 40 ? 40 : columns);
        }
}

static void test_text_colour(void **state)
{
        struct fixture *f = *state;
        struct thread *t = add_thread(&f->s, add_process(&f->s, 7, "x"), 7);

        wait_set(t, REASON_DISK, "waiting for the disk");
        t->state = 'D';
        time_set(t, NS_PER_S);
        _cleanup_free_ char *text = text_of(f, false, true, 0);
        assert_string_equal(text, "\033[1mx (7)\033[0m  in uninterruptible sleep for 1 s\n"
                                  "  \033[33mwaiting for the disk\033[0m\n");
        time_set(t, 60 * NS_PER_S);
        _cleanup_free_ char *red = text_of(f, false, true, 0);
        assert_non_null(strstr(red, "\033[31mwaiting for the disk\033[0m"));
}

static void test_user_stack(void **state)
{
        static struct user_frame frames[] = {
                { .address = 0x7f01,
                        .symbol = "accept",
                        .offset = 0x4d,
                        .has_offset = true,
                        .module = "/lib/libc.so.6" },
                { .address = 0x4010,
                        .symbol = "inner",
                        .inlined = true,
                        .module = "/srv/a.out",
                        .source = "/src/a.c",
                        .line = 12 },
                { .address = 0x4010,
                        .symbol = "serve",
                        .offset = 16,
                        .has_offset = true,
                        .module = "/srv/a.out",
                        .source = "/src/a.c",
                        .line = 57 },
                { .address = 0x7f02,
                        .module = "/lib/libx.so",
                        .module_address = 0x1234,
                        .has_module_address = true,
                        .build_id = "c0ffee" },
                { .address = 0x7f03, .module = "[anon]", .unreliable = true },
                { .address = 0x7f04, .module = "[vdso]", .signal = true },
        };
        static struct user_stack stack = { .frames = frames,
                .n_frames = 6,
                .n_hidden = 1000,
                .hidden_after = 4,
                .gap = "0x99 is no code" };
        struct fixture *f = *state;
        struct thread *t = add_thread(&f->s, add_process(&f->s, 4242, "a.out"), 4242);

        t->user_stack = &stack;
        _cleanup_free_ char *text = text_of(f, false, false, 0);
        assert_non_null(strstr(text, "  user     accept+0x4d                       libc.so.6\n"
                                     "           inner (inlined)                   a.c:12\n"
                                     "           serve+0x10                        a.c:57\n"
                                     "           libx.so+0x1234                    /lib/libx.so\n"
                                     "           … 1000 more\n"
                                     "           ? 0x7f03                          [anon]\n"
                                     "           <signal handler called>           [vdso]\n"
                                     "           … (0x99 is no code)\n"));
        struct json_object *o = json_of(f);
        assert_string_equal(json_at(o, "threads.0.user_stack_left_out"), "1000");
        assert_string_equal(json_at(o, "threads.0.user_stack_left_out_after"), "4");
        assert_string_equal(json_at(o, "threads.0.user_stack_gap"), "\"0x99 is no code\"");
        assert_string_equal(json_at(o, "threads.0.user_stack.1"),
                "{\"address\":\"0x4010\",\"symbol\":\"inner\",\"module\":\"/srv/a.out\","
                "\"source\":\"/src/a.c\",\"line\":12,\"inlined\":true}");
        json_object_put(o);
}

static const char hostile[] = "\033]0;x\007\n\xff\xc2\x9b\xe2\x80\xae\\";

/* A target that names everything as badly as it can. */
static struct thread *add_hostile(struct snapshot *s, const char *text)
{
        struct process *p = add_process(s, 66, text);
        struct thread *t = add_thread(s, p, 67);
        struct frame *frame = arena_new_one(s->arena, struct frame);
        struct stack *stack = arena_new_one(s->arena, struct stack);
        struct user_frame *user_frame = arena_new_one(s->arena, struct user_frame);
        struct user_stack *user = arena_new_one(s->arena, struct user_stack);
        const char **args = arena_new_array(s->arena, const char *, 2);
        struct object *set = add_poll_set(s, 1, 0), *o = set->members[0].object;

        *frame = (struct frame){ .symbol = text, .module = text };
        *stack = (struct stack){ .frames = frame, .n_frames = 1, .text = "", .text_len = 0 };
        t->kernel_stack = stack;
        *user_frame = (struct user_frame){
                .symbol = text, .module = text, .build_id = text, .source = text
        };
        *user = (struct user_stack){ .frames = user_frame, .n_frames = 1, .gap = text };
        t->user_stack = user;
        args[0] = args[1] = text;
        p->cmdline = args;
        p->n_cmdline = 2;
        p->exe = p->cgroup = text;
        t->wait.text = text;
        t->wait.evidence[0] = text;
        t->wait.n_evidence = 1;
        t->wait.object = set;
        set->path = set->link = set->comm = text;
        o->kind = o->protocol = o->local = o->remote = o->path = o->state = text;
        t->wait.on = arena_new_one(s->arena, struct owner);
        t->wait.on->comm = text;
        t->wait.n_on = 1;
        s->host.name = text;
        snapshot_gap(s, text, text, text, false);
        return t;
}

static void assert_harmless(const char *text)
{
        for (const char *s = text; *s; s++) {
                unsigned char c = (unsigned char)*s;
                assert_true(c == '\n' || (c >= 0x20 && c != 0x7f && c != 0xff));
        }
        assert_null(strstr(text, "\xc2\x9b"));
        assert_null(strstr(text, "\xe2\x80\xae"));
}

static unsigned count_of(const char *text, const char *word)
{
        unsigned n = 0;

        for (; (text = strstr(text, word)); text++)
                n++;
        return n;
}

/* Two of a name are told apart by their command lines, and these are hostile, too. */
static void test_namesakes(void **state)
{
        static const char *arguments[] = { "worker", hostile, "two words" };
        static const char *many[CMDLINE_MAX];
        struct fixture *f = *state;
        struct process *p = add_process(&f->s, 66, "worker");

        add_thread(&f->s, p, 66);
        p->cmdline = arguments;
        p->n_cmdline = ARRAY_SIZE(arguments);
        _cleanup_free_ char *alone = text_of(f, false, false, 0);
        assert_null(strstr(alone, "command"));
        p = add_process(&f->s, 67, "worker");
        add_thread(&f->s, p, 67);
        add_thread(&f->s, p, 68);
        for (size_t i = 0; i < CMDLINE_MAX; i++)
                many[i] = "sixteen letters.";
        p->cmdline = many;
        p->n_cmdline = CMDLINE_MAX;
        /* A kernel thread of the same name has no command line, and a third has another name. */
        add_thread(&f->s, add_process(&f->s, 69, "worker"), 69);
        p = add_process(&f->s, 70, "other");
        add_thread(&f->s, p, 70);
        p->cmdline = arguments;
        p->n_cmdline = ARRAY_SIZE(arguments);
        _cleanup_free_ char *text = text_of(f, false, false, 0);
        assert_harmless(text);
        assert_non_null(strstr(text, "  command  worker \\e]0;x"));
        assert_non_null(strstr(text, " two words\n"));
        assert_non_null(strstr(text, "  command  sixteen letters. sixteen"));
        assert_non_null(strstr(text, "letters. …\n"));
        assert_int_equal(count_of(text, "command"), 2);
}

static void test_hostile(void **state)
{
        struct fixture *f = *state;

        add_hostile(&f->s, hostile);
        _cleanup_free_ char *text = text_of(f, false, false, 0);
        assert_harmless(text);
        assert_non_null(strstr(text, "\\e]0;x\\x07\\n\\xff\\u{009b}\\u{202e}\\\\ (66)"));
        _cleanup_free_ char *narrow = text_of(f, false, false, 80);
        assert_harmless(narrow);
        lines_fit(narrow, 80);

        struct json_object *o = json_of(f);
        const char *comm = NULL;
        struct json_object *threads = json_object_object_get(o, "threads");
        comm = json_object_get_string(
                json_object_object_get(json_object_array_get_idx(threads, 0), "comm"));
        assert_string_equal(comm, "\033]0;x\007\n\\xff\xc2\x9b\xe2\x80\xae\\");
        json_object_put(o);
}

static void test_hostile_long(void **state)
{
        struct fixture *f = *state;
        size_t len = 1 << 20;
        _cleanup_free_ char *text = malloc(len + 1);

        assert_non_null(text);
        memset(text, 0x1b, len);
        text[len] = '\0';
        add_hostile(&f->s, text);
        _cleanup_free_ char *out = text_of(f, false, false, 80);
        assert_harmless(out);
        assert_true(strlen(out) < 64 << 10);
        struct json_object *o = json_of(f);
        assert_true(strlen(json_object_to_json_string(o)) < 512 << 10);
        json_object_put(o);
}

static void test_json(void **state)
{
        struct fixture *f = *state;
        struct thread *t = add_accept(&f->s);

        f->s.host = (struct host){ "db1", "6.18.0", "x86_64", "b" };
        f->s.source = "proc";
        f->s.captured_at = INT64_C(1795409400123456789);
        f->s.duration_ns = 812345;
        t->process->ppid = 1;
        t->process->has_uid = true;
        t->process->uid = 4294967294U;
        t->cpu = 0;
        t->has_switches = true;
        t->switches = UINT64_MAX;
        t->wait.evidence[0] = "fd 3 is a listening TCP socket";
        t->wait.n_evidence = 1;
        t->wait.object->has_queues = true;
        t->wait.object->receive_queue = 1;
        t->wait.object->send_queue = 128;
        snapshot_gap(&f->s, "kernel stacks", "needs CAP_SYS_ADMIN", NULL, true);

        static const struct {
                const char *path, *value;
        } rows[] = {
                { "schema", "1" },
                { "host.name", "\"db1\"" },
                { "captured_at", "\"2026-11-23T04:50:00.123456789Z\"" },
                { "capture.source", "\"proc\"" },
                { "capture.duration_ns", "812345" },
                { "capture.threads", "1" },
                { "capture.lost", "0" },
                { "capture.missing", "[{\"what\":\"kernel stacks\",\"why\":\"needs CAP_SYS_ADMIN\","
                                     "\"count\":1}]" },
                { "threads.0.pid", "4242" },
                { "threads.0.ppid", "1" },
                { "threads.0.comm", "\"accept.out\"" },
                { "threads.0.cmdline", NULL },
                { "threads.0.exe", NULL },
                { "threads.0.uid", "4294967294" },
                { "threads.0.state", "\"S\"" },
                { "threads.0.cpu", "0" },
                { "threads.0.switches", "18446744073709551615" },
                { "threads.0.moved", NULL },
                { "threads.0.wait.reason", "\"accept\"" },
                { "threads.0.wait.object",
                        "{\"kind\":\"tcp\",\"fd\":3,\"local\":\"0.0.0.0:1337\","
                        "\"state\":\"LISTEN\",\"queue\":1,\"queue_limit\":128}" },
                { "threads.0.wait.for_ns", "252000000000" },
                { "threads.0.wait.on", "[]" },
                { "threads.0.wait.confidence", "\"certain\"" },
                { "threads.0.wait.evidence", "[\"fd 3 is a listening TCP socket\"]" },
                { "threads.0.root", "{\"pid\":4242,\"tid\":4242}" },
                { "threads.0.deadlocked", NULL },
                { "threads.0.syscall",
                        "{\"nr\":43,\"name\":\"accept\",\"args\":[\"0x3\",\"0x7ffc5c0d8a10\","
                        "\"0x7ffc5c0d8a0c\"]}" },
                { "threads.0.kernel_stack",
                        "[{\"symbol\":\"inet_csk_accept\",\"offset\":582,\"size\":896},"
                        "{\"symbol\":\"f\",\"offset\":1,\"size\":2,\"module\":\"nfs\","
                        "\"unreliable\":true},{\"address\":\"0xffffffff81000000\"}]" },
                { "threads.0.user_stack", NULL },
                { "threads.1", NULL },
        };
        struct json_object *o = json_of(f);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const char *value = json_at(o, rows[i].path);
                if (!rows[i].value) {
                        assert_null(value);
                } else {
                        assert_non_null(value);
                        assert_string_equal(value, rows[i].value);
                }
        }
        json_object_put(o);
}

/* What was not had is absent; an empty stack is not a missing one. */
static void test_json_absent(void **state)
{
        struct fixture *f = *state;
        struct stack empty = { .text = "" };
        struct thread *t = add_thread(&f->s, add_process(&f->s, 1, NULL), 1);

        t->comm = NULL;
        t->state = 0;
        t->root = NULL;
        struct json_object *o = json_of(f);
        assert_string_equal(json_at(o, "threads.0"),
                "{\"pid\":1,\"tid\":1,\"wait\":{\"reason\":\"unknown\",\"on\":[],"
                "\"confidence\":\"guess\",\"evidence\":[]}}");
        assert_string_equal(json_at(o, "host"), "{}");
        assert_null(json_at(o, "captured_at"));
        json_object_put(o);

        t->kernel_stack = &empty;
        t->deadlocked = t->moved = true;
        t->root = t;
        t->wchan = "do_wait";
        o = json_of(f);
        assert_string_equal(json_at(o, "threads.0.kernel_stack"), "[]");
        assert_string_equal(json_at(o, "threads.0.deadlocked"), "true");
        assert_string_equal(json_at(o, "threads.0.moved"), "true");
        assert_string_equal(json_at(o, "threads.0.wchan"), "\"do_wait\"");
        assert_null(json_at(o, "threads.0.root"));
        json_object_put(o);

        t->matched = false;
        o = json_of(f);
        assert_string_equal(json_at(o, "threads"), "[]");
        json_object_put(o);
}

static void test_json_objects(void **state)
{
        struct fixture *f = *state;
        struct thread *t = add_thread(&f->s, add_process(&f->s, 1, "x"), 1);
        struct object *set = add_poll_set(&f->s, 2, 3);
        struct owner on[] = { { .pid = 7, .tid = 9, .comm = "h", .role = ROLE_HOLDER },
                { .pid = 8, .role = ROLE_PARENT } };

        t->wait.object = set;
        set->members[0].events = 0x80000001;
        set->members[1].events = POLLIN | POLLOUT | 0x800;
        set->members[1].object->members = set->members; /* a set in itself */
        set->members[1].object->n_members = 2;
        t->wait.on = on;
        t->wait.n_on = 2;
        struct json_object *o = json_of(f);
        assert_string_equal(json_at(o, "threads.0.wait.object"),
                "{\"kind\":\"poll-set\",\"members\":["
                "{\"kind\":\"pipe\",\"fd\":0,\"events\":[\"in\",\"et\"]},"
                "{\"kind\":\"pipe\",\"fd\":1,\"events\":[\"in\",\"out\",\"0x800\"]}],"
                "\"members_left_out\":3}");
        assert_string_equal(json_at(o, "threads.0.wait.on"),
                "[{\"pid\":7,\"tid\":9,\"comm\":\"h\",\"role\":\"holder\"},"
                "{\"pid\":8,\"role\":\"parent\"}]");
        json_object_put(o);

        struct object *word = add_object(&f->s, "futex", -1);
        word->has_address = word->has_word = word->has_deadline = true;
        word->address = UINT64_MAX;
        word->word = UINT32_MAX;
        word->deadline_ns = -5;
        t->wait.object = word;
        o = json_of(f);
        assert_string_equal(json_at(o, "threads.0.wait.object"),
                "{\"kind\":\"futex\",\"address\":\"0xffffffffffffffff\",\"deadline_ns\":-5,"
                "\"value\":4294967295}");
        json_object_put(o);
}

static void raw_equals(const struct fixture *f, const char *expected)
{
        _cleanup_free_ char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);

        assert_int_equal(render_raw(out, &f->s), 0);
        fclose(out);
        assert_string_equal(text, expected);
}

static void test_raw(void **state)
{
        struct fixture *f = *state;
        struct thread *t = add_accept(&f->s);

        raw_equals(f, accept_text);
        struct process *p = add_process(&f->s, 5, "a\nb");
        struct thread *refused = add_thread(&f->s, p, 6);
        raw_equals(f, "==> 4242 4242 accept.out <==\n[<0>] inet_csk_accept+0x246/0x380\n"
                      "[<0>] f+0x1/0x2 [nfs]\n");
        refused->kernel_stack = t->kernel_stack;
        t->matched = false;
        add_thread(&f->s, p, 7);
        raw_equals(
                f, "==> 5 6 a\\nb <==\n[<0>] inet_csk_accept+0x246/0x380\n[<0>] f+0x1/0x2 [nfs]\n");
        refused->kernel_stack = NULL;
        raw_equals(f, "");
}

static void test_stream_error(void **state)
{
        struct fixture *f = *state;
        FILE *full = fopen("/dev/full", "w");

        if (!full)
                skip();
        for (int i = 0; i < 1000; i++)
                add_thread(&f->s, add_process(&f->s, 10 + i, "x"), 10 + i);
        assert_int_equal(render_text(full, &f->s, NULL, false, 0), -ENOSPC);
        assert_int_equal(render_json(full, &f->s), -ENOSPC);
        fclose(full);
}

/* Ten thousand processes and a process of ten thousand threads: linear, bounded memory. */
static void test_many(void **state)
{
        struct fixture *f = *state;
        const struct thread *model = add_accept(&f->s);
        struct process *pool = add_process(&f->s, 100000, "pool");
        struct {
                const char *what;
                int64_t ns;
        } times[3] = { { "text", 0 }, { "text, changes", 0 }, { "json", 0 } };

        for (int i = 0; i < 20000; i++) {
                struct process *p = i % 2 ? pool : add_process(&f->s, 10000 + i, "worker");
                struct thread *t = add_thread(&f->s, p, i % 2 ? 100000 + i : p->pid);
                t->kernel_stack = model->kernel_stack;
                t->wait = model->wait;
                t->call = model->call;
                time_set(t, i * NS_PER_MS);
        }
        FILE *null = fopen("/dev/null", "w");
        assert_non_null(null);
        size_t used = arena_used(f->arena);
        for (size_t i = 0; i < 3; i++) {
                int64_t start = clock_ns(CLOCK_MONOTONIC);
                assert_int_equal(i == 2 ? render_json(null, &f->s)
                                        : render_text(null, &f->s, i == 1 ? &f->s : NULL, true, 80),
                        0);
                times[i].ns = clock_ns(CLOCK_MONOTONIC) - start;
                print_message("%s: %lld us\n", times[i].what, (long long)times[i].ns / 1000);
                assert_true(times[i].ns < 20 * NS_PER_S);
        }
        assert_int_equal(arena_used(f->arena), used); /* the snapshot's own is left alone */
        fclose(null);
}

static void test_names(void **state)
{
        enum reason reason;

        (void)state;
        for (int i = 0; i < REASON_MAX; i++) {
                assert_true(reason_from_name(reason_name((enum reason)i), &reason));
                assert_int_equal(reason, i);
        }
        assert_false(reason_from_name("", &reason));
        assert_false(reason_from_name("locks", &reason));
        assert_string_equal(reason_name(REASON_REMOTE_FS), "remote-fs");
        assert_string_equal(confidence_name(CONFIDENCE_LIKELY), "likely");
        assert_string_equal(role_name(ROLE_SERVER), "server");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_text_compact),
                TEST(test_text_states),
                TEST(test_text_confidence),
                TEST(test_text_owners),
                TEST(test_text_members),
                TEST(test_text_threads),
                TEST(test_text_names),
                TEST(test_text_footer),
                TEST(test_text_marks),
                TEST(test_text_width),
                TEST(test_text_colour),
                TEST(test_user_stack),
                TEST(test_hostile),
                TEST(test_namesakes),
                TEST(test_hostile_long),
                TEST(test_json),
                TEST(test_json_absent),
                TEST(test_json_objects),
                TEST(test_raw),
                TEST(test_stream_error),
                TEST(test_many),
                TEST(test_names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
