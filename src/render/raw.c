/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's own form, byte for byte, for scripts written against /proc/PID/stack.
 *
 * A thread whose stack was refused prints nothing, not even a header: a header with nothing
 * below it would claim an empty stack.
 */
#include "render/render.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/escape.h"
#include "model.h"

static int raw_header(FILE *out, struct arena *scratch, const struct thread *t)
{
        const char *comm = t->comm ? t->comm : t->process->comm;
        const char *safe = "?";

        if (comm)
                safe = escape_text(
                        scratch, comm, strnlen(comm, ESCAPE_NAME_MAX + 1), ESCAPE_NAME_MAX);
        if (!safe)
                return -ENOMEM;
        if (fprintf(out, "==> %d %d %s <==\n", t->process->pid, t->tid, safe) < 0)
                return errno > 0 ? -errno : -EIO;
        return 0;
}

static int raw_thread(FILE *out, struct arena *scratch, const struct thread *t, bool header)
{
        const struct stack *stack = t->kernel_stack;
        int r = 0;

        if (!stack)
                return 0;
        if (header)
                r = raw_header(out, scratch, t);
        if (r == 0 && stack->text_len > 0 &&
                fwrite(stack->text, 1, stack->text_len, out) != stack->text_len)
                r = errno > 0 ? -errno : -EIO;
        return r;
}

int render_raw(FILE *out, const struct snapshot *s)
{
        size_t n_shown = 0;
        int r = 0;

        for_each_process(p, s)
                for_each_thread(t, p)
                        n_shown += t->matched;

        struct arena *scratch = arena_new();
        if (!scratch)
                return -ENOMEM;
        for_each_process(p, s)
                for_each_thread(t, p)
                        if (t->matched && r == 0)
                                r = raw_thread(out, scratch, t, n_shown > 1);
        arena_free(scratch);
        if (r == 0 && fflush(out) != 0)
                r = errno > 0 ? -errno : -EIO;
        return r;
}
