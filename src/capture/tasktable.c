/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tasktable.h. Entries lie dense; a table of their numbers finds them by TID. What changes in
 * every sample lies apart: a worker shares the rest with the caller as long as it does not write
 * it.
 */
#include "capture/tasktable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/cleanup.h"
#include "base/large.h"
#include "symbol/kernelnames.h"
#include "symbol/stacktext.h"

#define LINE_MAX_TEXT 8 /* "[<0>] " and a newline */
#define ROOM_FIRST 256
#define ROOM_EXPECTED ((size_t)1 << 20)
#define FORGOTTEN 256     /* samples of something else */
#define FEW 8             /* processes that are gone through more quickly one by one… */
#define FEW_OF 128        /* …and one more for so many threads that there are */
#define STACKS_SPARE 4096 /* that nobody has at the moment, but may have again */

struct known {
        UT_hash_handle hh;
        struct kstack stack;
};

struct tasktable {
        struct taskiter *iter;
        bool beside;
        struct kernelnames *names;
        struct taskentry *entries;
        uint64_t (*regs)[WIRE_REGS_MAX]; /* of each; NULL: none has any so far */
        /* The latest sample that met it, as far as that had to be noted. */
        uint32_t *seen;
        size_t n, size;
        uint32_t *places; /* by TID: number of an entry + 1; 0: free */
        size_t n_places;  /* a power of two, at least twice as many */
        struct known *stacks;
        uint32_t sample;
        size_t changed;  /* in this sample: records, */
        size_t met;      /* and threads that had one */
        pid_t *left_out; /* by the filters, in the latest sample of all; in order */
        size_t n_left_out, room_left_out;
        bool whole; /* this is a sample of all */
};

static int names_ask(void *arg, const uint64_t *addresses, size_t n, const char *ret_texts[])
{
        return taskiter_names(arg, addresses, n, ret_texts);
}

int tasktable_new(struct taskiter *it, bool beside, struct tasktable **ret_table)
{
        const struct kernelnames_ops ops = { names_ask, it };
        struct tasktable *tt = calloc(1, sizeof(*tt));

        if (!tt)
                return -ENOMEM;
        tt->iter = it;
        tt->beside = beside;
        if (kernelnames_new(&ops, &tt->names) < 0) {
                free(tt);
                return -ENOMEM;
        }
        *ret_table = tt;
        return 0;
}

void tasktable_free(struct tasktable *tt)
{
        struct known *k, *next;

        if (!tt)
                return;
        HASH_ITER(hh, tt->stacks, k, next)
        {
                HASH_DEL(tt->stacks, k);
                free(k->stack.text);
                free(k);
        }
        kernelnames_free(tt->names);
        large_free(tt->entries, tt->size * sizeof(*tt->entries));
        large_free(tt->regs, tt->size * sizeof(*tt->regs));
        free(tt->seen);
        free(tt->places);
        free(tt->left_out);
        free(tt);
}

char task_state_letter(uint32_t state)
{
        static const char letters[] = "RSDTtXZP";
        uint32_t reported = state & 0x7f;

        if (state & (0x1000 | 0x8000)) /* TASK_RTLOCK_WAIT, TASK_FROZEN */
                return 'D';
        if ((state & 0x402) == 0x402) /* TASK_IDLE */
                return 'I';
        return letters[reported ? 32 - __builtin_clz(reported) : 0];
}

/* Where it is, or the free place where it belongs. */
static size_t place_of(const struct tasktable *tt, pid_t tid)
{
        size_t i = (uint32_t)tid * 2654435761U & (tt->n_places - 1);

        while (tt->places[i] && tt->entries[tt->places[i] - 1].task.tid != tid)
                i = (i + 1) & (tt->n_places - 1);
        return i;
}

static int places_make(struct tasktable *tt, size_t n)
{
        uint32_t *places = calloc(n, sizeof(*places));

        if (!places)
                return -ENOMEM;
        free(tt->places);
        tt->places = places;
        tt->n_places = n;
        for (size_t i = 0; i < tt->n; i++)
                tt->places[place_of(tt, tt->entries[i].task.tid)] = (uint32_t)i + 1;
        return 0;
}

/* size: a power of two. */
static int room_make(struct tasktable *tt, size_t size)
{
        struct taskentry *entries = large_new(size * sizeof(*entries));
        void *regs = tt->regs ? large_new(size * sizeof(*tt->regs)) : NULL;
        uint32_t *seen = reallocarray(tt->seen, size, sizeof(*seen));

        tt->seen = seen ? seen : tt->seen;
        if (!entries || !seen || (tt->regs && !regs)) {
                large_free(entries, size * sizeof(*entries));
                large_free(regs, size * sizeof(*tt->regs));
                return -ENOMEM;
        }
        if (tt->n)
                memcpy(entries, tt->entries, tt->n * sizeof(*entries));
        if (tt->n && regs)
                memcpy(regs, tt->regs, tt->n * sizeof(*tt->regs));
        large_free(tt->entries, tt->size * sizeof(*entries));
        large_free(tt->regs, tt->size * sizeof(*tt->regs));
        tt->entries = entries;
        tt->regs = regs;
        tt->size = size;
        return places_make(tt, size * 2);
}

int tasktable_expect(struct tasktable *tt, size_t n)
{
        size_t size = ROOM_FIRST;

        while (size < n && size < ROOM_EXPECTED)
                size *= 2;
        return tt->size < size ? room_make(tt, size) : 0;
}

struct taskentry *tasktable_find(struct tasktable *tt, pid_t tid)
{
        size_t place = tt->n_places ? place_of(tt, tid) : 0;

        return tt->n_places && tt->places[place] ? &tt->entries[tt->places[place] - 1] : NULL;
}

size_t tasktable_count(const struct tasktable *tt)
{
        return tt->n;
}

uint32_t tasktable_sample_number(const struct tasktable *tt)
{
        return tt->sample;
}

struct taskentry *tasktable_entry(struct tasktable *tt, size_t index)
{
        return index < tt->n ? &tt->entries[index] : NULL;
}

const uint64_t *tasktable_regs(const struct tasktable *tt, const struct taskentry *e)
{
        return e->task.flags & WIRE_REGS ? tt->regs[e - tt->entries] : NULL;
}

static struct kstack *stack_keep(struct tasktable *tt, const uint64_t *frames, size_t n)
{
        size_t len = n * sizeof(*frames);
        struct known *k;
        unsigned hash;

        HASH_VALUE(frames, len, hash);
        HASH_FIND_BYHASHVALUE(hh, tt->stacks, frames, len, hash, k);
        if (k)
                return &k->stack;
        k = calloc(1, sizeof(*k) + len);
        if (!k)
                return NULL;
        k->stack.n_frames = n;
        memcpy(k->stack.frames, frames, len);
        HASH_ADD_KEYPTR_BYHASHVALUE(hh, tt->stacks, k->stack.frames, len, hash, k);
        return &k->stack;
}

/* Who looks for days meets ever more stacks: those that nobody has any more are dropped. */
static void stacks_trim(struct tasktable *tt)
{
        struct known *k, *next;

        if (HASH_COUNT(tt->stacks) < tt->n + STACKS_SPARE)
                return;
        for (size_t i = 0; i < tt->n; i++)
                if (tt->entries[i].stack)
                        tt->entries[i].stack->sample = tt->sample;
        HASH_ITER(hh, tt->stacks, k, next)
        {
                if (k->stack.sample == tt->sample)
                        continue;
                HASH_DEL(tt->stacks, k);
                free(k->stack.text);
                free(k);
        }
}

/* Remember it, so that the kernel leaves it out while it does not run. */
static void slot_write(struct tasktable *tt, const struct wire_task *w)
{
        struct wire_slot *s = taskiter_slot_make(tt->iter, w->tid);

        if (!s)
                return;
        s->tid = (uint32_t)w->tid;
        s->start_ns = w->start_ns;
        s->pass = taskiter_pass_number(tt->iter);
        /* What moved meanwhile is another count: it is sent again. */
        s->switches = w->flags & WIRE_MOVED ? UINT64_MAX : w->switches;
}

/* What slots say is what we have read, and nothing that a fork of us did. */
static void slots_restore(struct tasktable *tt)
{
        taskiter_forget(tt->iter);
        for (size_t i = 0; i < tt->n; i++)
                slot_write(tt, &tt->entries[i].task);
}

static int left_out_add(struct tasktable *tt, pid_t pid)
{
        if (!tt->whole)
                return 0;
        if (tt->n_left_out == tt->room_left_out) {
                size_t room = tt->room_left_out ? tt->room_left_out * 2 : 256;
                pid_t *grown = reallocarray(tt->left_out, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                tt->left_out = grown;
                tt->room_left_out = room;
        }
        tt->left_out[tt->n_left_out++] = pid;
        return 0;
}

static int pid_compare(const void *a, const void *b)
{
        const pid_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

bool tasktable_left_out(const struct tasktable *tt, pid_t pid)
{
        return tt->n_left_out &&
               bsearch(&pid, tt->left_out, tt->n_left_out, sizeof(pid), pid_compare);
}

static int record_take(void *arg, const struct wire_task *w)
{
        struct tasktable *tt = arg;
        struct taskentry *e;
        int r;

        if (w->flags & WIRE_LEFT_OUT)
                return left_out_add(tt, w->pid);
        e = tasktable_find(tt, w->tid);

        if (w->tid <= 0)
                return 0; /* it ended between being found and being read */
        if (!e) {
                r = tt->n < tt->size ? 0 : room_make(tt, tt->size ? tt->size * 2 : ROOM_FIRST);
                if (r < 0)
                        return r;
                e = &tt->entries[tt->n];
                e->task.tid = w->tid;
                tt->seen[tt->n] = 0;
                tt->places[place_of(tt, w->tid)] = (uint32_t)tt->n + 1;
                tt->n++;
        }
        e->task = *w;
        if (wire_regs(w)) {
                if (!tt->regs)
                        tt->regs = large_new(tt->size * sizeof(*tt->regs));
                if (!tt->regs)
                        return -ENOMEM;
                memcpy(tt->regs[e - tt->entries], wire_regs(w), sizeof(*tt->regs));
        }
        e->stack = stack_keep(tt, wire_frames(w), w->n_frames);
        tt->met += tt->seen[e - tt->entries] != tt->sample;
        e->sample = tt->seen[e - tt->entries] = tt->sample;
        if (!tt->beside)
                slot_write(tt, w);
        tt->changed++;
        return e->stack ? 0 : -ENOMEM;
}

static bool in_scope(const struct taskiter_scope *scope, const struct taskentry *e)
{
        return (!scope->pid || e->task.pid == scope->pid) &&
               (!scope->tid || e->task.tid == scope->tid);
}

/* What was neither sent nor known to the pass has ended; what nobody asked for is forgotten. */
static void ended_drop(struct tasktable *tt, const struct taskiter_scope *scope)
{
        uint32_t pass = taskiter_pass_number(tt->iter);
        bool dropped = false;

        /* As many as there are: nobody has to be looked for. */
        if (!scope->pid && !scope->tid && tt->met + taskiter_same(tt->iter) == tt->n)
                return;
        for (size_t i = 0; i < tt->n;) {
                struct taskentry *e = &tt->entries[i];
                bool mine = in_scope(scope, e);
                struct wire_slot *s;

                if (tt->seen[i] == tt->sample || (!mine && tt->sample - tt->seen[i] < FORGOTTEN)) {
                        i++;
                        continue;
                }
                s = tt->beside ? NULL : taskiter_slot(tt->iter, e->task.tid);
                if (mine && s && s->pass == pass) {
                        tt->seen[i] = tt->sample;
                        i++;
                        continue;
                }
                if (s)
                        s->tid = 0;
                *e = tt->entries[--tt->n];
                tt->seen[i] = tt->seen[tt->n];
                if (tt->regs)
                        memcpy(tt->regs[i], tt->regs[tt->n], sizeof(*tt->regs));
                dropped = true;
        }
        if (!dropped)
                return;
        memset(tt->places, 0, tt->n_places * sizeof(*tt->places));
        for (size_t i = 0; i < tt->n; i++)
                tt->places[place_of(tt, tt->entries[i].task.tid)] = (uint32_t)i + 1;
}

int tasktable_sample(struct tasktable *tt, const struct taskiter_scope *scope, size_t *ret_changed)
{
        const struct taskiter_scope asked = { scope->pid, scope->tid, scope->fresh || tt->beside };
        int r;

        tt->sample++;
        tt->changed = tt->met = 0;
        tt->whole = !scope->pid && !scope->tid;
        if (tt->whole)
                tt->n_left_out = 0;
        stacks_trim(tt);
        if (!tt->beside && taskiter_is_foreign(tt->iter))
                slots_restore(tt);
        r = taskiter_pass(tt->iter, &asked, record_take, tt);
        if (r < 0)
                return r;
        ended_drop(tt, scope);
        if (ret_changed)
                *ret_changed = tt->changed;
        return 0;
}

int tasktable_sample_processes(struct tasktable *tt, const pid_t *pids, size_t n)
{
        const struct taskiter_scope all = { 0 };
        int r = 0;

        if (n > FEW + taskiter_met(tt->iter) / FEW_OF)
                return tasktable_sample(tt, &all, NULL);
        for (size_t i = 0; i < n && r == 0; i++) {
                const struct taskiter_scope one = { .pid = pids[i] };

                r = tasktable_sample(tt, &one, NULL);
                if (r == -ESRCH) { /* it has ended */
                        ended_drop(tt, &one);
                        r = 0;
                }
                if (r < 0 && r != -ENOMEM)
                        return tasktable_sample(tt, &all, NULL);
        }
        return r;
}

static int text_write(struct tasktable *tt, struct kstack *k)
{
        size_t n = k->n_frames < STACK_ENTRIES_MAX ? k->n_frames : STACK_ENTRIES_MAX, len = 0;
        _cleanup_free_ const char **names = calloc(n ? n : 1, sizeof(*names));
        char *p;

        if (!names || kernelnames_want(tt->names, k->frames, n) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                names[i] = kernelnames_find(tt->names, k->frames[i]);
                if (!names[i])
                        return -ENOMEM;
                len += strlen(names[i]) + LINE_MAX_TEXT;
        }
        k->text = p = malloc(len + 1);
        if (!p)
                return -ENOMEM;
        *p = 0;
        for (size_t i = 0; i < n; i++) {
                p = stpcpy(p, "[<0>] ");
                p = stpcpy(p, names[i]);
                p = stpcpy(p, "\n");
        }
        k->text_len = (size_t)(p - k->text);
        return 0;
}

const char *tasktable_stack_text(struct tasktable *tt, struct kstack *stack, size_t *ret_len)
{
        if (!stack->text && text_write(tt, stack) < 0)
                return NULL;
        *ret_len = stack->text_len;
        return stack->text;
}

const char *tasktable_frames_text(
        struct tasktable *tt, const uint64_t *frames, size_t n, size_t *ret_len)
{
        struct kstack *stack = stack_keep(tt, frames, n);

        return stack ? tasktable_stack_text(tt, stack, ret_len) : NULL;
}
