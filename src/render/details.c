/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One labelled line per fact, the sentence first. Lists are bounded: this is what somebody
 * reads on a terminal at night, and the JSON form has the rest.
 */
#include "render/details.h"

#include <poll.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "graph/fold.h"
#include "model.h"
#include "render/chains.h"
#include "render/frames.h"
#include "render/namesakes.h"
#include "render/page.h"
#include "resolve/syscall.h"

#define MEMBERS_SHOWN 8
#define OWNERS_SHOWN 8
#define HOTS_SHOWN 3 /* places where a running thread was */
#define D_STATE_ALARM_NS (10 * NS_PER_S)

/* A label is written once, before its first line. */
static void label_begin(struct page *p, unsigned indent, const char *label)
{
        page_begin(p, ' ', indent, indent + LABEL_WIDTH);
        page_cut(p, STYLE_DIM, label);
        p->pending = LABEL_WIDTH - (unsigned)strlen(label);
}

static void label_flow(struct page *p, unsigned indent, const char *label, const char *text)
{
        label_begin(p, indent, label);
        page_flow(p, STYLE_PLAIN, text);
        page_end(p);
}

void label_cut(
        struct page *p, unsigned indent, const char *label, enum style style, const char *text)
{
        label_begin(p, indent, label);
        page_cut(p, style, text);
        page_end(p);
}

void command_write(struct page *p, const struct process *process)
{
        const char *words = command_words(p, process);

        if (words)
                label_cut(p, 2, "command", STYLE_PLAIN, words);
}

/*
 * Most waits are how programs rest. Colour is for those that somebody else makes last, and
 * red for those that will not end by themselves or should have long ended.
 */
static enum style thread_gravity(const struct thread *t)
{
        if (t->deadlocked)
                return STYLE_ALARM;
        if (t->state == 'D' && t->has_for && t->for_ns >= D_STATE_ALARM_NS)
                return STYLE_ALARM;
        if (t->state == 'D')
                return STYLE_BLOCKED;
        switch (t->wait.reason) {
        case REASON_THROTTLED:
        case REASON_STOPPED:
        case REASON_TRACED:
        case REASON_FROZEN:
        case REASON_ZOMBIE:
        case REASON_CONNECT:
        case REASON_SEND:
        case REASON_OPEN:
        case REASON_WRITE:
        case REASON_DISK:
        case REASON_REMOTE_FS:
        case REASON_LOCK:
        case REASON_REPLY:
        case REASON_MEMORY:
                return STYLE_BLOCKED;
        default:
                return STYLE_PLAIN;
        }
}

/* The longest wait of a group decides. */
static enum style group_gravity(const struct group *g)
{
        enum style worst = STYLE_PLAIN;

        for (size_t i = 0; i < g->n_threads; i++) {
                enum style style = thread_gravity(g->threads[i]);
                if (style > worst)
                        worst = style;
        }
        return worst;
}

static void sentence_write(struct page *p, const struct group *g, unsigned indent)
{
        const struct wait *w = &g->threads[0]->wait;

        if (!w->text)
                return;
        page_begin(p, ' ', indent, indent + 2);
        page_flow(p, group_gravity(g), page_safe(p, w->text, ESCAPE_ARG_MAX));
        /* A sentence of the unknown says itself how much is known. */
        if (w->reason != REASON_UNKNOWN && w->confidence == CONFIDENCE_LIKELY)
                page_flow(p, STYLE_DIM, " (likely)");
        else if (w->reason != REASON_UNKNOWN && w->confidence == CONFIDENCE_GUESS)
                page_flow(p, STYLE_DIM, " (a guess)");
        page_end(p);
}

const char *thread_label(struct page *p, const struct thread *t)
{
        const struct process *process = t->process;
        const char *name = page_safe(p, t->comm ? t->comm : process->comm, ESCAPE_NAME_MAX);
        const char *pid = page_number(p, (uint64_t)process->pid);

        if (t->tid == process->pid)
                return page_join(p, name, " (pid ", pid, ")", NULL);
        return page_join(
                p, name, " (pid ", pid, ", thread ", page_number(p, (uint64_t)t->tid), ")", NULL);
}

static const char *owner_label(struct page *p, const struct owner *o, pid_t self)
{
        bool inside = o->tid > 0 && o->pid == self;
        bool both = o->tid > 0 && o->tid != o->pid && !inside;
        const char *who = page_join(p, inside ? "" : "pid ",
                page_number(p, (uint64_t)(inside ? o->tid : o->pid)), both ? ", thread " : "",
                both ? page_number(p, (uint64_t)o->tid) : "", NULL);

        if (!o->comm)
                return who;
        return page_join(p, page_safe(p, o->comm, ESCAPE_NAME_MAX), " (", who, ")", NULL);
}

static const char *role_word(enum role role, bool many)
{
        static const struct {
                const char *one, *many;
        } words[] = {
                [ROLE_HOLDER] = { "holder ", "holders " },
                [ROLE_PEER] = { "peer ", "peers " },
                [ROLE_CHILD] = { "child ", "children " },
                [ROLE_THREAD] = { "thread ", "threads " },
                [ROLE_TRACER] = { "tracer ", "tracers " },
                [ROLE_SERVER] = { "server ", "servers " },
                [ROLE_PARENT] = { "parent ", "parents " },
        };

        if ((size_t)role >= ARRAY_SIZE(words))
                return "";
        return many ? words[role].many : words[role].one;
}

/* "  by       children sh (pid 7), sh (pid 8) and 3 more"; a role is said once per run. */
static void owners_write(struct page *p, const struct thread *t, unsigned indent)
{
        const struct wait *w = &t->wait;
        size_t shown = w->n_on < OWNERS_SHOWN ? w->n_on : OWNERS_SHOWN;

        if (w->n_on == 0)
                return;
        const char *text = "";
        for (size_t i = 0; i < shown; i++) {
                const struct owner *o = &w->on[i];
                bool run = i > 0 && o->role == w->on[i - 1].role;
                bool many = i + 1 < w->n_on && o->role == w->on[i + 1].role;

                text = page_join(p, text,
                        i == 0 ? ""
                        : run  ? ", "
                               : "; ",
                        run ? "" : role_word(o->role, many), owner_label(p, o, t->process->pid),
                        NULL);
        }
        if (shown < w->n_on)
                text = page_join(p, text, " and ", page_number(p, w->n_on - shown), " more", NULL);
        label_flow(p, indent, "by", text);
}

static const char *events_words(const struct member *m)
{
        const struct object *o = m->object;
        uint32_t events = m->events;
        bool in = events & (POLLIN | POLLRDNORM | POLLRDBAND);
        bool out = events & (POLLOUT | POLLWRNORM | POLLWRBAND);

        if (member_is_disabled(m))
                return "disabled (EPOLLONESHOT)";
        if (in && o && o->kind && strcmp(o->kind, "process") == 0)
                return "for its end";
        if (in && o && o->state && strcmp(o->state, "LISTEN") == 0)
                return "for clients to connect";
        if (in && out)
                return "for reading and writing";
        if (in)
                return "for reading";
        if (out)
                return "for writing";
        return events & POLLPRI     ? "for urgent data"
               : events & POLLRDHUP ? "for the end of the connection"
                                    : "for errors only";
}

/* What an fd is: "TCP 127.0.0.1:80 → 127.0.0.1:4242", "pipe", "/dev/tty". */
static const char *object_words(struct page *p, const struct object *o)
{
        const char *kind = o->protocol ? o->protocol : o->kind;

        if (o->local || o->remote) {
                const char *local = o->local ? page_safe(p, o->local, ESCAPE_PATH_MAX) : "";
                const char *remote = o->remote ? page_safe(p, o->remote, ESCAPE_PATH_MAX) : "";
                return page_join(p, kind ? page_safe(p, kind, ESCAPE_NAME_MAX) : "socket",
                        *local ? " " : "", local, *remote ? " → " : "", remote, NULL);
        }
        if (o->path)
                return page_safe(p, o->path, ESCAPE_PATH_MAX);
        if (kind && o->disarmed)
                return page_join(p, kind, ", not armed", NULL);
        if (kind && o->has_deadline && o->deadline_ns > 0) {
                char left[DURATION_MAX];

                return page_join(p, kind, ", due in ", duration_format(left, o->deadline_ns), NULL);
        }
        if (kind && strcmp(kind, "pipe") == 0 && o->inode)
                return page_join(p, kind, " ", page_number(p, o->inode), NULL);
        if (kind && o->pid)
                return page_join(p, o->comm ? page_safe(p, o->comm, ESCAPE_NAME_MAX) : kind, " (",
                        page_number(p, (uint64_t)o->pid), ")", NULL);
        if (kind)
                return page_safe(p, kind, ESCAPE_NAME_MAX);
        return o->link ? page_safe(p, o->link, ESCAPE_PATH_MAX) : "unknown";
}

static void members_write(struct page *p, const struct object *o, unsigned indent)
{
        size_t total = o->n_members + o->n_members_hidden;
        size_t shown = o->n_members < MEMBERS_SHOWN ? o->n_members : MEMBERS_SHOWN;

        for (size_t i = 0; i < shown; i++) {
                const struct member *m = &o->members[i];
                const char *fd = "", *words = "unknown";
                if (m->object) {
                        if (m->object->fd >= 0)
                                fd = page_join(p, "fd ", page_number(p, (uint64_t)m->object->fd),
                                        "  ", NULL);
                        words = object_words(p, m->object);
                }
                label_cut(p, indent, i == 0 ? "members" : "", STYLE_PLAIN,
                        page_join(p, fd, words, "  ", events_words(m), NULL));
        }
        if (shown < total)
                label_cut(p, indent, shown == 0 ? "members" : "", STYLE_PLAIN,
                        page_join(p, "… and ", page_number(p, total - shown), " more", NULL));
}

/* Why the verdict is what it is, where a reader may want to doubt it. */
static void evidence_write(struct page *p, const struct wait *w, unsigned indent)
{
        size_t n = w->n_evidence < EVIDENCE_MAX ? w->n_evidence : EVIDENCE_MAX;

        if (w->confidence == CONFIDENCE_CERTAIN || n == 0)
                return;
        const char *text = "";
        for (size_t i = 0; i < n; i++)
                text = page_join(p, text, i > 0 ? "; " : "",
                        page_safe(p, w->evidence[i], ESCAPE_PATH_MAX), NULL);
        label_flow(p, indent, "seen", text);
}

/* Do the arguments that the call takes agree in the whole group? */
static bool group_same_args(const struct group *g)
{
        const struct call *first = &g->threads[0]->call;
        size_t n = first->desc ? strlen(first->desc->args) : ARRAY_SIZE(first->args);

        if (n > ARRAY_SIZE(first->args))
                n = ARRAY_SIZE(first->args);
        for (size_t i = 1; i < g->n_threads; i++)
                if (memcmp(g->threads[i]->call.args, first->args, n * sizeof(first->args[0])) != 0)
                        return false;
        return true;
}

static void call_write(struct page *p, const struct group *g, unsigned indent)
{
        const struct call *call = &g->threads[0]->call;

        if (call->state != CALL_INSIDE)
                return;
        if (call->desc && !group_same_args(g)) {
                /* One thread's arguments would be wrong for the others. */
                label_cut(p, indent, "syscall", STYLE_PLAIN,
                        page_join(p, call->desc->name, "(…)", NULL));
                return;
        }
        /* Already escaped and bounded. */
        const char *text = call_format(p->scratch, call);
        if (text)
                label_cut(p, indent, "syscall", STYLE_PLAIN, text);
}

static void kernel_write(struct page *p, const struct thread *t, unsigned indent)
{
        if (t->kernel_stack)
                frames_kernel_write(p, t->kernel_stack, indent);
        else if (t->wchan)
                label_cut(p, indent, "wchan", STYLE_DIM, page_safe(p, t->wchan, ESCAPE_NAME_MAX));
}

/* Where a running thread was most often. */
static void profile_write(struct page *p, const struct profile *profile, unsigned indent)
{
        char window[DURATION_MAX];

        if (!profile || !profile->n_samples)
                return;
        duration_format(window, profile->window_ns);
        for (size_t i = 0; i < profile->n_hots && i < HOTS_SHOWN; i++) {
                const struct hot *hot = &profile->hots[i];

                label_cut(p, indent, "busy", STYLE_PLAIN,
                        page_join(p, page_number(p, hot->n_samples), " of ",
                                page_number(p, profile->n_samples), " samples in ", window,
                                hot->kernel_stack || hot->user_stack ? ":" : ": where is not told",
                                NULL));
                if (hot->kernel_stack && !p->no_kernel)
                        frames_kernel_write(p, hot->kernel_stack, indent);
                frames_user_write(p, hot->user_stack, indent);
        }
}

/* Of the end of chains: how many. Without a look at everything it would be a number of nothing. */
static void behind_write(struct page *p, const struct group *g, unsigned indent)
{
        size_t n = 0;

        for (size_t i = 0; p->whole && i < g->n_threads; i++)
                n += g->threads[i]->n_behind;
        if (n > 0)
                label_cut(p, indent, "behind", STYLE_PLAIN,
                        page_join(p, page_number(p, n), n == 1 ? " thread waits" : " threads wait",
                                " for ", g->n_threads == 1 ? "it" : "these", ", directly or not",
                                NULL));
}

static void facts_write(struct page *p, const struct group *g, unsigned indent)
{
        const struct thread *t = g->threads[0];

        owners_write(p, t, indent);
        chain_write(p, t, indent);
        behind_write(p, g, indent);
        if (t->wait.object)
                members_write(p, t->wait.object, indent);
        evidence_write(p, &t->wait, indent);
        call_write(p, g, indent);
        if (!p->no_kernel)
                kernel_write(p, t, indent);
        frames_user_write(p, t->user_stack, indent);
        profile_write(p, t->profile, indent);
}

void details_write(struct page *p, const struct group *g, unsigned indent)
{
        sentence_write(p, g, indent);
        facts_write(p, g, indent);
}

void details_write_command(struct page *p, const struct group *g, unsigned indent)
{
        sentence_write(p, g, indent);
        command_write(p, g->threads[0]->process);
        facts_write(p, g, indent);
}
