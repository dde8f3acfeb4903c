/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sentences of verdicts are made to stand alone ("waiting for a client …"). Behind a name
 * they need a verb, which depends on how they begin.
 */
#include "render/chains.h"

#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "model.h"
#include "render/details.h"
#include "render/page.h"

#define STEPS_SHOWN 8 /* of a chain between a thread and its root */
#define STEPS_LAST 2  /* of these, so many at the end */
#define MEMBERS_SHOWN 32

static bool begins_with(const char *text, const char *word)
{
        return strncmp(text, word, strlen(word)) == 0;
}

/* "waiting", "closing": a participle, which takes a time well, unless there is another in it. */
static bool is_lasting(const struct thread *t)
{
        size_t len = strcspn(t->wait.text, " ,:");

        return len > 3 && memcmp(t->wait.text + len - 3, "ing", 3) == 0 &&
               t->wait.reason != REASON_RUNNING && t->wait.reason != REASON_SLEEP &&
               !t->call.has_deadline;
}

static const char *time_of(
        struct page *p, const struct thread *const *threads, size_t n, const char *before)
{
        const struct thread *longest = NULL;
        char text[DURATION_MAX];

        for (size_t i = 0; i < n; i++)
                if (threads[i]->has_for && (!longest || threads[i]->for_ns > longest->for_ns))
                        longest = threads[i];
        if (!longest || threads[0]->wait.reason == REASON_RUNNING)
                return "";
        return page_join(p, before,
                longest->for_at_least ? "more than "
                : n > 1               ? "up to "
                                      : "",
                duration_format(text, longest->for_ns), NULL);
}

/* The sentence of look-alikes: the number of an fd that is not the same in all is left out. */
static const char *text_of(struct page *p, const struct thread *const *threads, size_t n)
{
        const char *text = threads[0]->wait.text, *fd = strstr(text, " (fd "), *end;
        bool same = true;

        for (size_t i = 1; i < n && same; i++)
                same = threads[i]->wait.text && strcmp(threads[i]->wait.text, text) == 0;
        end = fd ? fd + strlen(" (fd ") + strspn(fd + strlen(" (fd "), "0123456789") : NULL;
        if (same || !end || *end != ')')
                return page_safe(p, text, ESCAPE_PATH_MAX);
        return page_safe(p,
                page_join(p, arena_strn(p->scratch, text, (size_t)(fd - text)), end + 1, NULL),
                ESCAPE_PATH_MAX);
}

/* What can stand behind "is". */
static bool is_predicate(const char *text)
{
        static const char *const words[] = { "sleeping", "running", "waiting", "stopped", "frozen",
                "blocked", "closing", "in ", "held ", "ready " };

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (begins_with(text, words[i]))
                        return true;
        return false;
}

/* The time goes before a remark: "stopped by a signal, for 2 s; SIGCONT continues it". */
static const char *timed(struct page *p, const char *text, const char *time)
{
        const char *semicolon = strstr(text, "; "), *colon = strstr(text, ": ");
        const char *at = !colon || (semicolon && semicolon < colon) ? semicolon : colon;

        if (!at)
                return page_join(p, text, time, NULL);
        return page_join(p, arena_strn(p->scratch, text, (size_t)(at - text)), time, at, NULL);
}

const char *thread_clause(struct page *p, const struct thread *const *threads, size_t n)
{
        const struct thread *t = threads[0];
        const char *text = t->wait.text, *sure = "", *safe;

        if (!text)
                return ": what it does is not known";
        if (t->wait.reason != REASON_UNKNOWN && t->wait.confidence != CONFIDENCE_CERTAIN)
                sure = t->wait.confidence == CONFIDENCE_LIKELY ? " (likely)" : " (a guess)";
        safe = text_of(p, threads, n);
        if (begins_with(text, "has "))
                return page_join(p, " ", safe, sure, NULL);
        if (is_lasting(t) && *time_of(p, threads, n, ""))
                return page_join(p, n > 1 ? " have been " : " has been ",
                        timed(p, safe, time_of(p, threads, n, " for ")), sure, NULL);
        if (!is_predicate(text))
                return page_join(p, ": ", safe, time_of(p, threads, n, ", for "), sure, NULL);
        if (t->wait.reason == REASON_SLEEP || t->call.has_deadline)
                return page_join(p, n > 1 ? " are " : " is ", safe, sure, NULL);
        return page_join(p, n > 1 ? " are " : " is ",
                timed(p, safe, time_of(p, threads, n, ", for ")), sure, NULL);
}

static void step_write(struct page *p, const struct thread *t, unsigned indent, bool first)
{
        page_begin(p, ' ', indent, indent + 2);
        page_cut(p, STYLE_DIM, first ? "chain" : "");
        p->pending = first ? LABEL_WIDTH - (unsigned)strlen("chain") : 0;
        page_flow(p, STYLE_PLAIN, page_join(p, thread_label(p, t), thread_clause(p, &t, 1), NULL));
        page_end(p);
}

/* The threads between t and the end of its chain, without these, each further in. */
static void steps_write(struct page *p, const struct thread *t, size_t n, unsigned indent)
{
        size_t i = 0;

        for (t = t->toward; t && i < n; t = t->toward, i++) {
                unsigned depth = i < STEPS_SHOWN ? (unsigned)i : STEPS_SHOWN;

                if (n > STEPS_SHOWN + 1 && i >= STEPS_SHOWN - STEPS_LAST && i < n - STEPS_LAST) {
                        if (i > STEPS_SHOWN - STEPS_LAST)
                                continue;
                        page_begin(p, ' ', indent + LABEL_WIDTH + 2 * depth, 0);
                        page_flow(p, STYLE_DIM,
                                page_join(p, "… ", page_number(p, n - STEPS_SHOWN), " more", NULL));
                        page_end(p);
                        continue;
                }
                step_write(p, t, i == 0 ? indent : indent + LABEL_WIDTH + 2 * depth, i == 0);
        }
}

static void end_write(
        struct page *p, unsigned indent, enum style style, const char *what, const char *text)
{
        page_begin(p, ' ', indent, indent + 2);
        page_flow(p, style, what);
        page_flow(p, STYLE_PLAIN, text);
        page_end(p);
}

/* Why a chain is followed no further than to a thread that waits for somebody. */
const char *chain_branch(struct page *p, const struct thread *t)
{
        const struct wait *w = &t->wait;
        const struct owner *o = &w->on[0];

        /* Without a timeout it is only that nobody knows its owners to be all who count. */
        if (t->yields)
                return t->call.timeout_set || t->call.has_deadline
                               ? "whom it waits for waits for it, but it can give up by itself (a "
                                 "timeout)"
                               : "whom it waits for waits for it, but others may end this wait, "
                                 "for "
                                 "all that is known";
        if (w->confidence == CONFIDENCE_GUESS)
                return "who can end this wait is a guess";
        if (w->n_on > 1)
                return w->on_any ? "any of several can end this wait" : "each of several must act";
        if (w->on_any && !w->on_whole)
                return "others, out of sight, can end this wait as well";
        return page_join(p, "any thread of ",
                o->comm ? page_safe(p, o->comm, ESCAPE_NAME_MAX) : "process", " (pid ",
                page_number(p, (uint64_t)o->pid), ") can end this wait", NULL);
}

const char *deadlock_members(struct page *p, const struct deadlock *d)
{
        const char *words = thread_label(p, d->members[0]);

        for (size_t i = 1; i < d->n_members && i < 3; i++)
                words = page_join(p, words, d->n_members == 2 ? " and " : ", ",
                        thread_label(p, d->members[i]), NULL);
        return d->n_members > 3 ? page_join(p, words, ", …", NULL) : words;
}

static bool is_member(const struct thread *t)
{
        const struct deadlock *d = t->deadlock;

        for (size_t i = 0; d && i < d->n_members; i++)
                if (d->members[i] == t)
                        return true;
        return false;
}

static void chain_deadlocked(struct page *p, const struct thread *t, unsigned indent)
{
        const struct thread *u = t;
        size_t n = 0;

        if (!t->deadlock)
                return;
        if (is_member(t)) {
                end_write(p, indent, STYLE_ALARM, "in a deadlock: ",
                        t->deadlock->n_members == 1
                                ? "it waits for itself"
                                : page_join(p, "of ", deadlock_members(p, t->deadlock), NULL));
                return;
        }
        for (u = t->toward; u && !is_member(u); u = u->toward)
                n++;
        steps_write(p, t, n, indent);
        end_write(p, indent, STYLE_ALARM,
                "behind a deadlock: ", page_join(p, "of ", deadlock_members(p, t->deadlock), NULL));
}

void chain_write(struct page *p, const struct thread *t, unsigned indent)
{
        const struct thread *end = t;
        size_t n = 0;

        if (t->deadlocked) {
                chain_deadlocked(p, t, indent);
                return;
        }
        if (t->wait.n_on == 0)
                return;
        if (t->root == t) {
                /* Several owners stand above, and who polls rests. */
                if (t->wait.n_on == 1 && t->wait.reason != REASON_POLL)
                        end_write(p, indent, STYLE_DIM, "chain ends here: ", chain_branch(p, t));
                return;
        }
        for (; end->toward; end = end->toward)
                n++;
        steps_write(p, t, end->root ? n - 1 : n, indent);
        if (end->root && end->wait.n_on == 0)
                end_write(p, indent, STYLE_BOLD, "root cause: ",
                        page_join(p, thread_label(p, end), thread_clause(p, &end, 1), NULL));
        else if (end->root)
                end_write(p, indent, STYLE_BOLD, "chain ends at ",
                        page_join(p, thread_label(p, end), ", which", thread_clause(p, &end, 1),
                                ": ", chain_branch(p, end), NULL));
        else if (t->circular || end->circular)
                end_write(p, indent, STYLE_BLOCKED, "possibly a deadlock: ",
                        "the chain leads back to where it was; that nothing gets out of it could "
                        "not be proven");
        else if (n > 0)
                end_write(p, indent, STYLE_DIM, "chain is cut: ",
                        "whom the last one waits for could not be looked at, or went on meanwhile");
}

/* A socket may have a timeout of its own, and the kernel could not be asked. */
static bool may_end(const struct deadlock *d)
{
        for (size_t i = 0; i < d->n_members; i++) {
                const struct object *o = d->members[i]->wait.object;
                bool poll = d->members[i]->wait.reason == REASON_POLL;

                if (!poll && !d->members[i]->endless && o && o->kind &&
                        (strcmp(o->kind, "unix") == 0 || strcmp(o->kind, "tcp") == 0))
                        return true;
        }
        return false;
}

/* The members in the order in which they wait, from the first, as far as one leads to the next. */
void deadlock_write(struct page *p, const struct deadlock *d)
{
        const struct thread *t = d->members[0];
        const char *behind = "";
        bool ring = true;

        for (size_t i = 1; ring && i <= d->n_members; i++) {
                t = t->toward;
                ring = t && (t == d->members[0]) == (i == d->n_members);
        }
        if (d->n_behind)
                behind = page_join(p, "; ", page_number(p, d->n_behind),
                        d->n_behind == 1 ? " more waits" : " more wait", " behind them", NULL);
        page_begin(p, ' ', 0, 2);
        page_flow(p, STYLE_ALARM, "deadlock: ");
        page_flow(p, STYLE_ALARM,
                d->n_members == 1 ? "a thread waits for itself"
                                  : page_join(p, page_number(p, d->n_members),
                                            ring ? " threads wait for each other in a ring"
                                                 : " threads wait for each other",
                                            NULL));
        page_flow(p, STYLE_PLAIN, behind);
        page_end(p);
        t = d->members[0];
        for (size_t i = 0; i < d->n_members && i < MEMBERS_SHOWN; i++) {
                if (!ring)
                        t = d->members[i];
                page_begin(p, ' ', 2, 4);
                page_flow(p, STYLE_ALARM, thread_label(p, t));
                page_flow(p, STYLE_PLAIN, thread_clause(p, &t, 1));
                page_end(p);
                t = t->toward;
        }
        if (d->n_members > MEMBERS_SHOWN)
                end_write(p, 2, STYLE_DIM,
                        page_join(p, "… ", page_number(p, d->n_members - MEMBERS_SHOWN), NULL),
                        " more");
        if (may_end(d))
                end_write(p, 2, STYLE_DIM, "", "(until a socket's own timeout, if one has any)");
}
