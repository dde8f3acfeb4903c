/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The form for people: one block a process, threads that look alike folded into one, and at
 * the end, said once, what could not be had.
 *
 * A process of which one thread is shown takes the compact form, its header and its thread's
 * on the same line.
 */
#include "render/render.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "graph/fold.h"
#include "model.h"
#include "render/chains.h"
#include "render/details.h"
#include "render/marks.h"
#include "render/namesakes.h"
#include "render/page.h"
#include "render/summary.h"

#define RANGES_SHOWN 32
#define NAMES_SHOWN 3
#define ENDED_SHOWN 16
#define CROWD_SHOWN 12

static const char *state_words(const struct thread *t)
{
        switch (t->state) {
        case 'R':
                if (t->has_on_cpu)
                        return t->on_cpu ? "running" : "ready to run";
                return t->wait.reason == REASON_RUNNABLE ? "ready to run"
                                                         : "running or ready to run";
        case 'S':
                return "sleeping";
        case 'D':
                return "in uninterruptible sleep";
        case 'T':
                return "stopped";
        case 't':
                return "traced";
        case 'Z':
                return "zombie";
        case 'I':
                return "idle";
        case 'X':
                return "dead";
        case 'P':
                return "parked";
        default:
                return "state unknown";
        }
}

/* An error that a reader would not notice in the time shown is not worth a word. */
static bool time_is_rough(const struct thread *t)
{
        return t->for_error_ns > 100 * NS_PER_MS && t->for_error_ns > t->for_ns / 20;
}

/* " for 2 s to 4 min 12 s": the shortest and longest time of those that tell. */
static const char *time_words(struct page *p, const struct group *g)
{
        const struct thread *shortest = NULL, *longest = NULL;
        char from[DURATION_MAX], to[DURATION_MAX];

        for (size_t i = 0; i < g->n_threads; i++) {
                const struct thread *t = g->threads[i];
                if (!t->has_for)
                        continue;
                if (!shortest || t->for_ns < shortest->for_ns)
                        shortest = t;
                if (!longest || t->for_ns > longest->for_ns)
                        longest = t;
        }
        /* What is on a CPU is not off it, whatever it was before. */
        if (!shortest || strncmp(state_words(g->threads[0]), "running", 7) == 0)
                return "";

        /* Clocks are read at slightly different moments: not a time below zero. */
        duration_format(from, shortest->for_ns > 0 ? shortest->for_ns : 0);
        duration_format(to, longest->for_ns > 0 ? longest->for_ns : 0);
        /* Where the error is most of it, what is known is that it is not longer. */
        if (time_is_rough(longest) && longest->for_error_ns > longest->for_ns / 2) {
                duration_format(to, longest->for_ns + longest->for_error_ns);
                return page_join(p, " for less than ", to, NULL);
        }
        if (shortest->for_at_least)
                return page_join(p, " for more than ", from, NULL);
        bool rough = time_is_rough(shortest) || time_is_rough(longest);
        bool range = strcmp(from, to) != 0;
        if (range && time_is_rough(shortest) && shortest->for_error_ns > shortest->for_ns / 2)
                return page_join(p, " for up to about ", to, NULL);
        return page_join(p, " for ", rough ? "about " : "", from, range ? " to " : "",
                range ? to : "", NULL);
}

/* The end of a header line: state, time, and what makes the rest doubtful. */
static void state_write(struct page *p, const struct group *g)
{
        const struct thread *t = g->threads[0];
        const char *doubt = t->moved ? ", was moving while it was read" : "";

        page_flow(
                p, STYLE_PLAIN, page_join(p, "  ", state_words(t), time_words(p, g), doubt, NULL));
        if (t->deadlocked)
                page_flow(p, STYLE_ALARM, "  deadlocked");
}

/* "4243-4245, 4250" */
static const char *tids_words(struct page *p, const struct group *g)
{
        const char *words = "";
        size_t i = 0;

        for (size_t ranges = 0; i < g->n_threads && ranges < RANGES_SHOWN; ranges++) {
                size_t first = i;
                while (i + 1 < g->n_threads && g->threads[i + 1]->tid == g->threads[i]->tid + 1)
                        i++;
                words = page_join(p, words, ranges > 0 ? ", " : "",
                        page_number(p, (uint64_t)g->threads[first]->tid), i > first ? "-" : "",
                        i > first ? page_number(p, (uint64_t)g->threads[i]->tid) : "", NULL);
                i++;
        }
        return i < g->n_threads ? page_join(p, words, ", …", NULL) : words;
}

/* " (worker-1, worker-2, …)": thread names that are not the process's own. */
static const char *names_words(struct page *p, const struct process *process, const struct group *g)
{
        const char *names[NAMES_SHOWN] = { NULL }, *words = "";
        size_t n = 0;

        for (size_t i = 0; i < g->n_threads; i++) {
                const char *name = g->threads[i]->comm;
                bool known = !name || (process->comm && strcmp(name, process->comm) == 0);
                for (size_t j = 0; j < n && !known; j++)
                        known = strcmp(name, names[j]) == 0;
                if (known)
                        continue;
                if (n == NAMES_SHOWN) {
                        words = page_join(p, words, ", …", NULL);
                        break;
                }
                names[n] = name;
                words = page_join(
                        p, words, n > 0 ? ", " : "", page_safe(p, name, ESCAPE_NAME_MAX), NULL);
                n++;
        }
        return n > 0 ? page_join(p, " (", words, ")", NULL) : "";
}

/* A group is marked new when all of it is, changed when any of it is either. */
static char group_mark(const struct marks *m, const struct group *g)
{
        size_t n_new = 0, n_changed = 0;

        for (size_t i = 0; m->before && i < g->n_threads; i++) {
                enum mark mark = marks_thread(m, g->threads[i]);
                n_new += mark == MARK_NEW;
                n_changed += mark == MARK_CHANGED;
        }
        if (n_new == g->n_threads)
                return '+';
        return n_new + n_changed > 0 ? '~' : ' ';
}

/* "accept.out (4242, 7 in its namespace)" */
static void process_title(struct page *p, const struct process *process)
{
        const char *pid = page_number(p, (uint64_t)process->pid);

        if (process->pid <= 0) { /* a stack in a text that does not say whose it is */
                page_flow(p, STYLE_BOLD,
                        page_join(
                                p, "stack in line ", page_number(p, process->threads->line), NULL));
                return;
        }
        if (process->inner_pid > 0 && process->inner_pid != process->pid)
                pid = page_join(p, pid, ", ", page_number(p, (uint64_t)process->inner_pid),
                        " in its namespace", NULL);
        if (!process->comm) {
                page_flow(p, STYLE_BOLD, page_join(p, "process ", pid, NULL));
                return;
        }
        page_flow(p, STYLE_BOLD,
                page_join(p, page_safe(p, process->comm, ESCAPE_NAME_MAX), " (", pid, ")", NULL));
}

/* The compact form: one thread, either the only one or the only one asked for. */
static void process_compact(
        struct page *p, const struct process *process, const struct group *g, char mark, bool named)
{
        const struct thread *t = g->threads[0];
        const char *which = "";

        if (t->tid != process->pid)
                which = page_join(p, "  thread ", page_safe(p, t->comm, ESCAPE_NAME_MAX), " (",
                        page_number(p, (uint64_t)t->tid), ")", NULL);
        else if (process->n_threads > 1)
                which = "  main thread";
        if (process->n_threads > 1)
                which = page_join(p, which, ", 1 of ", page_number(p, process->n_threads), NULL);

        page_begin(p, mark, 0, 2);
        process_title(p, process);
        page_flow(p, STYLE_PLAIN, which);
        state_write(p, g);
        page_end(p);
        if (named)
                details_write_command(p, g, 2);
        else
                details_write(p, g, 2);
}

static void group_write(
        struct page *p, const struct process *process, const struct group *g, char mark)
{
        const struct thread *t = g->threads[0];

        const char *count =
                g->n_threads == 1 ? ""
                                  : page_join(p, page_number(p, g->n_threads), " threads: ", NULL);
        const char *one = g->n_threads > 1         ? ""
                          : t->tid == process->pid ? "main thread "
                                                   : "thread ";

        page_begin(p, mark, 2, 4);
        page_flow(p, STYLE_BOLD,
                page_join(p, count, one, tids_words(p, g), names_words(p, process, g), NULL));
        state_write(p, g);
        page_end(p);
        details_write(p, g, 4);
}

static void process_header(struct page *p, const struct process *process, size_t n_shown, char mark)
{
        page_begin(p, mark, 0, 2);
        process_title(p, process);
        page_flow(p, STYLE_PLAIN, "  ");
        if (n_shown < process->n_threads)
                page_flow(p, STYLE_PLAIN, page_join(p, page_number(p, n_shown), " of ", NULL));
        page_flow(
                p, STYLE_PLAIN, page_join(p, page_number(p, process->n_threads), " threads", NULL));
        page_end(p);
}

/* named: by its command line, too. > 0: something was written. */
static int process_write(struct page *p, const struct process *process, const struct marks *m,
        bool named, bool first)
{
        struct fold fold;
        size_t n_shown = 0;
        bool all_new = true;

        int r = fold_process(process, &fold);
        if (r < 0)
                return r;
        for (size_t i = 0; i < fold.n_groups; i++) {
                n_shown += fold.groups[i].n_threads;
                all_new = all_new && group_mark(m, &fold.groups[i]) == '+';
        }
        if (n_shown > 0 && !first)
                page_end(p);
        if (n_shown == 1) {
                process_compact(p, process, &fold.groups[0], group_mark(m, &fold.groups[0]), named);
        } else if (n_shown > 1) {
                process_header(p, process, n_shown, m->before && all_new ? '+' : ' ');
                if (named)
                        command_write(p, process);
                for (size_t i = 0; i < fold.n_groups && page_block(p); i++)
                        group_write(p, process, &fold.groups[i], group_mark(m, &fold.groups[i]));
        }
        fold_done(&fold);
        return n_shown > 0;
}

/* Processes of one name whose only threads wait in the same place: the first stands for all. */
static void crowd_write(struct page *p, const struct group *g)
{
        const struct process *first = g->threads[0]->process;
        const char *pids = "";

        for (size_t i = 0; i < g->n_threads && i < CROWD_SHOWN; i++)
                pids = page_join(p, pids, i ? ", " : "",
                        page_number(p, (uint64_t)g->threads[i]->process->pid), NULL);
        page_begin(p, ' ', 0, 2);
        page_flow(p, STYLE_BOLD,
                page_join(p, page_number(p, g->n_threads),
                        " processes: ", page_safe(p, first->comm, ESCAPE_NAME_MAX), " (", pids,
                        g->n_threads > CROWD_SHOWN ? ", …)" : ")", NULL));
        state_write(p, g);
        page_end(p);
        page_begin(p, ' ', 2, 2);
        page_flow(p, STYLE_DIM,
                page_join(p, "all in the same place; ", page_number(p, (uint64_t)first->pid), " is",
                        NULL));
        page_end(p);
        details_write(p, g, 2);
}

/* The machine at a glance, then everything, the longest wait first. */
static int blocks_write(struct page *p, const struct snapshot *s, const struct marks *m,
        const struct namesakes *namesakes)
{
        struct summary summary;
        int r = summary_init(&summary, s);

        if (r < 0)
                return r;
        summary_write(p, s);
        for (size_t i = 0; i < summary.n_blocks && r >= 0 && page_block(p); i++) {
                const struct block *b = &summary.blocks[i];

                if (b->group.n_threads > 1) {
                        if (i)
                                page_end(p);
                        crowd_write(p, &b->group);
                } else {
                        r = process_write(
                                p, b->process, m, namesakes_has(namesakes, b->process), !i);
                }
        }
        summary_done(&summary);
        return r < 0 ? r : 0;
}

static int processes_write(struct page *p, const struct snapshot *s, const struct marks *m,
        const struct namesakes *namesakes, bool *first)
{
        for_each_process(process, s) {
                int r = 0;

                if (!page_block(p))
                        break;
                r = process_write(p, process, m, namesakes_has(namesakes, process), *first);
                if (r < 0)
                        return r;
                if (r > 0)
                        *first = false;
        }
        return 0;
}

static void ended_write(struct page *p, const struct marks *m)
{
        size_t shown = m->n_ended < ENDED_SHOWN ? m->n_ended : ENDED_SHOWN;

        if (m->n_ended == 0)
                return;
        const char *text = "ended: ";
        for (size_t i = 0; i < shown; i++) {
                const struct thread *t = m->ended[i];
                const char *name = t->comm ? t->comm : t->process->comm;
                text = page_join(p, text, i > 0 ? ", " : "", page_safe(p, name, ESCAPE_NAME_MAX),
                        " (", page_number(p, (uint64_t)t->tid), ")", NULL);
        }
        if (shown < m->n_ended)
                text = page_join(
                        p, text, " and ", page_number(p, m->n_ended - shown), " more", NULL);
        page_begin(p, ' ', 0, 2);
        page_flow(p, STYLE_PLAIN, text);
        page_end(p);
}

/* What a gap is about and how many there are of it: "kernel stacks of 12 threads". */
static const char *gap_words(struct page *p, const struct gap *g)
{
        static const char *const of_threads[] = { "kernel stacks", "system calls",
                "context-switch counts", "user stacks" };
        const char *what = page_safe(p, g->what, ESCAPE_PATH_MAX);
        const char *count = page_number(p, g->count);

        if (strcmp(g->what, "threads") == 0)
                return page_join(p, count, g->count == 1 ? " thread" : " threads", NULL);
        if (strcmp(g->what, "processes") == 0)
                return page_join(p, count, g->count == 1 ? " process" : " processes", NULL);
        if (g->count <= 1)
                return what;
        for (size_t i = 0; i < ARRAY_SIZE(of_threads); i++)
                if (strcmp(g->what, of_threads[i]) == 0)
                        return page_join(p, what, " of ", count, " threads", NULL);
        return page_join(p, what, " (", count, " times)", NULL);
}

/* "missing: kernel stacks of 12 threads: who may see them; what to do" */
void gap_write(struct page *p, const struct gap *g)
{
        const char *remedy = g->remedy ? page_safe(p, g->remedy, ESCAPE_PATH_MAX) : "";

        page_begin(p, ' ', 0, 2);
        page_flow(p, STYLE_BLOCKED, "missing: ");
        page_flow(p, STYLE_PLAIN,
                page_join(p, gap_words(p, g), ": ", page_safe(p, g->why, ESCAPE_PATH_MAX),
                        *remedy ? "; " : "", remedy, NULL));
        page_end(p);
}

static void count_write(struct page *p, size_t n, const char *one, const char *many)
{
        if (n == 0)
                return;
        page_begin(p, ' ', 0, 2);
        page_flow(p, STYLE_DIM, page_join(p, page_number(p, n), n == 1 ? one : many, NULL));
        page_end(p);
}

static void footer_write(
        struct page *p, const struct snapshot *s, const struct marks *m, bool first)
{
        bool any = m->n_ended > 0 || s->gaps || s->n_lost > 0 || s->n_idle > 0;

        if (any && !first)
                page_end(p);
        for (const struct gap *g = s->gaps; g && page_block(p); g = g->next)
                gap_write(p, g);
        count_write(p, s->n_lost, " target was not reached", " targets were not reached");
        count_write(p, s->n_idle, " idle kernel thread left out (--idle shows it)",
                " idle kernel threads left out (--idle shows them)");
        ended_write(p, m);
}

int render_text(FILE *out, const struct snapshot *s, const struct snapshot *previous, bool colour,
        unsigned columns)
{
        struct namesakes *namesakes = NULL;
        struct marks marks;
        struct page page;
        bool first = true;

        int r = marks_init(&marks, s, previous);
        if (r < 0)
                return r;
        r = namesakes_new(s, &namesakes);
        if (r >= 0)
                r = page_init(&page, out, colour, columns, previous != NULL);
        if (r < 0) {
                namesakes_free(namesakes);
                marks_done(&marks);
                return r;
        }
        page.no_kernel = s->no_kernel;
        page.whole = s->all;
        if (summary_is_due(s) && !previous) {
                r = blocks_write(&page, s, &marks, namesakes);
                first = false;
        } else {
                r = processes_write(&page, s, &marks, namesakes, &first);
        }
        for (const struct deadlock *d = s->deadlocks; d && r >= 0 && page_block(&page);
                d = d->next) {
                page_end(&page);
                deadlock_write(&page, d);
        }
        if (r >= 0 && page_block(&page))
                footer_write(&page, s, &marks, first);
        marks_done(&marks);
        namesakes_free(namesakes);

        int error = page_done(&page);
        return r < 0 ? r : error;
}
