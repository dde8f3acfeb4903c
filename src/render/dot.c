/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The graph for Graphviz: an edge leads from a waiter to who can end its wait, solid where that one
 * must act, dashed where it is one of several that could. Look-alikes that nobody waits for are one
 * node.
 *
 * Texts are escaped for terminals first, and then for DOT, whose strings end at a quote and whose
 * labels give a backslash a meaning of their own.
 */
#include "render/render.h"

#include <errno.h>
#include <stdlib.h>

#include "base/escape.h"
#include "graph/forest.h"
#include "graph/lookup.h"
#include "graph/waits.h"
#include "model.h"
#include "render/chains.h"
#include "render/details.h"
#include "render/page.h"

#define WIDTH 36       /* of a label's lines, about */
#define NODES_MAX 2000 /* more than that nobody can look at, or lay out */

/* Broken into lines at spaces; what is quoted and what is not is up to the caller. */
static void label_put(FILE *out, const char *text)
{
        unsigned column = 0;

        for (; *text; text++) {
                if (*text == ' ' && column >= WIDTH) {
                        fputs("\\n", out);
                        column = 0;
                        continue;
                }
                if (*text == '"' || *text == '\\')
                        putc('\\', out);
                putc(*text, out);
                column += ((unsigned char)*text & 0xc0) != 0x80;
        }
}

struct drawing {
        struct page *p;
        const struct graph *g;
        bool *drawn; /* nodes of the graph */
        size_t n_drawn, n_left;
};

static const char *node_name(struct page *p, const struct node *n)
{
        return page_join(p, n->thread ? "t" : "p",
                page_number(p, (uint64_t)(n->thread ? n->thread->tid : n->process->pid)), NULL);
}

static void threads_put(struct drawing *w, const struct thread *const *threads, size_t n, bool root)
{
        struct page *p = w->p;
        const struct thread *t = threads[0];

        fprintf(p->out, "  t%d [label=\"", (int)t->tid);
        if (n > 1)
                label_put(p->out, page_join(p, page_number(p, n), " threads, such as ", NULL));
        label_put(p->out, thread_label(p, t));
        fputs("\\n", p->out);
        label_put(p->out, thread_clause(p, threads, n) + 1);
        fprintf(p->out, "\"%s%s];\n", t->deadlocked ? ", color=red" : "",
                root ? ", style=filled, fillcolor=\"#fff2c0\"" : "");
}

static void process_put(struct drawing *w, const struct node *n)
{
        struct page *p = w->p;

        fprintf(p->out, "  p%d [label=\"", (int)n->process->pid);
        label_put(p->out,
                page_join(p, "any thread of ", page_safe(p, n->process->comm, ESCAPE_NAME_MAX),
                        " (pid ", page_number(p, (uint64_t)n->process->pid), ")", NULL));
        fputs("\", style=rounded];\n", p->out);
}

/* False: there are too many. */
static bool node_draw(struct drawing *w, uint32_t n, const struct branch *b)
{
        const struct node *node = &w->g->nodes[n];
        const struct thread *one = node->thread;

        if (w->drawn[n])
                return true;
        if (w->n_drawn == NODES_MAX) {
                w->n_left += b ? b->n : 1;
                return false;
        }
        w->n_drawn++;
        w->drawn[n] = true;
        if (!one)
                process_put(w, node);
        else
                threads_put(
                        w, b ? b->threads : &one, b ? b->n : 1, b && b->bears && one->root == one);
        return true;
}

static void edges_put(struct drawing *w, uint32_t n)
{
        const struct node *node = &w->g->nodes[n];
        bool any = node->any && node->n > 1;

        for_each_edge(e, w->g, n)
        {
                /* A process leads to those of its threads that somebody else waits for, too. */
                if (!node->thread && !w->drawn[e->to])
                        continue;
                if (!node_draw(w, e->to, NULL))
                        continue;
                fprintf(w->p->out, "  %s -> %s [", node_name(w->p, node),
                        node_name(w->p, &w->g->nodes[e->to]));
                fprintf(w->p->out, "label=\"%s\"", node->thread ? role_name(e->role) : "");
                fprintf(w->p->out, "%s%s];\n", any ? ", style=dashed" : "",
                        node->thread && node->thread->deadlocked ? ", color=red" : "");
        }
        if (node->cut) {
                fprintf(w->p->out, "  x%d [shape=plaintext, label=\"out of sight\"];\n", (int)n);
                fprintf(w->p->out, "  %s -> x%d [style=dotted];\n", node_name(w->p, node), (int)n);
        }
}

static void graph_put(struct drawing *w, const struct forest *f, const struct lookup *l)
{
        uint32_t place;

        fputs("digraph pwhy {\n"
              "  // solid: this one must act; dashed: any one of these can\n"
              "  rankdir=LR;\n"
              "  node [shape=box, fontname=\"sans-serif\", fontsize=10];\n"
              "  edge [fontname=\"sans-serif\", fontsize=9];\n",
                w->p->out);
        for (size_t i = 0; i < f->n_branches && page_block(w->p); i++) {
                const struct branch *b = &f->branches[i];
                const struct thread *t = b->threads[0];

                /* Who waits for any of several, and keeps nobody waiting, is how programs rest. */
                if ((b->bears || t->toward || t->behind == BESIDE_ASKED) &&
                        lookup_thread(l, t->tid, &place))
                        node_draw(w, place, b);
        }
        /* Owners that are drawn for the sake of an edge have no edges but those. */
        for (size_t i = 0; i < f->n_branches && page_block(w->p); i++)
                if (lookup_thread(l, f->branches[i].threads[0]->tid, &place) && w->drawn[place])
                        edges_put(w, place);
        for (uint32_t n = w->g->n_threads; n < w->g->n_nodes && page_block(w->p); n++)
                if (w->drawn[n])
                        edges_put(w, n);
        if (w->n_left)
                fprintf(w->p->out, "  left_out [shape=plaintext, label=\"and %zu more\"];\n",
                        w->n_left);
        fputs("}\n", w->p->out);
}

int render_dot(FILE *out, const struct snapshot *s)
{
        struct drawing w = { 0 };
        struct forest f = { 0 };
        struct graph *g = NULL;
        struct lookup *l = NULL;
        struct page p;
        int r = forest_init(&f, s);

        if (r == 0)
                r = graph_new(s, &g);
        if (r == 0)
                r = lookup_new(s, &l);
        if (r == 0) {
                w.drawn = calloc((size_t)g->n_nodes + 1, sizeof(*w.drawn));
                r = w.drawn ? page_init(&p, out, false, 0, false) : -ENOMEM;
        }
        if (r == 0) {
                w.p = &p;
                w.g = g;
                graph_put(&w, &f, l);
                r = page_done(&p);
        }
        free(w.drawn);
        lookup_free(l);
        graph_free(g);
        forest_done(&f);
        return r;
}
