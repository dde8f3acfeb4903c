/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks the rule table about every thread.
 *
 * Thousands of threads share a few stacks. What a rule asks of state, call and stack is the
 * same for all of them, so the rules that are left are kept by (stack, call, state), and only
 * those are asked about each thread's object.
 */
#include "explain/explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/arena.h"
#include "explain/owners.h"
#include "explain/place.h"
#include "explain/rules.h"
#include "explain/userplace.h"
#include "explain/when.h"
#include "explain/words.h"
#include "model.h"
#include "resolve/syscall.h"
#include "symbol/stacktext.h"

struct match {
        const struct rule *rule;
        enum truth call, leaf, within;
        bool wchan; /* the leaf is known from wchan only */
};

struct situation { /* all that the rules ask of a thread before its object */
        struct {
                const struct stack *stack;
                const char *wchan; /* each thread's own */
                const struct syscall_desc *desc;
                int call_state;
                char state;
                bool kernel;
                struct user_place user; /* names: where they are the same, so are the strings */
        } key;
        struct match *matches;
        size_t n_matches;
        const char *frame; /* evidence of where it sleeps; NULL: none */
        UT_hash_handle hh;
};

struct known_place { /* of the threads that share a user stack */
        const struct user_stack *stack;
        struct user_place place;
        UT_hash_handle hh;
};

struct explainer {
        struct snapshot *snapshot;
        struct arena *arena;
        struct situation *situations;
        struct known_place *places;
};

static bool list_has(const char *list, const char *word)
{
        size_t len = strlen(word);

        for (const char *p = list; p; p = strchr(p, '|')) {
                p += *p == '|';
                if (strncmp(p, word, len) == 0 && (!p[len] || p[len] == '|'))
                        return true;
        }
        return false;
}

static enum truth call_truth(const struct rule *rule, const struct thread *t)
{
        const struct call *c = &t->call;

        switch (c->state) {
        case CALL_UNKNOWN: /* its wrapper on the stack may tell the name */
                if (!c->desc || *rule->calls == '-' || call_is(c, "socketcall|ipc"))
                        return UNSURE;
                break;
        case CALL_RUNNING:
                return FALSE;
        case CALL_OUTSIDE:
                return *rule->calls == '-' ? TRUE : FALSE;
        case CALL_INSIDE:
                break;
        }
        if (*rule->calls == '-')
                return FALSE;
        if (!c->desc)
                return UNSURE;
        if (call_is(c, rule->calls))
                return TRUE;
        /* What was restarted is not told; the stack still is that of the first call. */
        return call_is(c, "restart_syscall") && rule->leaf ? UNSURE : FALSE;
}

/* A state that a text does not tell may be that of any rule that asks where a thread sleeps. */
static bool state_fits(const struct rule *rule, const struct thread *t)
{
        const char *states = rule->states ? rule->states : "S";

        if (t->state)
                return strchr(states, t->state);
        return (rule->leaf || rule->within) && strpbrk(states, "SD");
}

static void place_find(struct explainer *e, const struct thread *t, struct user_place *ret_place)
{
        struct known_place *known = NULL;

        *ret_place = (struct user_place){ 0 };
        if (!t->user_stack)
                return;
        HASH_FIND_PTR(e->places, &t->user_stack, known);
        if (!known) {
                user_place_find(t->user_stack, ret_place);
                known = calloc(1, sizeof(*known));
                if (!known)
                        return; /* it is found again each time, then */
                known->stack = t->user_stack;
                known->place = *ret_place;
                HASH_ADD_PTR(e->places, stack, known);
        }
        *ret_place = known->place;
}

/* What can be said before the object. False: the rule does not apply. */
static bool match_place(const struct rule *rule, const struct thread *t,
        const struct user_place *user, struct match *ret)
{
        struct match m = { .rule = rule, .call = TRUE, .leaf = TRUE, .within = TRUE };
        bool known;
        const char *leaf;

        if (!state_fits(rule, t))
                return false;
        if (rule->kernel != t->process->kernel && (rule->kernel || rule->calls))
                return false;
        if (rule->calls) {
                m.call = call_truth(rule, t);
                if (m.call == FALSE)
                        return false;
        }
        if (user_place_fits(rule, user) == FALSE)
                return false;
        if (rule->leaf) {
                leaf = thread_leaf(t, &known);
                m.wchan = known && !(t->kernel_stack && t->kernel_stack->n_frames);
                m.leaf = !known ? UNSURE : leaf && symbol_matches(leaf, rule->leaf) ? TRUE : FALSE;
                if (m.leaf == FALSE)
                        return false;
        }
        if (rule->within) {
                m.within = thread_within(t, rule->within);
                if (m.within == FALSE)
                        return false;
        }
        *ret = m;
        return true;
}

static const struct situation *situation_find(struct explainer *e, const struct thread *t)
{
        struct match matches[128];
        struct situation *s, probe;
        size_t n = 0;

        memset(&probe.key, 0, sizeof(probe.key));
        probe.key.stack = t->kernel_stack;
        probe.key.wchan = t->wchan;
        probe.key.desc = t->call.desc;
        probe.key.call_state = t->call.state;
        probe.key.state = t->state;
        probe.key.kernel = t->process->kernel;
        place_find(e, t, &probe.key.user);
        s = NULL;
        if (t->kernel_stack)
                HASH_FIND(hh, e->situations, &probe.key, sizeof(probe.key), s);
        if (s)
                return s;
        for (size_t i = 0; i < n_rules && n < 128; i++)
                if (match_place(&rules[i], t, &probe.key.user, &matches[n]))
                        n++;
        s = calloc(1, sizeof(*s));
        if (!s)
                return NULL;
        s->key = probe.key;
        s->n_matches = n;
        s->matches = malloc((n ? n : 1) * sizeof(*matches));
        if (!s->matches) {
                free(s);
                return NULL;
        }
        memcpy(s->matches, matches, n * sizeof(*matches));
        s->frame = thread_leaf_evidence(e->arena, t);
        HASH_ADD(hh, e->situations, key, sizeof(s->key), s);
        return s;
}

/*
 * The one of the call's objects that the rule is about. A call that moves data from one fd to
 * another waits for the one that it reads or the one that it writes.
 */
static struct object *rule_object(const struct rule *rule, const struct thread *t)
{
        struct object *o = t->call.object, *o2 = t->call.object2;
        bool output = rule->reason == REASON_WRITE || rule->reason == REASON_SEND;

        if (rule->kinds && call_is(&t->call, "splice|tee"))
                return output ? o2 : o;
        if (rule->kinds && call_is(&t->call, "sendfile|sendfile64"))
                return output ? o : o2;
        return o;
}

static enum truth kinds_truth(const struct rule *rule, const struct object *o)
{
        static const char *const sockets[] = { "tcp", "udp", "unix", "netlink", "packet", "raw",
                "vsock" };

        if (!o || !o->kind)
                return UNSURE;
        if (list_has(rule->kinds, o->kind))
                return TRUE;
        if (strcmp(o->kind, "socket") != 0)
                return FALSE;
        /* A socket of which no more is known may be of any of these kinds. */
        for (size_t i = 0; i < sizeof(sockets) / sizeof(*sockets); i++)
                if (list_has(rule->kinds, sockets[i]))
                        return UNSURE;
        return FALSE;
}

/* Does the rule apply; if so, how many of its conditions are not known? */
static bool match_apply(const struct match *m, const struct thread *t, unsigned *ret_unsure)
{
        const struct rule *rule = m->rule;
        enum truth kinds = TRUE, when = TRUE;
        bool placed;

        if (rule->kinds) {
                kinds = kinds_truth(rule, rule_object(rule, t));
                if (kinds == FALSE)
                        return false;
        }
        if (rule->when) {
                when = rule->when(t);
                if (when == FALSE)
                        return false;
        }
        /*
         * Where the thread sleeps is not known: then the call and the object must say it
         * together, or the call alone where nothing else can be meant; and in state D it
         * may be anything below the call.
         */
        placed = m->leaf == TRUE && m->within == TRUE;
        if ((rule->leaf || rule->within) && !placed) {
                bool object_says = rule->kinds && kinds == TRUE;

                if (!rule->calls || m->call != TRUE || (!object_says && !rule->call_decides))
                        return false;
                if (t->state != 'S' && !rule->call_decides)
                        return false;
        }
        /* A guess from the call needs the call and the object. */
        if (!rule->leaf && !rule->within && rule->calls && (m->call != TRUE || kinds != TRUE) &&
                !rule->when)
                return false;
        /* A condition on state R tells running from ready: not known is neither. */
        if (rule->when && when == UNSURE && !rule->leaf && !rule->within)
                return false;
        /* The innermost function alone: what called it, and why, is not seen. */
        *ret_unsure = 2 * (m->wchan && !rule->calls) + (m->call == UNSURE) +
                      (m->leaf == UNSURE || m->within == UNSURE) +
                      (kinds == UNSURE || when == UNSURE);
        return true;
}

static void evidence_add(struct wait *w, const char *text)
{
        if (text && w->n_evidence < EVIDENCE_MAX)
                w->evidence[w->n_evidence++] = text;
}

static void evidence_user(struct explainer *e, struct thread *t)
{
        struct user_place place;
        const char *frame;

        place_find(e, t, &place);
        frame = place.leaf ? place.leaf : place.callers[0];
        if (frame)
                evidence_add(&t->wait, arena_share_printf(e->arena, "user frame %s", frame));
}

static void evidence_fill(
        struct explainer *e, struct thread *t, const struct match *m, const char *frame)
{
        struct wait *w = &t->wait;

        if (t->call.state == CALL_INSIDE) {
                const char *call = call_format(e->arena, &t->call);

                if (call)
                        evidence_add(w, arena_share_printf(e->arena, "syscall %s", call));
        } else if (t->call.state == CALL_OUTSIDE && !t->process->kernel && t->state != 'Z') {
                evidence_add(w, "outside of a system call");
        }
        evidence_add(w, frame);
        if (m->rule->user || m->rule->caller)
                evidence_user(e, t);
        if (t->wait.object && t->wait.object->fd >= 0)
                evidence_add(w, words_evidence(e->arena, rule_object(m->rule, t)));
        else if (t->call.object && t->call.object->kind &&
                 strcmp(t->call.object->kind, "futex") == 0)
                evidence_add(w, words_evidence(e->arena, t->call.object));
        if (m->rule->subject == SUBJECT_BLOCKER)
                evidence_add(w, "the kernel names the lock");
        if (w->object)
                evidence_add(w, w->object->note);
        if (w->object)
                evidence_add(w, w->object->waiters);
        evidence_add(w, owners_none(w->object));
        evidence_add(w, place_evidence(e->arena, w->object));
        if ((!m->rule->calls && !m->rule->leaf && m->rule->subject != SUBJECT_BLOCKER) ||
                !w->n_evidence)
                evidence_add(
                        w, arena_share_printf(e->arena, "state %c", t->state ? t->state : '?'));
}

static struct object *wait_object(struct explainer *e, const struct match *m, struct thread *t)
{
        const struct rule *rule = m->rule;
        struct object *call = rule_object(rule, t), *o;

        switch (rule->subject) {
        case SUBJECT_NONE:
                return NULL;
        case SUBJECT_CALL:
                if (call && !call->kind && rule->made)
                        call->kind = rule->made;
                return call;
        case SUBJECT_CGROUP:
                return t->cgroup;
        case SUBJECT_BLOCKER:
                return t->blocker;
        case SUBJECT_PLACE:
                return place_object(e->arena, rule, t);
        case SUBJECT_LOCK:
        case SUBJECT_MADE:
        case SUBJECT_TIMER:
                break;
        }
        o = arena_new_one(e->arena, struct object);
        if (!o)
                return NULL;
        if (rule->subject == SUBJECT_LOCK && call)
                *o = *call;
        else
                o->fd = -1;
        o->kind = rule->made;
        if (o->lock_layout)
                lock_reconcile(o);
        if (rule->subject == SUBJECT_TIMER && t->call.has_deadline) {
                o->has_deadline = true;
                o->deadline_ns = t->call.deadline_ns;
        }
        return o;
}

static void verdict_unknown(struct explainer *e, struct thread *t, const char *text)
{
        static const struct rule none = { .name = "unknown" };
        struct match m = { .rule = &none };

        t->wait.reason = REASON_UNKNOWN;
        t->wait.confidence = CONFIDENCE_GUESS;
        t->wait.object = t->call.object && t->call.object->kind ? t->call.object : NULL;
        t->wait.text = text;
        evidence_fill(e, t, &m, thread_leaf_evidence(e->arena, t));
}

static const char *unknown_text(struct explainer *e, const struct thread *t)
{
        const char *call = t->call.desc ? t->call.desc->name : NULL;
        bool known;
        const char *leaf = thread_leaf(t, &known);

        if (t->call.state == CALL_INSIDE && !call)
                call = "a system call";
        if (call && leaf)
                return arena_printf(e->arena,
                        "blocked in %s, in the kernel's %s; what for is not known", call, leaf);
        if (call)
                return arena_printf(e->arena, "blocked in %s; what for is not known", call);
        if (leaf)
                return arena_printf(
                        e->arena, "blocked in the kernel's %s; what for is not known", leaf);
        return t->state || (t->kernel_stack && t->kernel_stack->n_frames)
                       ? "blocked; what for is not known"
                       : "blocked or running: there is no stack";
}

static int explain_thread(struct explainer *e, struct thread *t)
{
        const struct situation *s;
        struct wait *w = &t->wait;

        memset(w, 0, sizeof(*w));
        if (t->moved && t->state != 'R') {
                verdict_unknown(e, t, "on the move: it ran each time it was looked at");
                return 0;
        }
        s = situation_find(e, t);
        if (!s)
                return -ENOMEM;
        for (size_t i = 0; i < s->n_matches; i++) {
                const struct match *m = &s->matches[i];
                unsigned unsure;

                if (!match_apply(m, t, &unsure))
                        continue;
                w->rule = m->rule->name;
                w->reason = m->rule->reason;
                w->confidence = m->rule->confidence > unsure ? m->rule->confidence - unsure
                                                             : CONFIDENCE_GUESS;
                if (!t->state && w->confidence == CONFIDENCE_CERTAIN)
                        w->confidence = CONFIDENCE_LIKELY;
                w->object = wait_object(e, m, t);
                owners_fill(e->arena, t);
                w->text = words_sentence(e->arena, m->rule, t, w->object);
                evidence_fill(e, t, m, s->frame);
                return 0;
        }
        verdict_unknown(e, t, unknown_text(e, t));
        return 0;
}

/* Without a stack, situations are not found again: do not let them pile up. */
static void situations_clear(struct explainer *e)
{
        struct situation *s, *next;
        struct known_place *known, *next_known;

        HASH_ITER(hh, e->places, known, next_known)
        {
                HASH_DEL(e->places, known);
                free(known);
        }

        HASH_ITER(hh, e->situations, s, next)
        {
                HASH_DEL(e->situations, s);
                free(s->matches);
                free(s);
        }
}

static int processes_explain(struct snapshot *s, bool kernel_only)
{
        struct explainer e = { .snapshot = s, .arena = s->arena };
        int r = 0;

        for_each_process(p, s) {
                if (kernel_only && !p->kernel)
                        continue;
                for_each_thread(t, p)
                        if (r == 0)
                                r = explain_thread(&e, t);
                if (HASH_COUNT(e.situations) > 4096 || HASH_COUNT(e.places) > 65536)
                        situations_clear(&e);
        }
        situations_clear(&e);
        return r < 0 ? r : arena_failed(s->arena) ? -ENOMEM : 0;
}

int explain_snapshot(struct snapshot *s)
{
        return processes_explain(s, false);
}

int explain_kernel(struct snapshot *s)
{
        return processes_explain(s, true);
}
