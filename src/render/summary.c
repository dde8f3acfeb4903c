/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See summary.h. */
#include "render/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "model.h"
#include "render/details.h"
#include "render/page.h"

#define DUE_THREADS 24
#define REASON_COLUMN 10 /* where the reasons begin */
#define LONGEST_COLUMN 21

bool summary_is_due(const struct snapshot *s)
{
        return s->all && s->n_matched >= DUE_THREADS;
}

static const struct thread *only_thread(const struct process *p)
{
        const struct thread *found = NULL;

        for_each_thread(t, p) {
                if (t->matched && found)
                        return NULL;
                if (t->matched)
                        found = t;
        }
        return found;
}

static int compare_text(const char *a, const char *b)
{
        return a == b ? 0 : !a ? -1 : !b ? 1 : strcmp(a, b);
}

static int compare_number(uint64_t a, uint64_t b)
{
        return (a > b) - (a < b);
}

/* 0: they wait in the same place, whatever they wait on. A deadlock is each one's own. */
static int thread_compare(const struct thread *a, const struct thread *b)
{
        int c = compare_text(a->process->comm, b->process->comm);

        if (!c)
                c = compare_text(a->comm, b->comm);
        if (!c)
                c = compare_number((unsigned char)a->state, (unsigned char)b->state);
        if (!c)
                c = compare_text(a->wait.rule, b->wait.rule);
        if (!c)
                c = compare_number((uintptr_t)a->kernel_stack, (uintptr_t)b->kernel_stack);
        if (!c)
                c = compare_text(a->wchan, b->wchan);
        if (!c)
                c = compare_number((uintptr_t)a->call.desc, (uintptr_t)b->call.desc);
        if (!c)
                c = compare_number(a->wait.n_on > 0, b->wait.n_on > 0);
        return c ? c : compare_number(a->deadlocked, b->deadlocked);
}

static int by_place(const void *x, const void *y)
{
        const struct thread *a = *(const struct thread *const *)x;
        const struct thread *b = *(const struct thread *const *)y;
        int c = thread_compare(a, b);

        return c ? c : compare_number((uint64_t)a->tid, (uint64_t)b->tid);
}

static int64_t process_longest(const struct process *p)
{
        int64_t longest = -1;

        for_each_thread(t, p)
                if (t->matched && t->has_for && t->for_ns > longest)
                        longest = t->for_ns;
        return longest;
}

static int64_t block_longest(const struct block *b)
{
        int64_t longest = -1;

        if (b->group.n_threads <= 1)
                return process_longest(b->process);
        for (size_t i = 0; i < b->group.n_threads; i++)
                if (b->group.threads[i]->has_for && b->group.threads[i]->for_ns > longest)
                        longest = b->group.threads[i]->for_ns;
        return longest;
}

static int by_longest(const void *x, const void *y)
{
        const struct block *a = x, *b = y;
        int64_t of_a = block_longest(a), of_b = block_longest(b);

        if (of_a != of_b)
                return of_a > of_b ? -1 : 1;
        return compare_number((uint64_t)a->process->pid, (uint64_t)b->process->pid);
}

static bool is_shown(const struct process *p)
{
        for_each_thread(t, p)
                if (t->matched)
                        return true;
        return false;
}

/* Threads that are the only one of their process, as runs of look-alikes. */
static void crowds_add(struct summary *sum, size_t n_threads)
{
        qsort(sum->threads, n_threads, sizeof(*sum->threads), by_place);
        for (size_t i = 0, n; i < n_threads; i += n) {
                struct block *b = &sum->blocks[sum->n_blocks++];

                for (n = 1; i + n < n_threads; n++)
                        if (thread_compare(sum->threads[i], sum->threads[i + n]) != 0 ||
                                sum->threads[i]->deadlocked)
                                break;
                b->process = sum->threads[i]->process;
                b->group = (struct group){ sum->threads + i, n };
        }
}

int summary_init(struct summary *sum, const struct snapshot *s)
{
        size_t n = 0, n_threads = 0;

        *sum = (struct summary){ 0 };
        for_each_process(p, s)
                n++;
        sum->blocks = calloc(n + 1, sizeof(*sum->blocks));
        sum->threads = calloc(n + 1, sizeof(*sum->threads));
        if (!sum->blocks || !sum->threads) {
                summary_done(sum);
                return -ENOMEM;
        }
        for_each_process(p, s) {
                const struct thread *only = only_thread(p);

                if (only)
                        sum->threads[n_threads++] = only;
                else if (is_shown(p))
                        sum->blocks[sum->n_blocks++].process = p;
        }
        crowds_add(sum, n_threads);
        qsort(sum->blocks, sum->n_blocks, sizeof(*sum->blocks), by_longest);
        return 0;
}

void summary_done(struct summary *sum)
{
        free(sum->blocks);
        free(sum->threads);
        *sum = (struct summary){ 0 };
}

struct count {
        enum reason reason;
        size_t n;
        const struct thread *longest;
};

static int by_count(const void *x, const void *y)
{
        const struct count *a = x, *b = y;

        if (a->n != b->n)
                return a->n > b->n ? -1 : 1;
        return (a->reason > b->reason) - (a->reason < b->reason);
}

static void column_to(struct page *p, unsigned column)
{
        static const char spaces[] = "                        ";

        if (p->column < column)
                page_cut(p, STYLE_PLAIN, spaces + sizeof(spaces) - 1 - (column - p->column));
}

static void count_write(struct page *p, const struct count *c)
{
        const char *number = page_number(p, c->n);
        char duration[DURATION_MAX];

        page_begin(p, ' ', 0, 2);
        column_to(p, strlen(number) < REASON_COLUMN - 2
                             ? REASON_COLUMN - 2 - (unsigned)strlen(number)
                             : 0);
        page_cut(p, STYLE_BOLD, number);
        page_cut(p, STYLE_PLAIN, "  ");
        page_cut(p, STYLE_BLOCKED, reason_name(c->reason));
        if (c->longest) {
                duration_format(duration, c->longest->for_ns > 0 ? c->longest->for_ns : 0);
                column_to(p, LONGEST_COLUMN);
                page_cut(p, STYLE_PLAIN,
                        page_join(p, "  the longest for ", duration, ": ",
                                thread_label(p, c->longest), NULL));
        }
        page_end(p);
}

void summary_write(struct page *p, const struct snapshot *s)
{
        struct count counts[REASON_MAX];
        size_t n_processes = 0;

        for (int i = 0; i < REASON_MAX; i++)
                counts[i] = (struct count){ .reason = (enum reason)i };
        for_each_process(process, s) {
                n_processes += is_shown(process);
                for_each_thread(t, process) {
                        struct count *c = &counts[t->wait.reason];

                        if (!t->matched)
                                continue;
                        c->n++;
                        /* On a CPU it does not wait, whatever it did before. */
                        if (t->has_for && t->wait.reason != REASON_RUNNING &&
                                (!c->longest || t->for_ns > c->longest->for_ns))
                                c->longest = t;
                }
        }
        qsort(counts, REASON_MAX, sizeof(*counts), by_count);
        page_begin(p, ' ', 0, 2);
        page_flow(p, STYLE_BOLD,
                page_join(p, page_number(p, s->n_matched), " threads of ",
                        page_number(p, n_processes), n_processes == 1 ? " process" : " processes",
                        NULL));
        page_end(p);
        for (size_t i = 0; i < REASON_MAX && counts[i].n; i++)
                count_write(p, &counts[i]);
        page_end(p);
}
