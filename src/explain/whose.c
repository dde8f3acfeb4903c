/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names come from targets; they are bounded here and escaped by the renderers. */
#include "explain/whose.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model.h"

#define NAMED_MAX 3

struct text {
        char *at;
        size_t len;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *x, const char *format, ...)
{
        size_t room = WHOSE_TEXT_MAX - x->len;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(x->at + x->len, room, format, ap);
        va_end(ap);
        if (n > 0)
                x->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void owner_put(struct text *x, const struct owner *o)
{
        put(x, "%.64s (%d)", o->comm ? o->comm : "process", (int)o->pid);
}

/* "the lock of cron (12)", "the locks of cron (12), at (13) and 2 more" */
static void whose_put(struct text *x, const struct thread *t, const struct object *o)
{
        size_t n = o ? o->n_owners : 0;

        if (!n) {
                put(x, "somebody else's lock");
                return;
        }
        if (n == 1 && o->owners[0].pid == t->process->pid) {
                put(x, "a lock that it holds itself, through another open file,");
                return;
        }
        put(x, "the lock%s of ", n > 1 ? "s" : "");
        for (size_t i = 0; i < n && i < NAMED_MAX; i++) {
                put(x, "%s", !i ? "" : i + 1 == n ? " and " : ", ");
                owner_put(x, &o->owners[i]);
        }
        if (n > NAMED_MAX)
                put(x, " and %zu more", n - NAMED_MAX);
}

/* " by cron (12)", or nothing */
static void by_put(struct text *x, const struct object *o)
{
        for (size_t i = 0; o && i < o->n_owners && i < NAMED_MAX; i++) {
                put(x, "%s", i ? ", " : " by ");
                owner_put(x, &o->owners[i]);
        }
}

/* "flusher (thread 812)", of another process "flusher (process 91, thread 92)" */
static void thread_put(struct text *x, const struct thread *t, const struct owner *o)
{
        bool other = o->pid != t->process->pid, both = !other || (o->tid && o->tid != o->pid);

        put(x, "%.64s (", o->comm ? o->comm : "a thread");
        if (other)
                put(x, "process %d%s", (int)o->pid, both ? ", " : ")");
        if (both)
                put(x, "thread %d)", (int)o->tid);
}

/* ", held by flusher (thread 812)", of a lock in memory; or nothing */
static void held_put(struct text *x, const struct thread *t, const struct object *o)
{
        if (!o)
                return;
        if (o->n_owners && o->owners->tid == t->tid) {
                put(x, ", which it holds itself");
        } else if (o->n_owners) {
                put(x, ", held by ");
                thread_put(x, t, o->owners);
        } else if (o->lost_owner && o->kind && strcmp(o->kind, "mutex") == 0) {
                put(x,
                        ", held by thread %d, which is not in this process: it ended with the "
                        "lock, or "
                        "had it when this process was forked",
                        (int)o->lost_owner);
        } else if (o->readers) {
                put(x, ", held by %u reader%s", o->readers, o->readers > 1 ? "s" : "");
        }
}

bool whose_word(const char *word, size_t len, const struct thread *t, const struct object *o,
        char ret_text[static WHOSE_TEXT_MAX])
{
        struct text x = { ret_text, 0 };

        *ret_text = 0;
        if (len == 5 && memcmp(word, "whose", len) == 0)
                whose_put(&x, t, o);
        else if (len == 2 && memcmp(word, "by", len) == 0)
                by_put(&x, o);
        else if (len == 4 && memcmp(word, "held", len) == 0)
                held_put(&x, t, o);
        else if (len == 6 && memcmp(word, "joined", len) == 0 && o && o->n_owners)
                thread_put(&x, t, o->owners);
        else if (len == 6 && memcmp(word, "joined", len) == 0)
                put(&x, "a thread");
        else
                return false;
        return true;
}
