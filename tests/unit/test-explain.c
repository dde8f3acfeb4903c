/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain/: the rule table is consistent, every rule of it can be reached, and less knowledge
 * never makes a verdict stronger. Threads are built in memory from the rules' own rows, so
 * that a new rule is tested by being there.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "explain/explain.h"
#include "explain/place.h"
#include "explain/owners.h"
#include "explain/rules.h"
#include "explain/when.h"
#include "explain/words.h"
#include "model.h"
#include "resolve/syscall.h"
#include "symbol/stacktext.h"

#define WORD_MAX 128

struct scene { /* one thread, and what it is made of */
        struct arena *arena;
        struct snapshot s;
        struct process *process;
        struct thread *t;
};

static void scene_new(struct scene *sc)
{
        memset(sc, 0, sizeof(*sc));
        sc->arena = arena_new();
        assert_non_null(sc->arena);
        snapshot_init(&sc->s, sc->arena);
        sc->process = arena_new_one(sc->arena, struct process);
        sc->process->threads_tail = &sc->process->threads;
        sc->process->pid = 100;
        sc->process->ppid = 1;
        sc->process->comm = "scene";
        snapshot_add_process(&sc->s, sc->process);
        sc->t = arena_new_one(sc->arena, struct thread);
        sc->t->tid = 100;
        sc->t->state = 'S';
        sc->t->cpu = -1;
        process_add_thread(&sc->s, sc->process, sc->t);
}

static void scene_free(struct scene *sc)
{
        arena_free(sc->arena);
}

static struct thread *scene_thread(struct scene *sc, pid_t tid, char state)
{
        struct thread *t = arena_new_one(sc->arena, struct thread);

        t->tid = tid;
        t->state = state;
        t->cpu = -1;
        t->comm = "other";
        process_add_thread(&sc->s, sc->process, t);
        return t;
}

static struct object *scene_object(struct scene *sc, const char *kind, int fd)
{
        struct object *o = arena_new_one(sc->arena, struct object);

        o->kind = arena_str(sc->arena, kind);
        o->fd = fd;
        return o;
}

/* Innermost first, ended by NULL. */
static void scene_stack(struct scene *sc, const char *const *symbols)
{
        struct stack *k = arena_new_one(sc->arena, struct stack);

        while (symbols[k->n_frames])
                k->n_frames++;
        k->frames = arena_new_array(sc->arena, struct frame, k->n_frames);
        for (size_t i = 0; i < k->n_frames; i++)
                k->frames[i].symbol = arena_str(sc->arena, symbols[i]);
        sc->t->kernel_stack = k;
}

static void scene_call(struct scene *sc, const char *name)
{
        static const enum abi abis[] = { ABI_X86_64, ABI_I386, ABI_ARM64 };
        struct call *c = &sc->t->call;

        for (size_t i = 0; i < ARRAY_SIZE(abis) && !c->desc; i++) {
                c->abi = abis[i];
                c->nr = syscall_number(abis[i], name);
                c->desc = c->nr < 0 ? NULL : syscall_find(abis[i], c->nr);
        }
        if (!c->desc)
                fail_msg("there is no system call %s", name);
        c->state = CALL_INSIDE;
}

static const struct wait *scene_explain(struct scene *sc)
{
        assert_int_equal(explain_snapshot(&sc->s), 0);
        assert_non_null(sc->t->wait.text);
        return &sc->t->wait;
}

/* Alternative i of a list; false behind the last. */
static bool list_word(const char *list, size_t i, char ret[static WORD_MAX])
{
        size_t len;

        for (; list && i; i--) {
                list = strchr(list, '|');
                list = list ? list + 1 : NULL;
        }
        if (!list)
                return false;
        len = strcspn(list, "|");
        assert_true(len < WORD_MAX);
        memcpy(ret, list, len);
        ret[len] = 0;
        return true;
}

/* A function that an alternative of a list of functions means. */
static const char *symbol_of(const char *word, char ret[static WORD_MAX * 2])
{
        char *to = ret;

        if (strncmp(word, "sys:", 4) == 0) {
                to = stpcpy(to, "__x64_sys_");
                word += 4;
        }
        for (; *word; word++)
                *to++ = *word == '*' ? 'x' : *word;
        *to = 0;
        return ret;
}

/* A futex around which such a lock was seen. */
static bool lock_satisfy(struct scene *sc, const struct rule *rule)
{
        bool joined = rule->when == when_joined || rule->when == when_joined_witnessed;
        bool mutex = rule->when == when_mutex || rule->when == when_mutex_witnessed;
        struct object *o;

        if (!joined && !mutex && rule->when != when_rwlock)
                return false;
        o = sc->t->call.object = scene_object(sc, "futex", -1);
        o->has_address = true;
        o->lock_kind = joined ? "thread" : mutex ? "mutex" : "rwlock";
        o->lock_layout = "a layout";
        o->lock_witnessed =
                rule->when == when_mutex_witnessed || rule->when == when_joined_witnessed;
        return true;
}

static void when_satisfy(struct scene *sc, const struct rule *rule)
{
        struct thread *t = sc->t;
        struct object *o = t->call.object;
        int op = t->call.desc ? syscall_arg(t->call.desc, 'O', 0) : -1;

        if (lock_satisfy(sc, rule))
                return;
        if (rule->when == when_listening)
                o->state = "LISTEN";
        else if (rule->when == when_not_listening)
                o->state = "ESTABLISHED";
        else if (rule->when == when_connecting)
                o->state = "SYN_SENT";
        else if (rule->when == when_on_cpu || rule->when == when_off_cpu) {
                t->has_on_cpu = true;
                t->on_cpu = rule->when == when_on_cpu;
        } else if (rule->when == when_set_replaced) {
                static struct object file = { .kind = "file", .path = "/srv/data", .fd = 3 };
                static struct member member = { &file, POLLIN };

                o = t->call.object = scene_object(sc, "poll-set", -1);
                o->members = &member;
                o->n_members = 1;
        } else if (rule->when == when_set_empty || rule->when == when_set_empty_timeout) {
                t->call.object = scene_object(sc, "poll-set", -1);
                t->call.has_timeout = true;
                t->call.timeout_set = rule->when == when_set_empty_timeout;
        } else if (rule->when == when_local_page) {
                t->call.object = scene_object(sc, "file", 3);
                t->call.object->path = "/some/where";
                t->call.object->fs = "ext4";
        } else if (rule->when == when_futex_wait && op >= 0)
                t->call.args[op] = FUTEX_WAIT | FUTEX_PRIVATE_FLAG;
        else if (rule->when == when_futex_bitset && op >= 0)
                t->call.args[op] = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG;
        else if (rule->when == when_requeue_pi && op >= 0)
                t->call.args[op] = FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG;
        else if (rule->when == when_futex_lock && op >= 0)
                t->call.args[op] = FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG;
        else if (rule->when == when_completion_wanted)
                t->call.args[2] = t->call.args[3] = 1;
        else if (rule->when == when_leader_only)
                scene_thread(sc, 101, 'S');
        else if (rule->when == when_traced)
                t->tracer = 7;
        else if (rule->when == when_traced_unseen) {
                t->tracer = 7;
                t->kernel_stack = NULL;
        } else if (rule->when == when_cgroup || rule->when == when_throttled ||
                   rule->when == when_throttled_told) {
                t->throttled = rule->when == when_throttled_told;
                t->cgroup = scene_object(sc, "cgroup", -1);
                t->has_on_cpu = true;
        } else if (rule->when == when_on_remote || rule->when == when_on_fuse) {
                t->call.object = scene_object(sc, "file", 3);
                t->call.object->fs = rule->when == when_on_fuse ? "fuse.sshfs" : "nfs4";
        } else if (rule->when == when_pty_master)
                o->path = "/dev/ptmx";
        else if (rule->when == when_blocker)
                t->blocker = scene_object(sc, "kernel-mutex", -1);
        else if (rule->when == when_queued)
                t->has_ready_for = t->has_on_cpu = true;
        else if (rule->when == when_posix_lock)
                t->call.args[1] = 7;
        else if (rule->when == when_ofd_lock)
                t->call.args[1] = 38;
        else if (rule->when == when_child_named) {
                static struct owner child = { .pid = 5, .role = ROLE_CHILD };

                t->call.object = scene_object(sc, "process", -1);
                t->call.object->pid = 5;
                t->process->children = &child;
                t->process->n_children = 1;
                t->process->has_children = true;
        } else if (rule->when == when_wait_named) {
                t->call.object = scene_object(sc, "process", -1);
                t->call.object->pid = 5;
                t->process->has_children = true;
        } else if (rule->when == when_wait_group) {
                t->call.object = scene_object(sc, "process", -1);
                t->call.object->group = 5;
        } else if (rule->when == when_no_children) {
                t->process->has_children = true;
        } else if (rule->when == when_wait_hidden) {
                t->call.args[0] = 1;
        } else if (strcmp(rule->name, "wait-children") == 0) {
                t->call.args[0] = call_is(&t->call, "waitid") ? 0 : UINT32_MAX;
        } else if (rule->when == when_wait_pidfd) {
                t->call.args[0] = 3;
        } else if (rule->when == when_vfork) {
                t->call.args[0] = CLONE_VFORK;
        }
}

struct pick { /* which alternatives */
        size_t state, call, leaf, within, kind, user, caller, user_within;
};

/*
 * The user stack that a rule wants: what waits in a C library without debug symbols, and in the
 * program, unless the function that it wants is there, too. False: no such alternative.
 */
static bool scene_user(struct scene *sc, const struct rule *rule, const struct pick *pick)
{
        const struct {
                const char *list;
                size_t pick;
        } wanted[] = {
                { rule->user, pick->user },
                { rule->caller, pick->caller },
                { rule->user_within, pick->user_within },
        };
        struct user_stack *stack = arena_new_one(sc->arena, struct user_stack);
        struct user_frame *frames = arena_new_array(sc->arena, struct user_frame, 4);
        char word[WORD_MAX], symbol[WORD_MAX * 2];
        size_t n = 1;

        frames[0].module = "/lib/libc.so.6";
        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
                if (!wanted[i].list && wanted[i].pick)
                        return false;
                if (!wanted[i].list)
                        continue;
                if (!list_word(wanted[i].list, wanted[i].pick, word))
                        return false;
                frames[n].module = i == 0 ? frames[0].module : "/usr/bin/program";
                frames[n++].exported = arena_str(sc->arena, symbol_of(word, symbol));
        }
        *stack = (struct user_stack){ .frames = frames, .n_frames = n };
        if (n > 1)
                sc->t->user_stack = stack;
        return true;
}

/* A thread of which everything is known that the rule asks for. False: no such alternative. */
static bool scene_of_rule(struct scene *sc, const struct rule *rule, const struct pick *pick)
{
        const char *states = rule->states ? rule->states : "S";
        char word[WORD_MAX], leaf[WORD_MAX * 2], within[WORD_MAX * 2];
        const char *symbols[4] = { NULL };
        size_t n = 0;

        if (pick->state >= strlen(states))
                return false;
        scene_new(sc);
        sc->t->state = states[pick->state];
        sc->process->kernel = rule->kernel;
        if (rule->when == when_reapable || rule->when == when_leader_only)
                ;
        else if (strchr("ZX", sc->t->state)) /* a thread that nobody reaps */
                sc->t->tid = 101;
        if (rule->calls && strcmp(rule->calls, "-") != 0) {
                if (!list_word(rule->calls, pick->call, word))
                        goto none;
                scene_call(sc, word);
        } else {
                sc->t->call.state = CALL_OUTSIDE;
                if (pick->call)
                        goto none;
        }
        if (rule->leaf) {
                if (!list_word(rule->leaf, pick->leaf, word))
                        goto none;
                symbols[n++] = symbol_of(word, leaf);
        } else if (pick->leaf) {
                goto none;
        }
        if (rule->within) {
                if (!list_word(rule->within, pick->within, word))
                        goto none;
                symbols[n++] = symbol_of(word, within);
        } else if (pick->within) {
                goto none;
        }
        symbols[n++] = "do_syscall_64";
        scene_stack(sc, symbols);
        if (rule->kinds) {
                if (!list_word(rule->kinds, pick->kind, word))
                        goto none;
                sc->t->call.object = sc->t->call.object2 = scene_object(sc, word, 3);
                if (strstr("tty|fifo|file|directory|block|chardev", word))
                        sc->t->call.object->path = "/some/where";
                if (rule->when == when_local_fs || rule->when == when_local_call)
                        sc->t->call.object->fs = "ext4";
        } else if (pick->kind) {
                goto none;
        }
        if (!scene_user(sc, rule, pick))
                goto none;
        when_satisfy(sc, rule);
        return true;
none:
        scene_free(sc);
        return false;
}

static const struct rule *rule_find(const char *name)
{
        for (size_t i = 0; i < n_rules; i++)
                if (strcmp(rules[i].name, name) == 0)
                        return &rules[i];
        fail_msg("there is no rule %s", name);
        return NULL;
}

/* The table. */

static void test_names(void **state)
{
        (void)state;
        assert_true(n_rules > 50);
        for (size_t i = 0; i < n_rules; i++) {
                assert_non_null(rules[i].name);
                assert_int_equal(strspn(rules[i].name, "abcdefghijklmnopqrstuvwxyz0123456789-"),
                        strlen(rules[i].name));
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(rules[k].name, rules[i].name);
        }
}

static void test_texts(void **state)
{
        static const char words[] =
                "object|peer|child|children|parent|tracer|call|cpu|leaf|"
                "members|left|atmost|backlog|incall|"
                "server|daemon|automounter|device|for|whose|held|joined|needed|by|about|pending|"
                "lock|keeper";

        (void)state;
        for (size_t i = 0; i < n_rules; i++) {
                const char *text = rules[i].text;

                assert_non_null(text);
                assert_true(strlen(text) > 5);
                assert_null(strstr(text, "  "));
                assert_int_not_equal(text[strlen(text) - 1], '.');
                assert_int_not_equal(text[strlen(text) - 1], ' ');
                while ((text = strpbrk(text, "{}"))) {
                        char word[WORD_MAX], known[WORD_MAX];
                        const char *end = strchr(text, '}');
                        bool found = false;

                        if (*text == '}' || !end)
                                fail_msg("%s: unbalanced braces", rules[i].name);
                        snprintf(word, sizeof(word), "%.*s", (int)(end - text - 1), text + 1);
                        for (size_t k = 0; list_word(words, k, known); k++)
                                found |= strcmp(known, word) == 0;
                        if (!found)
                                fail_msg("%s: {%s}", rules[i].name, word);
                        text = end + 1;
                }
        }
}

/* The contract's kinds of objects. */
static const char kinds_known[] =
        "tcp|udp|unix|netlink|packet|raw|vsock|socket|pipe|fifo|tty|file|directory|block|chardev|"
        "nfs|fuse|epoll|poll-set|io_uring|eventfd|timerfd|signalfd|inotify|fanotify|userfaultfd|"
        "seccomp|mutex|rwlock|condvar|semaphore|barrier|futex|thread|flock|posix-lock|ofd-lock|"
        "lease|kernel-mutex|kernel-rwsem|kernel-semaphore|sysv-sem|sysv-msg|posix-mq|process|timer|"
        "cgroup|memory";

static bool kind_known(const char *kind)
{
        char word[WORD_MAX];

        for (size_t i = 0; list_word(kinds_known, i, word); i++)
                if (strcmp(word, kind) == 0)
                        return true;
        return false;
}

static void test_subjects(void **state)
{
        (void)state;
        for (size_t i = 0; i < n_rules; i++) {
                const struct rule *r = &rules[i];

                if (r->reason <= REASON_UNKNOWN || r->reason >= REASON_MAX)
                        fail_msg("%s: no reason", r->name);
                assert_in_range(r->confidence, CONFIDENCE_GUESS, CONFIDENCE_CERTAIN);
                if (r->made && !kind_known(r->made))
                        fail_msg("%s: makes %s", r->name, r->made);
                switch (r->subject) {
                case SUBJECT_BLOCKER: /* of whatever kind the kernel says */
                        assert_null(r->made);
                        break;
                case SUBJECT_NONE:
                        if (r->made || strstr(r->text, "{object}") || strstr(r->text, "{peer}"))
                                fail_msg("%s: an object, and none", r->name);
                        break;
                case SUBJECT_TIMER:
                case SUBJECT_LOCK:
                case SUBJECT_CGROUP:
                case SUBJECT_PLACE:
                case SUBJECT_MADE:
                        if (!r->made)
                                fail_msg("%s: makes nothing", r->name);
                        break;
                case SUBJECT_CALL:
                        break;
                }
                if (strstr(r->text, "{members}"))
                        assert_int_equal(r->subject, SUBJECT_CALL);
                assert_true(!r->states || strspn(r->states, "RSDTtZXIP") == strlen(r->states));
                assert_true(!r->states || *r->states);
                /* Something has to be asked for. */
                assert_true(r->states || r->calls || r->leaf || r->within);
                if (r->call_decides)
                        assert_non_null(r->calls);
                if (r->kernel)
                        assert_null(r->calls);
        }
}

/* Calls are lists of lists, which may overlap. */
static void list_check(const struct rule *r, const char *list)
{
        char word[WORD_MAX], other[WORD_MAX];

        if (!list)
                return;
        if (!*list || strpbrk(list, " \t\n\\,"))
                fail_msg("%s: \"%s\"", r->name, list);
        for (size_t i = 0; list_word(list, i, word); i++) {
                if (!*word)
                        fail_msg("%s: an empty entry in \"%s\"", r->name, list);
                for (size_t k = 0; list != r->calls && k < i && list_word(list, k, other); k++)
                        if (strcmp(word, other) == 0)
                                fail_msg("%s: %s twice", r->name, word);
        }
}

/* Functions that are passed over on the way to the leaf can never be one. */
static void test_lists(void **state)
{
        char word[WORD_MAX], symbol[WORD_MAX * 2];

        (void)state;
        for (size_t i = 0; i < n_rules; i++) {
                const struct rule *r = &rules[i];
                struct scene sc;
                bool known;

                list_check(r, r->calls);
                list_check(r, r->leaf);
                list_check(r, r->within);
                list_check(r, r->kinds);
                list_check(r, r->user);
                list_check(r, r->caller);
                list_check(r, r->user_within);
                for (size_t k = 0; list_word(r->kinds, k, word); k++)
                        if (!kind_known(word))
                                fail_msg("%s: kind %s", r->name, word);
                for (size_t k = 0; list_word(r->calls, k, word); k++)
                        if (strcmp(word, "-") != 0 && syscall_number(ABI_X86_64, word) < 0 &&
                                syscall_number(ABI_I386, word) < 0 &&
                                syscall_number(ABI_ARM64, word) < 0)
                                fail_msg("%s: call %s", r->name, word);
                for (size_t k = 0; list_word(r->leaf, k, word); k++) {
                        symbol_of(word, symbol);
                        if (!symbol_matches(symbol, r->leaf))
                                fail_msg("%s: %s does not match", r->name, word);
                        scene_new(&sc);
                        scene_stack(&sc, (const char *[]){ symbol, NULL });
                        if (!thread_leaf(sc.t, &known))
                                fail_msg("%s: %s is passed over", r->name, word);
                        scene_free(&sc);
                }
                for (size_t k = 0; list_word(r->within, k, word); k++)
                        if (!symbol_matches(symbol_of(word, symbol), r->within))
                                fail_msg("%s: within %s does not match", r->name, word);
        }
}

/* Rules of which something is always taken by an earlier one, on purpose. */
static const struct {
        const char *rule;
        const char *winner; /* that an alternative of the rule also fits */
} shadowed[] = {
        { "datagram-send", "unix-send" },
        /* A worker of io_uring is a thread of its process, and was a kernel thread before. */
        { "kthread-idle", "io-uring-worker" },
};

static bool is_shadowed(const char *rule, const char *winner)
{
        for (size_t i = 0; i < ARRAY_SIZE(shadowed); i++)
                if (strcmp(shadowed[i].rule, rule) == 0 && strcmp(shadowed[i].winner, winner) == 0)
                        return true;
        return false;
}

/* 1: this rule won, 0: an earlier one on purpose, -1: there is no such alternative. */
static int rule_try(const struct rule *rule, const struct pick *pick)
{
        const struct wait *w;
        struct scene sc;
        int r = 1;

        if (!scene_of_rule(&sc, rule, pick))
                return -1;
        w = scene_explain(&sc);
        if (!w->rule || strcmp(w->rule, rule->name) != 0) {
                const struct stack *k = sc.t->kernel_stack;

                r = 0;
                if (!w->rule || !is_shadowed(rule->name, w->rule))
                        print_error("{ \"%s\", \"%s\" }, /* %s %s %s */\n", rule->name,
                                w->rule ? w->rule : "unknown",
                                sc.t->call.desc ? sc.t->call.desc->name : "-", k->frames[0].symbol,
                                sc.t->call.object && sc.t->call.object->kind
                                        ? sc.t->call.object->kind
                                        : "-"),
                                r = -2;
        } else {
                assert_int_equal(w->reason, rule->reason);
                /* futex_waitv takes no lock: what cannot be is not certain either. */
                if (w->confidence != rule->confidence &&
                        !(rule->when == when_futex_lock &&
                                syscall_arg(sc.t->call.desc, 'O', 0) < 0))
                        fail_msg("%s: %s %s %s", rule->name, confidence_name(w->confidence),
                                sc.t->call.desc ? sc.t->call.desc->name : "-",
                                sc.t->kernel_stack->frames[0].symbol);
                assert_null(strpbrk(w->text, "{}"));
                assert_true(w->n_evidence > 0);
                for (size_t i = 0; i < w->n_evidence; i++)
                        assert_non_null(w->evidence[i]);
                if (rule->subject == SUBJECT_NONE)
                        assert_null(w->object);
                else if (rule->made)
                        assert_true(!w->object || w->object->kind);
        }
        scene_free(&sc);
        return r;
}

/* Each rule by its first alternatives, then each of its alternatives once. */
static void test_reachable(void **state)
{
        int bad = 0;

        (void)state;
        for (size_t i = 0; i < n_rules; i++) {
                int first = rule_try(&rules[i], &(struct pick){ 0 });

                if (first < 0) {
                        print_error("%s is not reached\n", rules[i].name);
                        bad++;
                }
                for (size_t what = 0; what < 8; what++) {
                        for (size_t k = 1;; k++) {
                                struct pick pick = { 0 };
                                size_t *field = what == 0   ? &pick.state
                                                : what == 1 ? &pick.call
                                                : what == 2 ? &pick.leaf
                                                : what == 3 ? &pick.within
                                                : what == 4 ? &pick.kind
                                                : what == 5 ? &pick.user
                                                : what == 6 ? &pick.caller
                                                            : &pick.user_within;
                                int r;

                                *field = k;
                                r = rule_try(&rules[i], &pick);
                                if (r == -1)
                                        break;
                                bad += r == -2;
                        }
                }
        }
        assert_int_equal(bad, 0);
}

static bool by_state(const struct rule *rule)
{
        return rule->states && !rule->calls && !rule->leaf && !rule->within && !rule->kinds;
}

/* Less knowledge, weaker verdict. */
static void test_weaker(void **state)
{
        (void)state;
        for (size_t i = 0; i < n_rules; i++) {
                const struct rule *rule = &rules[i];
                enum confidence full, less;
                const struct wait *w;
                struct scene sc;

                if (!rule->leaf && !rule->within && !rule->kinds)
                        continue;
                /* The stack is refused. */
                assert_true(scene_of_rule(&sc, rule, &(struct pick){ 0 }));
                full = scene_explain(&sc)->confidence;
                if (rule->leaf || rule->within) {
                        sc.t->kernel_stack = NULL;
                        sc.t->kernel_stack_error = EACCES;
                        w = scene_explain(&sc);
                        less = w->confidence;
                        /* What the state alone says is as true without a stack. */
                        if (w->rule && by_state(rule_find(w->rule)))
                                ;
                        else if (less >= full && full > CONFIDENCE_GUESS)
                                fail_msg("%s without a stack: %s %s", rule->name,
                                        w->rule ? w->rule : "unknown", confidence_name(less));
                        assert_true(w->n_evidence > 0);
                }
                scene_free(&sc);

                /* The object is. */
                if (!rule->kinds)
                        continue;
                assert_true(scene_of_rule(&sc, rule, &(struct pick){ 0 }));
                sc.t->call.object = sc.t->call.object2 = NULL;
                w = scene_explain(&sc);
                if (w->rule && strcmp(w->rule, rule->name) == 0 && w->confidence >= full &&
                        full > CONFIDENCE_GUESS)
                        fail_msg("%s without its object: %s", rule->name,
                                confidence_name(w->confidence));
                scene_free(&sc);

                /* All is: neither the stack nor the call nor the object. */
                assert_true(scene_of_rule(&sc, rule, &(struct pick){ 0 }));
                memset(&sc.t->call, 0, sizeof(sc.t->call));
                sc.t->kernel_stack = NULL;
                w = scene_explain(&sc);
                if (rule->calls) {
                        assert_int_equal(w->reason, REASON_UNKNOWN);
                        assert_int_equal(w->confidence, CONFIDENCE_GUESS);
                }
                scene_free(&sc);
        }
}

/* In state D a read or write of a pipe waits for its lock, or it is not known for what. */
static void test_pipe_in_d(void **state)
{
        static const char *const leaves[] = { "anon_pipe_read", "pipe_read", "anon_pipe_write",
                "pipe_write", NULL };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
                bool writes = leaves[i] && strstr(leaves[i], "write");
                const struct wait *w;
                struct scene sc;

                scene_new(&sc);
                sc.t->state = 'D';
                scene_call(&sc, writes ? "write" : "read");
                sc.t->call.object = scene_object(&sc, "pipe", 0);
                if (leaves[i])
                        scene_stack(&sc, (const char *[]){ leaves[i], "do_syscall_64", NULL });
                w = scene_explain(&sc);
                assert_int_not_equal(w->reason, REASON_READ);
                assert_int_not_equal(w->reason, REASON_WRITE);
                assert_int_not_equal(w->confidence, CONFIDENCE_CERTAIN);
                if (leaves[i])
                        assert_int_equal(w->reason, REASON_LOCK);
                else
                        assert_int_equal(w->reason, REASON_UNKNOWN);
                scene_free(&sc);
        }
}

/* A function that no rule knows: not known, or guessed from call and object, with evidence. */
static void test_unknown_function(void **state)
{
        const struct wait *w;
        struct scene sc;

        (void)state;
        scene_new(&sc);
        scene_call(&sc, "ioctl");
        scene_stack(&sc, (const char *[]){ "driver_of_nobody", "do_syscall_64", NULL });
        w = scene_explain(&sc);
        assert_null(w->rule);
        assert_int_equal(w->reason, REASON_UNKNOWN);
        assert_int_equal(w->confidence, CONFIDENCE_GUESS);
        assert_non_null(strstr(w->text, "driver_of_nobody"));
        assert_non_null(strstr(w->text, "ioctl"));
        assert_true(w->n_evidence >= 2);
        assert_non_null(strstr(w->evidence[0], "ioctl("));
        assert_string_equal(w->evidence[1], "kernel frame driver_of_nobody");
        scene_free(&sc);

        scene_new(&sc);
        scene_call(&sc, "read");
        sc.t->call.object = scene_object(&sc, "pipe", 0);
        scene_stack(&sc, (const char *[]){ "pipe_of_tomorrow", "do_syscall_64", NULL });
        w = scene_explain(&sc);
        assert_int_equal(w->confidence, CONFIDENCE_GUESS);
        assert_true(w->reason == REASON_READ || w->reason == REASON_UNKNOWN);
        assert_true(w->n_evidence >= 2);
        scene_free(&sc);

        /* Nothing is known at all. */
        scene_new(&sc);
        w = scene_explain(&sc);
        assert_int_equal(w->reason, REASON_UNKNOWN);
        assert_true(w->n_evidence > 0);
        scene_free(&sc);
}

/* A state that was not read is none of those that rules ask for. */
static void test_unknown_state(void **state)
{
        static const char odd[] = { 0, '?', 'K', 'W', 'x' };

        (void)state;
        for (size_t i = 0; i < sizeof(odd); i++) {
                struct scene sc;

                scene_new(&sc);
                sc.t->state = odd[i];
                scene_thread(&sc, 101, 'S');
                assert_int_equal(scene_explain(&sc)->reason, REASON_UNKNOWN);
                scene_free(&sc);
        }
}

/* The same call and object on each level of knowledge. */
static void test_accept(void **state)
{
        const struct wait *w;
        struct object *o;
        struct scene sc;

        (void)state;
        scene_new(&sc);
        scene_call(&sc, "accept");
        sc.t->call.object = o = scene_object(&sc, "tcp", 3);
        o->state = "LISTEN";
        o->local = "0.0.0.0:1337";
        o->protocol = "TCP";
        scene_stack(&sc, (const char *[]){ "inet_csk_accept", "inet_accept", "do_accept",
                                 "__sys_accept4", "__x64_sys_accept", "do_syscall_64", NULL });
        w = scene_explain(&sc);
        assert_string_equal(w->rule, "tcp-accept");
        assert_int_equal(w->reason, REASON_ACCEPT);
        assert_int_equal(w->confidence, CONFIDENCE_CERTAIN);
        assert_string_equal(w->text, "waiting for a client to connect to 0.0.0.0:1337 (TCP, fd 3)");
        assert_int_equal(w->n_evidence, 3);
        assert_string_equal(w->evidence[1], "kernel frame inet_csk_accept");
        assert_string_equal(w->evidence[2], "fd 3 is a listening TCP socket");
        assert_ptr_equal(w->object, o);

        /* Its state is not known; then not even that it is TCP. */
        o->state = NULL;
        assert_int_equal(scene_explain(&sc)->confidence, CONFIDENCE_LIKELY);
        o->kind = "socket";
        assert_true(scene_explain(&sc)->confidence < CONFIDENCE_CERTAIN);
        /* Established: accept cannot wait on that, so something does not fit. */
        o->kind = "tcp";
        o->state = "ESTABLISHED";
        assert_true(scene_explain(&sc)->confidence < CONFIDENCE_CERTAIN);
        /* With wchan in the place of the stack. */
        o->state = "LISTEN";
        sc.t->kernel_stack = NULL;
        sc.t->wchan = "inet_csk_accept";
        w = scene_explain(&sc);
        assert_string_equal(w->rule, "tcp-accept");
        assert_string_equal(w->evidence[1], "wchan inet_csk_accept");
        /* wchan is a helper, which tells nothing. */
        sc.t->wchan = "wait_woken";
        assert_true(scene_explain(&sc)->confidence < CONFIDENCE_CERTAIN);
        scene_free(&sc);
}

/* Frames that the kernel was not sure of, and such without a name, prove nothing. */
static void test_frames(void **state)
{
        const char *leaf;
        struct scene sc;
        bool known;

        (void)state;
        scene_new(&sc);
        assert_null(thread_leaf(sc.t, &known));
        assert_false(known);
        assert_int_equal(thread_within(sc.t, "a"), UNSURE);
        scene_stack(&sc, (const char *[]){ "schedule_timeout", "a", "b", "c", NULL });
        leaf = thread_leaf(sc.t, &known);
        assert_string_equal(leaf, "a");
        assert_true(known);
        assert_int_equal(thread_within(sc.t, "x|c"), TRUE);
        assert_int_equal(thread_within(sc.t, "x|d"), FALSE);
        sc.t->kernel_stack->frames[1].unreliable = true;
        assert_string_equal(thread_leaf(sc.t, &known), "b");
        assert_int_equal(thread_within(sc.t, "a"), FALSE);
        sc.t->kernel_stack->frames[2].symbol = NULL;
        assert_null(thread_leaf(sc.t, &known));
        assert_false(known);
        ((struct stack *)sc.t->kernel_stack)->truncated = true;
        assert_int_equal(thread_within(sc.t, "x"), UNSURE);
        scene_free(&sc);
}

/* The holder of a priority-inheritance lock is in the futex word, by its TID. */
static void test_futex_owner(void **state)
{
        const struct wait *w;
        struct object *o;
        struct scene sc;

        (void)state;
        scene_new(&sc);
        scene_thread(&sc, 101, 'S');
        scene_thread(&sc, 102, 'S');
        scene_call(&sc, "futex");
        sc.t->call.args[1] = FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG;
        sc.t->call.object = o = scene_object(&sc, "futex", -1);
        o->has_address = o->has_word = true;
        o->address = 0x1234;
        o->word = 0x80000000 | 102; /* with FUTEX_WAITERS */
        scene_stack(&sc, (const char *[]){ "futex_lock_pi", "do_futex", "do_syscall_64", NULL });
        w = scene_explain(&sc);
        assert_string_equal(w->rule, "futex-pi");
        assert_int_equal(w->reason, REASON_LOCK);
        assert_int_equal(w->n_on, 1);
        assert_int_equal(w->on[0].tid, 102);
        assert_int_equal(w->on[0].pid, 100);
        assert_int_equal(w->on[0].role, ROLE_HOLDER);
        assert_string_equal(w->on[0].comm, "other");
        /* Itself, a thread that is not there, nobody, a TID of another namespace. */
        o->word = 100;
        assert_int_equal(scene_explain(&sc)->n_on, 0);
        o->word = 999;
        assert_int_equal(scene_explain(&sc)->n_on, 0);
        o->word = 0x80000000;
        assert_int_equal(scene_explain(&sc)->n_on, 0);
        o->word = 102;
        sc.process->inner_pid = 1;
        assert_int_equal(scene_explain(&sc)->n_on, 0);
        sc.process->inner_pid = 0;
        /* The word of any other futex is nobody's TID. */
        sc.t->call.args[1] = FUTEX_WAIT;
        scene_stack(&sc, (const char *[]){ "futex_do_wait", "do_futex", "do_syscall_64", NULL });
        w = scene_explain(&sc);
        assert_int_equal(w->reason, REASON_FUTEX);
        assert_int_equal(w->n_on, 0);
        scene_free(&sc);
}

/* What memory says of a lock counts only if the rule says the same kind. */
static void test_lock_reconcile(void **state)
{
        struct owner owner = { .pid = 7, .tid = 8 };
        struct object o = { .kind = "mutex",
                .lock_kind = "mutex",
                .lock_address = 0x1000,
                .address = 0x1008,
                .owners = &owner,
                .n_owners = 1,
                .on_whole = true };
        struct object other = o;

        (void)state;
        lock_reconcile(&o);
        assert_true(o.address == 0x1000);
        assert_int_equal(o.n_owners, 1);
        other.kind = "condvar";
        assert_null(owners_none(&other));
        lock_reconcile(&other);
        assert_true(other.address == 0x1008);
        assert_int_equal(other.n_owners, 0);
        assert_false(other.on_whole);
        assert_non_null(owners_none(&other));
        assert_null(owners_none(&o));
        assert_null(owners_none(NULL));
}

static void test_zombies(void **state)
{
        struct thread *other;
        const struct wait *w;
        struct scene sc;

        (void)state;
        scene_new(&sc);
        sc.t->state = 'Z';
        sc.process->parent_comm = "init";
        other = scene_thread(&sc, 101, 'S');
        w = scene_explain(&sc);
        assert_string_equal(w->rule, "zombie-leader");
        assert_int_equal(w->n_on, 0); /* the parent cannot reap it yet */
        assert_int_equal(other->wait.reason, REASON_UNKNOWN);
        /* All have exited. */
        other->state = 'Z';
        w = scene_explain(&sc);
        assert_string_equal(w->rule, "zombie");
        assert_string_equal(w->text, "has exited; waiting for init (1) to reap it");
        assert_int_equal(w->n_on, 1);
        assert_int_equal(w->on[0].pid, 1);
        assert_int_equal(w->on[0].role, ROLE_PARENT);
        assert_string_equal(other->wait.rule, "zombie-thread");
        scene_free(&sc);
}

static void test_children(void **state)
{
        struct owner children[5] = { { 11, 0, "a", ROLE_CHILD }, { 12, 0, "b", ROLE_CHILD },
                { 13, 0, "c", ROLE_CHILD }, { 14, 0, "d", ROLE_CHILD },
                { 15, 0, "e", ROLE_CHILD } };
        const struct wait *w;
        struct scene sc;

        (void)state;
        scene_new(&sc);
        scene_call(&sc, "wait4");
        scene_stack(&sc, (const char *[]){ "do_wait", "kernel_wait4", "do_syscall_64", NULL });
        sc.t->call.args[0] = 7; /* which of ours is that? */
        w = scene_explain(&sc);
        assert_string_equal(w->rule, "wait-hidden");
        sc.t->call.args[0] = (uint64_t)-1;
        w = scene_explain(&sc);
        assert_string_equal(w->rule, "wait-children");
        assert_string_equal(w->text, "waiting for a child process");
        sc.process->has_children = true;
        sc.process->children = children;
        sc.process->n_children = 1;
        w = scene_explain(&sc);
        assert_string_equal(w->text, "waiting for a (11)");
        assert_int_equal(w->n_on, 1);
        sc.process->n_children = 5;
        sc.process->n_children_hidden = 2;
        w = scene_explain(&sc);
        assert_string_equal(w->text, "waiting for any of its 7 children: a (11), b (12), c (13) …");
        assert_int_equal(w->n_on, 5);
        /* One by name, and the others do not matter. */
        sc.t->call.object = scene_object(&sc, "process", -1);
        sc.t->call.object->pid = 14;
        sc.t->call.object->comm = "d";
        w = scene_explain(&sc);
        assert_string_equal(w->rule, "wait-child");
        assert_string_equal(w->text, "waiting for its child d (14)");
        assert_int_equal(w->n_on, 1);
        assert_int_equal(w->on[0].pid, 14);
        scene_free(&sc);
}

static void test_traced(void **state)
{
        const struct wait *w;
        struct scene sc;

        (void)state;
        scene_new(&sc);
        sc.t->state = 't';
        w = scene_explain(&sc);
        assert_int_equal(w->reason, REASON_TRACED);
        assert_string_equal(w->text, "stopped by its tracer, a tracer");
        assert_int_equal(w->n_on, 0);
        sc.t->tracer = 7;
        sc.t->tracer_comm = "gdb";
        w = scene_explain(&sc);
        assert_string_equal(w->text, "stopped by its tracer, gdb (7)");
        assert_int_equal(w->on[0].role, ROLE_TRACER);
        assert_int_equal(w->object->pid, 7);
        scene_free(&sc);
}

static void test_moving(void **state)
{
        const struct wait *w;
        struct scene sc;

        (void)state;
        assert_true(scene_of_rule(&sc, rule_find("futex"), &(struct pick){ 0 }));
        sc.t->moved = true;
        w = scene_explain(&sc);
        assert_int_equal(w->reason, REASON_UNKNOWN);
        assert_int_equal(w->confidence, CONFIDENCE_GUESS);
        scene_free(&sc);
}

/* Names of any length and content do no more than fill a sentence. */
static void test_hostile_words(void **state)
{
        char *huge = malloc(100001);
        struct object *o;
        struct scene sc;

        (void)state;
        memset(huge, '{', 100000);
        huge[100000] = 0;
        for (size_t i = 0; i < n_rules; i++) {
                if (!scene_of_rule(&sc, &rules[i], &(struct pick){ 0 }))
                        continue;
                sc.process->comm = sc.process->parent_comm = sc.t->tracer_comm = huge;
                sc.t->tracer = 7;
                o = sc.t->call.object;
                if (o) {
                        o->path = o->local = o->remote = o->comm = o->link = o->protocol = huge;
                        o->n_members_hidden = SIZE_MAX / 2;
                        o->inode = UINT64_MAX;
                }
                sc.t->call.has_deadline = sc.t->call.timeout_set = true;
                sc.t->call.deadline_ns = INT64_MIN;
                assert_true(strlen(scene_explain(&sc)->text) < 1024);
                sc.t->call.deadline_ns = INT64_MAX;
                assert_true(strlen(scene_explain(&sc)->text) < 1024);
                scene_free(&sc);
        }
        free(huge);
}

static void test_sentences(void **state)
{
        struct scene sc;
        struct object *o;

        (void)state;
        scene_new(&sc);
        o = scene_object(&sc, "pipe", 0);
        o->inode = 4711;
        assert_non_null(strstr(words_object(sc.arena, o, NULL), "4711"));
        assert_non_null(strstr(words_object(sc.arena, o, NULL), "fd 0"));
        assert_non_null(strstr(words_evidence(sc.arena, o), "fd 0 is a pipe"));
        assert_string_equal(words_object(sc.arena, NULL, "pipe"), "a pipe");
        assert_null(words_evidence(sc.arena, NULL));
        assert_null(words_evidence(sc.arena, scene_object(&sc, NULL, 3)));
        for (size_t i = 0; i < n_rules; i++) {
                char word[WORD_MAX];

                /* Each kind that a rule is about has a name for people. */
                for (size_t k = 0; list_word(rules[i].kinds, k, word); k++)
                        if (strstr(words_object(sc.arena, NULL, word), "something"))
                                fail_msg("%s has no words", word);
        }
        scene_free(&sc);
}

/* A stack that the kernel printed empty is shared by all of them, and wchan is each one's own. */
static void test_empty_stacks_share_nothing(void **state)
{
        static const char *const nowhere[] = { NULL };
        struct scene sc;
        struct thread *other;

        (void)state;
        scene_new(&sc);
        scene_stack(&sc, nowhere);
        sc.t->wchan = "hrtimer_nanosleep";
        scene_call(&sc, "clock_nanosleep");
        other = scene_thread(&sc, 101, 'S');
        other->kernel_stack = sc.t->kernel_stack;
        other->call = sc.t->call;
        other->wchan = "do_exit";
        scene_explain(&sc);
        assert_string_equal(sc.t->wait.evidence[1], "wchan hrtimer_nanosleep");
        assert_string_equal(other->wait.evidence[1], "wchan do_exit");
        assert_int_equal(sc.t->wait.reason, REASON_SLEEP);
        assert_int_equal(other->wait.reason, REASON_UNKNOWN);
        scene_free(&sc);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_texts),
                cmocka_unit_test(test_subjects),
                cmocka_unit_test(test_lists),
                cmocka_unit_test(test_reachable),
                cmocka_unit_test(test_weaker),
                cmocka_unit_test(test_pipe_in_d),
                cmocka_unit_test(test_unknown_function),
                cmocka_unit_test(test_unknown_state),
                cmocka_unit_test(test_accept),
                cmocka_unit_test(test_frames),
                cmocka_unit_test(test_futex_owner),
                cmocka_unit_test(test_lock_reconcile),
                cmocka_unit_test(test_zombies),
                cmocka_unit_test(test_children),
                cmocka_unit_test(test_traced),
                cmocka_unit_test(test_moving),
                cmocka_unit_test(test_hostile_words),
                cmocka_unit_test(test_sentences),
                cmocka_unit_test(test_empty_stacks_share_nothing),
        };

        return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
