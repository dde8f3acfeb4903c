/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a text line by line and hands each to the task that it belongs to.
 *
 * A log has as many writers as the machine has CPUs. Where the kernel names the writer of a
 * line ("[  T123]", CONFIG_PRINTK_CALLER), each has a task of its own. Where it does not,
 * lines follow the last head; when the order then shows that lines of two tasks are mixed
 * (a second trace below one head, frames beyond the outermost function), the stack is
 * dropped rather than guessed.
 *
 * A task that is reported again replaces what was said of it before: the detector repeats
 * itself every two minutes, and the last report is the nearest to the truth. After a reboot,
 * "Linux version", the same numbers mean other tasks.
 */
#include "capture/paste.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "capture/paste-parts.h"
#include "model.h"

#define CONTEXTS_MAX 65536 /* writers told apart; lines of more are not looked at */
#define FRAMES_MAX 512     /* of a stack; the kernel prints fewer */

struct context { /* a writer of the log, and what it is writing */
        uint64_t caller;
        struct paste_task *task; /* NULL: nothing of interest */
        struct paste_task *left; /* the one before, if its stack was not whole */
        bool skipping;           /* within a warning or oops: no task of it waits */
        UT_hash_handle hh;
};

struct reader {
        struct context *contexts;
        struct context unnamed;
        struct paste_task *by_key;
        struct paste_task *tasks, **tasks_tail;
        struct paste_facts facts;
        uint64_t boot;
        size_t line;
        bool no_memory;
};

static struct context *context_get(struct reader *r, uint64_t caller)
{
        struct context *c = NULL;

        if (!caller)
                return &r->unnamed;
        HASH_FIND(hh, r->contexts, &caller, sizeof(caller), c);
        if (c || HASH_COUNT(r->contexts) >= CONTEXTS_MAX)
                return c;
        c = calloc(1, sizeof(*c));
        if (!c) {
                r->no_memory = true;
                return NULL;
        }
        c->caller = caller;
        HASH_ADD(hh, r->contexts, caller, sizeof(caller), c);
        return c;
}

static struct paste_task *task_new(struct reader *r, uint64_t key)
{
        struct paste_task *t = calloc(1, sizeof(*t));

        if (!t) {
                r->no_memory = true;
                return NULL;
        }
        t->key = key;
        t->line = r->line;
        t->head.ppid = t->head.cpu = -1;
        *r->tasks_tail = t;
        r->tasks_tail = &t->next;
        if (key)
                HASH_ADD(hh, r->by_key, key, sizeof(key), t);
        else
                t->anonymous = true;
        return t;
}

struct paste_task *paste_task_find(struct paste_task *by_key, uint64_t boot, pid_t tid)
{
        uint64_t key = boot << 32 | (uint64_t)(uint32_t)tid;
        struct paste_task *t = NULL;

        HASH_FIND(hh, by_key, &key, sizeof(key), t);
        return t;
}

static struct paste_task *task_find(struct reader *r, pid_t tid)
{
        return paste_task_find(r->by_key, r->boot, tid);
}

/* The task of a TID, as if nothing were known of it. */
static struct paste_task *task_begin(struct reader *r, pid_t tid)
{
        struct paste_task *t = task_find(r, tid);

        if (!t)
                return task_new(r, r->boot << 32 | (uint64_t)(uint32_t)tid);
        t->line = r->line;
        t->has_head = t->traced = t->outermost = t->mixed = t->from_file = false;
        t->begun = t->forked = t->switched = false;
        t->has_blocker = false;
        t->len = t->n_frames = 0;
        t->registers = (struct paste_registers){ 0 };
        return t;
}

static void stack_add(struct reader *r, struct paste_task *t, const char *text, size_t len)
{
        if (t->n_frames >= FRAMES_MAX)
                return;
        if (t->len + len > t->size) {
                size_t size = (t->size + len) * 2;
                char *stack = realloc(t->stack, size);

                if (!stack) {
                        r->no_memory = true;
                        return;
                }
                t->stack = stack;
                t->size = size;
        }
        memcpy(t->stack + t->len, text, len);
        t->len += len;
        t->n_frames++;
}

static bool task_is_whole(const struct paste_task *t)
{
        return t->outermost || t->from_file || t->anonymous || t->head.state == 'R';
}

/* From here on, lines of this writer are of that task. */
static void context_turn(struct context *c, struct paste_task *t)
{
        struct paste_task *before = c->task;

        c->left = before && before != t && !c->caller && !task_is_whole(before) ? before : NULL;
        c->task = t;
}

static void head_apply(
        struct reader *r, struct context *c, enum paste_head_kind kind, const struct paste_head *h)
{
        struct paste_task *t = c->task;
        bool same = t && t->head.tid == h->tid && !t->n_frames && !t->has_head && !t->anonymous;

        if (kind == HEAD_CPU && c->skipping)
                return;
        if (same && kind == HEAD_TASK) { /* below the detector's line */
                int64_t for_ns = t->head.for_ns;

                t->head = *h;
                t->head.for_ns = for_ns;
                t->has_head = true;
                return;
        }
        c->skipping = false;
        t = task_begin(r, h->tid);
        if (!t)
                return;
        t->head = *h;
        t->has_head = kind == HEAD_TASK;
        t->from_file = kind == HEAD_FILE;
        context_turn(c, t);
}

/* Messages that begin something else; and those in which a trace is of no waiting task. */
static bool text_ends_task(struct span text, bool *ret_skip)
{
        static const char *const skip[] = { "------------[ cut here", "WARNING:", "Oops",
                "BUG: unable", "BUG: kernel", "BUG: KASAN", "BUG: sleeping", "BUG: scheduling",
                "general protection", "kernel BUG at", "Internal error" };
        static const char *const end[] = { "---[ end trace", "INFO:", "BUG:", "rcu:", "NMI ",
                "watchdog:", "Showing ", "Kernel panic", "sysrq:", "SysRq", "Sched Debug",
                "Linux version ", "Future hung task", "Mem-Info:", "Out of memory" };

        *ret_skip = true;
        for (size_t i = 0; i < ARRAY_SIZE(skip); i++)
                if (span_begins(text, skip[i]))
                        return true;
        *ret_skip = false;
        for (size_t i = 0; i < ARRAY_SIZE(end); i++)
                if (span_begins(text, end[i]))
                        return true;
        return false;
}

static bool text_begins_trace(struct span text)
{
        return span_begins(text, "Call Trace:") || span_begins(text, "Call trace:") ||
               span_begins(text, "Backtrace:");
}

static void trace_begin(struct reader *r, struct context *c)
{
        struct paste_task *t = c->task;

        if (c->skipping)
                return;
        if (t && !t->traced && !t->n_frames) {
                t->traced = true;
                return;
        }
        if (t && !t->outermost && !t->anonymous) { /* below whose head? */
                t->mixed |= c->left != NULL;
                c->skipping = true;
                c->task = NULL;
                return;
        }
        t = task_new(r, 0);
        if (t) {
                t->traced = true;
                context_turn(c, t);
        }
}

/* A frame that this task's stack cannot have: of whom it is, nobody knows. */
static void context_drop(struct context *c)
{
        c->task->mixed |= c->left != NULL;
        c->skipping = true;
        c->task = NULL;
}

static bool name_is(struct span name, const char *word)
{
        return span_len(name) == strlen(word) && span_begins(name, word);
}

/*
 * Does the order of functions show that lines of another task are among these? A blocked task
 * sleeps in __schedule, so nothing is below it; and if the stack before was not whole, one
 * that does not begin there begins with the rest of that.
 */
static bool frame_is_mixed(
        const struct context *c, const struct paste_task *t, const struct paste_frame *f)
{
        static const char *const first[] = { "__schedule", "__switch_to", "schedule",
                "context_switch", "__switch_to_asm" };

        if (f->unreliable || f->first_len || t->head.state == 'R')
                return false;
        if (t->begun)
                return name_is(f->name, "__schedule") && !t->switched;
        for (size_t i = 0; i < ARRAY_SIZE(first); i++)
                if (name_is(f->name, first[i]))
                        return false;
        return c->left && !f->bracketed;
}

/* May a frame follow the outermost one? The kernel's threads have two: "ret_from_fork_asm". */
static bool frame_may_follow(const struct paste_task *t, const struct paste_frame *f)
{
        return f->unreliable || f->is_end_mark ||
               (t->forked && span_begins(f->name, "ret_from_fork"));
}

/* Does a frame belong to the context's task? */
static bool frame_belongs(struct reader *r, struct context *c, const struct paste_line *l,
        const struct paste_frame *f)
{
        struct paste_task *t = c->task;

        if (c->skipping)
                return false;
        if (t && t->outermost && !frame_may_follow(t, f)) {
                if (!t->anonymous) {
                        context_drop(c);
                        return false;
                }
                t = c->task = NULL;
        }
        if (!t) {
                /* In a log, frames without a trace are the end of one: the leaf is lost. */
                if (l->logged)
                        return false;
                t = task_new(r, 0);
                if (!t)
                        return false;
                context_turn(c, t);
        }
        /* The one before has a head and no stack: perhaps this is it. */
        if (c->left && c->left->has_head && !c->left->n_frames)
                t->mixed = true;
        t->mixed |= frame_is_mixed(c, t, f);
        return true;
}

static void frame_add(struct reader *r, struct context *c, const struct paste_line *l,
        const struct paste_frame *f)
{
        struct paste_task *t;
        const char *text = f->text;
        size_t len = f->len;

        if (!frame_belongs(r, c, l, f))
                return;
        t = c->task;
        /* The called function of a pair is the caller of the pair before it. */
        if (f->first_len && t->n_frames) {
                text += f->first_len;
                len -= f->first_len;
        }
        stack_add(r, t, text, len);
        if (f->is_end_mark || (!f->unreliable && paste_frame_is_outermost(f->name)))
                t->outermost = true;
        if (f->unreliable)
                return;
        t->begun = true;
        t->forked = span_begins(f->name, "ret_from_fork");
        t->switched = span_begins(f->name, "__switch_to");
}

/* A line of a trace of which a part is missing: its place is kept, as a function unknown. */
static void cut_add(struct reader *r, struct context *c, struct span text)
{
        static const char hole[] = "[<0>] 0x0\n";

        if (c->task && c->task->traced && !c->task->outermost && !c->skipping &&
                paste_frame_is_cut(text))
                stack_add(r, c->task, hole, sizeof(hole) - 1);
}

/* "/proc/PID/stack:[<0>] f+0x1/0x2": the line itself says whose it is. */
static void file_line(struct reader *r, const struct paste_line *l)
{
        struct paste_task *t = task_find(r, l->tid);
        struct paste_frame f;

        if (!t || !t->from_file) {
                t = task_begin(r, l->tid);
                if (!t)
                        return;
                t->head =
                        (struct paste_head){ .pid = l->pid, .tid = l->tid, .ppid = -1, .cpu = -1 };
                t->from_file = true;
        }
        if (paste_frame_read(l->text, &f))
                stack_add(r, t, f.text, f.len);
}

static void place_read(struct reader *r, struct context *c, struct span text)
{
        struct paste_frame f;
        struct span place;

        if (c->task && !c->task->n_frames && c->task->head.state == 'R' && !c->skipping &&
                paste_place_read(text, &place) && paste_frame_read(place, &f))
                stack_add(r, c->task, f.text, f.len);
}

static void facts_read(struct reader *r, const struct paste_line *l)
{
        struct span release;

        if (span_len(l->host) && span_len(l->host) < 256)
                r->facts.host = l->host;
        if (l->realtime_ns)
                r->facts.realtime_ns = l->realtime_ns;
        if (paste_release_read(l->text, &release))
                r->facts.release = release;
        if (l->logged && span_begins(l->text, "Linux version "))
                r->boot++;
}

/* Lines that are about tasks, but are no frames. */
static bool report_read(struct reader *r, struct context *c, const struct paste_line *l)
{
        struct paste_blocker blocker;
        enum paste_head_kind kind;
        struct paste_head head;
        bool skip;

        kind = paste_head_read(l->text, &head);
        if (kind != HEAD_NONE && (kind != HEAD_FILE || !l->logged)) {
                head_apply(r, c, kind, &head);
                return true;
        }
        if (paste_blocker_read(l->text, &blocker)) {
                struct paste_task *t = task_find(r, blocker.waiter);

                if (t) {
                        t->blocker = blocker;
                        t->has_blocker = true;
                }
                return true;
        }
        if (text_ends_task(l->text, &skip)) {
                context_turn(c, NULL);
                c->skipping = skip;
                return true;
        }
        if (text_begins_trace(l->text)) {
                trace_begin(r, c);
                return true;
        }
        return c->task && !c->skipping && paste_registers_read(l->text, &c->task->registers);
}

static void line_read(struct reader *r, struct span text)
{
        struct paste_line l;
        struct paste_frame f;
        struct context *c;

        paste_line_read(text, &l);
        if (l.foreign)
                return;
        if (l.pid) {
                file_line(r, &l);
                return;
        }
        c = context_get(r, l.caller);
        if (!c)
                return;
        if (!span_len(l.text)) {
                if (!l.logged && c->task && task_is_whole(c->task))
                        context_turn(c, NULL);
                return;
        }
        facts_read(r, &l);
        if (report_read(r, c, &l))
                return;
        if (paste_frame_read(l.text, &f)) {
                frame_add(r, c, &l, &f);
                return;
        }
        cut_add(r, c, l.text);
        place_read(r, c, l.text);
}

static void reader_done(struct reader *r)
{
        struct context *c, *next;

        HASH_ITER(hh, r->contexts, c, next)
        {
                HASH_DEL(r->contexts, c);
                free(c);
        }
        HASH_CLEAR(hh, r->by_key);
        for (struct paste_task *t = r->tasks, *after; t; t = after) {
                after = t->next;
                free(t->stack);
                free(t);
        }
}

int paste_read(struct snapshot *s, const char *text, size_t len)
{
        struct reader r = { .boot = 1 };
        const char *end, *stop;
        int result;

        r.tasks_tail = &r.tasks;
        if (len > PASTE_MAX) {
                snapshot_gap(s, "the end of the text", "it is longer than 64 MiB",
                        "cut it: tail -c 60M FILE", true);
                len = PASTE_MAX;
        }
        end = len ? text + len : text; /* which is NULL, perhaps */
        for (const char *p = text; p < end && !r.no_memory; p = stop + 1) {
                stop = memchr(p, '\n', (size_t)(end - p));
                if (!stop)
                        stop = end;
                r.line++;
                line_read(&r, (struct span){ p, stop });
        }
        result = r.no_memory ? -ENOMEM : paste_model_fill(s, r.tasks, r.by_key, &r.facts);
        reader_done(&r);
        return result;
}
