/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a pasted text. Beyond memory errors: what is found is whole (a name or none, a
 * stack that can be parsed again), the raw form read again has as many frames, and every
 * thread can be explained and printed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "capture/paste.h"
#include "explain/explain.h"
#include "model.h"
#include "render/render.h"
#include "symbol/stacktext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
        if (!condition)
                abort();
}

static void thread_check(struct arena *a, const struct thread *t)
{
        struct stack again = { 0 };

        require(t->line > 0 && t->tid >= 0 && t->process->pid >= 0);
        require((t->tid == 0) == (t->process->pid == 0));
        require(!t->state || strchr("RSDTtXZPI", t->state));
        require(!t->has_for || (t->for_ns > 0 && t->for_at_least));
        require(!t->comm || *t->comm);
        require(t->wait.text && *t->wait.text);
        if (!t->kernel_stack)
                return;
        require(stacktext_parse(a, t->kernel_stack->text, t->kernel_stack->text_len, &again) == 1);
        require(again.n_frames == t->kernel_stack->n_frames);
}

/* In the renderers' eyes a thread from a text is a thread like any other. */
static void render_check(struct snapshot *s)
{
        _cleanup_free_ char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);

        require(out);
        require(render_text(out, s, NULL, false, 80) == 0);
        require(render_json(out, s) == 0);
        require(render_raw(out, s) == 0);
        fclose(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct arena *a = arena_new();
        struct snapshot s;

        if (!a)
                return 0;
        snapshot_init(&s, a);
        require(paste_read(&s, (const char *)data, size) == 0);
        require(explain_snapshot(&s) == 0);
        for_each_process(p, &s) {
                require(p->threads);
                for_each_thread(t, p) {
                        t->matched = true;
                        thread_check(a, t);
                }
        }
        render_check(&s);
        arena_free(a);
        return 0;
}
