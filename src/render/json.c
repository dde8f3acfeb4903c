/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract's document, written one thread at a time: json-c builds and escapes a thread,
 * the frame around the threads is written by hand, so that ten thousand threads need the
 * memory of one. Strings are bounded and made valid UTF-8 first; what is not known is absent.
 */
#include "render/render.h"

#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/escape.h"
#include "model.h"
#include "pwhy.h"
#include "render/jsonout.h"

static void json_owners(struct jsonout *j, struct json_object *wait, const struct wait *w)
{
        struct json_object *list = jsonout_list(j, wait, "on");

        for (size_t i = 0; i < w->n_on; i++) {
                struct json_object *o = jsonout_item(j, list);
                jsonout_int(j, o, "pid", w->on[i].pid);
                if (w->on[i].tid > 0)
                        jsonout_int(j, o, "tid", w->on[i].tid);
                jsonout_text(j, o, "comm", w->on[i].comm, ESCAPE_NAME_MAX);
                jsonout_text(j, o, "role", role_name(w->on[i].role), ESCAPE_NAME_MAX);
        }
        if (w->n_on > 0 && w->on_any)
                jsonout_bool(j, wait, "on_any", true);
        if (w->n_on > 0 && w->on_whole)
                jsonout_bool(j, wait, "on_whole", true);
}

static void json_wait(struct jsonout *j, struct json_object *thread, const struct thread *t)
{
        const struct wait *w = &t->wait;
        struct json_object *o = jsonout_object(j, thread, "wait");

        jsonout_text(j, o, "reason", reason_name(w->reason), ESCAPE_NAME_MAX);
        if (w->object)
                jsonout_model_object(j, jsonout_object(j, o, "object"), w->object);
        if (t->has_for) {
                jsonout_int(j, o, "for_ns", t->for_ns);
                jsonout_int(j, o, "for_error_ns", t->for_error_ns);
                if (t->for_at_least)
                        jsonout_bool(j, o, "for_at_least", true);
        }
        json_owners(j, o, w);
        jsonout_text(j, o, "text", w->text, ESCAPE_ARG_MAX);
        jsonout_text(j, o, "confidence", confidence_name(w->confidence), ESCAPE_NAME_MAX);
        jsonout_text(j, o, "rule", w->rule, ESCAPE_NAME_MAX);

        struct json_object *evidence = jsonout_list(j, o, "evidence");
        for (size_t i = 0; i < w->n_evidence && i < EVIDENCE_MAX; i++)
                jsonout_item_text(j, evidence, w->evidence[i], ESCAPE_ARG_MAX);
}

static void json_process(struct jsonout *j, struct json_object *o, const struct process *p)
{
        if (p->n_cmdline > 0) {
                struct json_object *list = jsonout_list(j, o, "cmdline");
                for (size_t i = 0; i < p->n_cmdline && i < CMDLINE_MAX; i++)
                        jsonout_item_text(j, list, p->cmdline[i], ESCAPE_ARG_MAX);
                if (p->cmdline_truncated)
                        jsonout_bool(j, o, "cmdline_truncated", true);
        }
        jsonout_text(j, o, "exe", p->exe, ESCAPE_ARG_MAX);
        if (p->has_uid)
                jsonout_int(j, o, "uid", p->uid);
        jsonout_text(j, o, "cgroup", p->cgroup, ESCAPE_ARG_MAX);
        if (p->inner_pid > 0)
                jsonout_int(j, o, "inner_pid", p->inner_pid);
}

static void json_profile(
        struct jsonout *j, struct json_object *o, const struct profile *profile, bool no_kernel)
{
        struct json_object *list;

        jsonout_int(j, o, "window_ns", profile->window_ns);
        jsonout_uint(j, o, "samples", profile->n_samples);
        list = jsonout_list(j, o, "stacks");
        for (size_t i = 0; i < profile->n_hots; i++) {
                const struct hot *hot = &profile->hots[i];
                struct json_object *one = jsonout_item(j, list);

                jsonout_uint(j, one, "samples", hot->n_samples);
                if (hot->kernel_stack && !no_kernel)
                        jsonout_stack(j, jsonout_list(j, one, "kernel_stack"), hot->kernel_stack);
                if (hot->user_stack)
                        jsonout_user_stack(j, one, hot->user_stack);
        }
}

static void json_thread(
        struct jsonout *j, struct json_object *o, const struct thread *t, bool no_kernel)
{
        const struct process *p = t->process;
        const char state[] = { t->state, '\0' };

        if (p->pid > 0) { /* a stack in a text may have no name */
                jsonout_int(j, o, "pid", p->pid);
                jsonout_int(j, o, "tid", t->tid);
        }
        if (t->line > 0)
                jsonout_uint(j, o, "line", t->line);
        if (p->ppid > 0)
                jsonout_int(j, o, "ppid", p->ppid);
        jsonout_text(j, o, "comm", t->comm ? t->comm : p->comm, ESCAPE_NAME_MAX);
        json_process(j, o, p);
        if (t->state != 0)
                jsonout_text(j, o, "state", state, 1);
        if (t->cpu >= 0)
                jsonout_int(j, o, "cpu", t->cpu);
        if (t->has_switches)
                jsonout_uint(j, o, "switches", t->switches);
        if (t->moved)
                jsonout_bool(j, o, "moved", true);
        json_wait(j, o, t);
        if (t->deadlocked) {
                jsonout_bool(j, o, "deadlocked", true);
        } else if (t->root && t->root->process->pid > 0) {
                struct json_object *root = jsonout_object(j, o, "root");
                jsonout_int(j, root, "pid", t->root->process->pid);
                jsonout_int(j, root, "tid", t->root->tid);
        }
        if (t->call.state == CALL_INSIDE)
                jsonout_call(j, jsonout_object(j, o, "syscall"), &t->call);
        jsonout_text(j, o, "wchan", t->wchan, ESCAPE_NAME_MAX);
        if (t->kernel_stack && !no_kernel)
                jsonout_stack(j, jsonout_list(j, o, "kernel_stack"), t->kernel_stack);
        if (t->user_stack)
                jsonout_user_stack(j, o, t->user_stack);
        if (t->profile)
                json_profile(j, jsonout_object(j, o, "profile"), t->profile, no_kernel);
}

/* "2026-11-23T04:50:00.123456789Z" */
static void json_time(struct jsonout *j, struct json_object *o, const char *key, int64_t ns)
{
        time_t seconds = (time_t)(ns / NS_PER_S);
        struct tm tm;
        char date[40];

        if (ns <= 0 || !gmtime_r(&seconds, &tm) ||
                strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
                return;
        const char *text = arena_printf(j->scratch, "%s.%09dZ", date, (int)(ns % NS_PER_S));
        jsonout_text(j, o, key, text, ESCAPE_NAME_MAX);
}

static void json_gaps(struct jsonout *j, struct json_object *capture, const struct gap *gaps)
{
        struct json_object *list = jsonout_list(j, capture, "missing");

        for (const struct gap *g = gaps; g; g = g->next) {
                struct json_object *o = jsonout_item(j, list);
                jsonout_text(j, o, "what", g->what, ESCAPE_ARG_MAX);
                jsonout_text(j, o, "why", g->why, ESCAPE_ARG_MAX);
                jsonout_text(j, o, "remedy", g->remedy, ESCAPE_ARG_MAX);
                jsonout_int(j, o, "count", g->count);
        }
}

/* Everything but the threads. */
static void json_head(struct jsonout *j, struct json_object *o, const struct snapshot *s)
{
        jsonout_int(j, o, "schema", 1);
        jsonout_text(j, o, "pwhy", pwhy_version(), ESCAPE_NAME_MAX);

        struct json_object *host = jsonout_object(j, o, "host");
        jsonout_text(j, host, "name", s->host.name, ESCAPE_NAME_MAX);
        jsonout_text(j, host, "kernel", s->host.kernel, ESCAPE_NAME_MAX);
        jsonout_text(j, host, "arch", s->host.arch, ESCAPE_NAME_MAX);
        jsonout_text(j, host, "boot_id", s->host.boot_id, ESCAPE_NAME_MAX);
        json_time(j, o, "captured_at", s->captured_at);

        struct json_object *capture = jsonout_object(j, o, "capture");
        jsonout_text(j, capture, "source", s->source, ESCAPE_NAME_MAX);
        jsonout_int(j, capture, "duration_ns", s->duration_ns);
        jsonout_uint(j, capture, "threads", s->n_threads);
        jsonout_uint(j, capture, "lost", s->n_lost);
        if (s->n_idle > 0)
                jsonout_uint(j, capture, "idle_left_out", s->n_idle);
        json_gaps(j, capture, s->gaps);
}

static void json_threads(struct jsonout *j, const struct snapshot *s)
{
        bool first = true;

        for_each_process(p, s) {
                for_each_thread(t, p) {
                        if (!t->matched)
                                continue;
                        struct json_object *o = jsonout_open(j);
                        if (!o)
                                return;
                        json_thread(j, o, t, s->no_kernel);
                        jsonout_literal(j, first ? "\n" : ",\n");
                        jsonout_close(j, o, true);
                        first = false;
                }
        }
}

/* Present when they were looked for: empty means that there is none. */
static void json_deadlocks(struct jsonout *j, const struct snapshot *s)
{
        struct json_object *o, *list;

        if (!s->has_deadlocks)
                return;
        jsonout_literal(j, ",\"deadlocks\":[");
        for (const struct deadlock *d = s->deadlocks; d; d = d->next) {
                o = jsonout_open(j);
                if (!o)
                        return;
                list = jsonout_list(j, o, "members");
                for (size_t i = 0; i < d->n_members; i++) {
                        struct json_object *member = jsonout_item(j, list);
                        jsonout_int(j, member, "pid", d->members[i]->process->pid);
                        jsonout_int(j, member, "tid", d->members[i]->tid);
                }
                jsonout_uint(j, o, "behind", d->n_behind);
                jsonout_literal(j, d == s->deadlocks ? "\n" : ",\n");
                jsonout_close(j, o, true);
        }
        jsonout_literal(j, "\n]");
}

int render_json(FILE *out, const struct snapshot *s)
{
        struct jsonout j;

        int r = jsonout_init(&j, out);
        if (r < 0)
                return r;
        struct json_object *head = jsonout_open(&j);
        if (head) {
                json_head(&j, head, s);
                /* Left open: the threads go on in the same object. */
                jsonout_close(&j, head, false);
                jsonout_literal(&j, ",\"threads\":[");
                json_threads(&j, s);
                jsonout_literal(&j, "\n]");
                json_deadlocks(&j, s);
                jsonout_literal(&j, "}\n");
        }
        return jsonout_done(&j);
}
