/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lines that name a task, of kernels 2.6 to 6.x (kernel/sched/core.c sched_show_task,
 * kernel/hung_task.c, lib/dump_stack.c).
 *
 * A task's name may hold anything, blanks and colons too, so lines are read from what is
 * fixed around it: numbers at the end, words of the kernel. "flags" are the thread's flags,
 * in which nothing tells a kernel thread; "task_flags" (since 6.14) do.
 */
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "capture/paste-parts.h"

#define KTHREADD_PID 2
#define FLAG_KTHREAD 0x00200000u /* PF_KTHREAD, linux/sched.h */
#define STATES "RSDTtXxZPIKWN"

static void head_init(struct paste_head *h)
{
        *h = (struct paste_head){ .ppid = -1, .cpu = -1 };
}

/* K (wakekill), W (waking), N (new), x: what today's letters say. */
static char state_letter(char c)
{
        return c == 'x' ? 'X' : c == 'K' ? 'D' : c == 'W' || c == 'N' ? 'R' : c;
}

static bool comm_ok(struct span comm)
{
        return span_len(comm) > 0 && span_len(comm) < PASTE_COMM_MAX;
}

/* The last word of *s, which loses it. */
static struct span take_last_word(struct span *s)
{
        struct span word;

        *s = span_trim(*s);
        word.end = s->end;
        while (s->end > s->p && s->end[-1] != ' ' && s->end[-1] != '\t')
                s->end--;
        word.p = s->end;
        return word;
}

static bool take_last_pid(struct span *s, pid_t *ret)
{
        struct span word = take_last_word(s);

        return span_take_pid(&word, ret) && word.p == word.end;
}

/*
 * "bash            S    0  1234   1233 0x00000080": name, state, free stack, pid, parent,
 * flags. Until 4.x the place where it sleeps is behind the state, "ffff88013fc127c0" or
 * "running task". A free stack of five digits touches the state: "D11968".
 */
static bool head_old(struct span text, struct paste_head *h)
{
        struct span s = text, word = take_last_word(&s), rest;
        uint64_t flags, address;

        if (!span_take(&word, "0x") || !span_take_hex(&word, &flags) || word.p < word.end)
                return false;
        if (!take_last_pid(&s, &h->ppid) || !take_last_pid(&s, &h->tid))
                return false;
        s = span_trim(s);
        while (s.end > s.p && s.end[-1] >= '0' && s.end[-1] <= '9')
                s.end--;
        s = span_trim(s);

        rest = s;
        word = take_last_word(&rest);
        if (span_len(word) == 4 && span_begins(word, "task")) {
                s = rest;
                word = take_last_word(&rest);
        }
        if ((span_len(word) == 7 && span_begins(word, "running")) ||
                ((span_len(word) == 16 || span_len(word) == 8) && span_take_hex(&word, &address) &&
                        word.p == word.end))
                s = rest;
        s = span_trim(s);
        if (span_len(s) < 3 || s.end[-2] != ' ' || !strchr(STATES, s.end[-1]))
                return false;
        h->state = state_letter(s.end[-1]);
        s.end--;
        h->comm = span_trim(s);
        return comm_ok(h->comm) && span_len(h->comm) < 16;
}

/* The value behind " pid:", a number perhaps padded. */
static bool field_find(struct span s, const char *key, struct span *ret)
{
        const char *at = span_find(s, key);

        if (!at)
                return false;
        *ret = (struct span){ at + strlen(key), s.end };
        span_skip_blanks(ret);
        return true;
}

/*
 * "task:bash            state:S stack:0     pid:1234  tgid:1234  ppid:1233
 * task_flags:0x400100 flags:0x00004000", on one line
 */
static bool head_new(struct span text, struct paste_head *h)
{
        struct span s = text, field, comm;
        const char *state = NULL;
        uint64_t flags;

        if (!span_take(&s, "task:"))
                return false;
        /* The name may hold the word: the last one counts. */
        for (struct span c = s; (c.p = span_find(c, " state:")); c.p++)
                state = c.p;
        if (!state || s.end - state < 8 || !strchr(STATES, state[7]))
                return false;
        comm = (struct span){ s.p, state };
        h->comm = span_trim(comm);
        h->state = state_letter(state[7]);
        s.p = state + 8;
        if (!field_find(s, " pid:", &field) || !span_take_pid(&field, &h->tid))
                return false;
        if (field_find(s, " tgid:", &field))
                span_take_pid(&field, &h->pid);
        if (field_find(s, " ppid:", &field))
                span_take_pid(&field, &h->ppid);
        if (field_find(s, " task_flags:0x", &field) && span_take_hex(&field, &flags))
                h->kernel = flags & FLAG_KTHREAD;
        return comm_ok(h->comm);
}

/* "NAME:PID" in front of end. */
static bool name_pid(struct span s, struct span *ret_comm, pid_t *ret_pid)
{
        const char *colon;
        struct span digits;

        s = span_trim(s);
        colon = memrchr(s.p, ':', span_len(s));
        if (!colon)
                return false;
        digits = (struct span){ colon + 1, s.end };
        *ret_comm = (struct span){ s.p, colon };
        return span_take_pid(&digits, ret_pid) && digits.p == digits.end && comm_ok(*ret_comm);
}

/* "INFO: task java:1234 blocked for more than 122 seconds.", "… blocked in I/O wait for more …" */
static bool head_report(struct span text, struct paste_head *h)
{
        struct span s = text, seconds;
        const char *blocked = span_find(s, " blocked "), *more = span_find(s, "for more than ");

        if (!span_take(&s, "INFO: task ") || !blocked || !more || more < blocked)
                return false;
        seconds = (struct span){ more + strlen("for more than "), s.end };
        s.end = blocked;
        if (s.end <= s.p || !name_pid(s, &h->comm, &h->tid))
                return false;
        if (span_take_number(&seconds, &h->for_ns) && h->for_ns < INT64_MAX / NS_PER_S)
                h->for_ns *= NS_PER_S;
        else
                h->for_ns = 0;
        h->state = 'D'; /* the detector looks at no others */
        return true;
}

/*
 * "CPU: 4 UID: 0 PID: 2971 Comm: nfsd Not tainted 6.12.0 #1", and until 3.x
 * "Pid: 2971, comm: nfsd Not tainted 2.6.32 #1"
 */
static bool head_cpu(struct span text, struct paste_head *h)
{
        static const char *const ends[] = { " Not tainted", " Tainted:", " Kdump:" };
        struct span s = text, field;
        int64_t cpu;

        if (span_take(&s, "CPU: ")) {
                if (!span_take_number(&s, &cpu) || cpu > INT_MAX ||
                        !field_find(s, " PID: ", &field) || !span_take_pid(&field, &h->tid) ||
                        !field_find(s, " Comm: ", &h->comm))
                        return false;
                h->cpu = (int)cpu;
        } else if (!span_take(&s, "Pid: ") || !span_take_pid(&s, &h->tid) ||
                   !span_take(&s, ", comm: ")) {
                return false;
        } else {
                h->comm = s;
        }
        for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
                const char *end = span_find(h->comm, ends[i]);

                if (end)
                        h->comm.end = end;
        }
        h->comm = span_trim(h->comm);
        h->state = 'R';
        return comm_ok(h->comm);
}

/* "==> /proc/123/task/456/stack <==" of head, "==> 123 456 NAME <==" of pwhy --raw */
static bool head_file(struct span text, struct paste_head *h)
{
        struct span s = text;

        if (!span_take(&s, "==> ") || span_len(s) < 4 || memcmp(s.end - 4, " <==", 4) != 0)
                return false;
        s.end -= 4;
        if (span_take(&s, "/proc/")) {
                if (!span_take_pid(&s, &h->pid) || !span_take(&s, "/"))
                        return false;
                h->tid = h->pid;
                if (span_take(&s, "task/") && (!span_take_pid(&s, &h->tid) || !span_take(&s, "/")))
                        return false;
                return span_take(&s, "stack") && s.p == s.end;
        }
        if (!span_take_pid(&s, &h->pid) || !span_take(&s, " ") || !span_take_pid(&s, &h->tid) ||
                !span_take(&s, " "))
                return false;
        h->comm = s;
        return comm_ok(s);
}

enum paste_head_kind paste_head_read(struct span text, struct paste_head *ret)
{
        static const struct {
                bool (*read)(struct span text, struct paste_head *h);
                enum paste_head_kind kind;
        } readers[] = {
                { head_new, HEAD_TASK },
                { head_report, HEAD_REPORT },
                { head_cpu, HEAD_CPU },
                { head_file, HEAD_FILE },
                { head_old, HEAD_TASK },
        };

        for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++) {
                struct paste_head h;

                head_init(&h);
                if (!readers[i].read(text, &h) || h.tid == 0)
                        continue;
                if (h.pid == 0)
                        h.pid = h.tid;
                h.kernel |= h.ppid == KTHREADD_PID || h.tid == KTHREADD_PID;
                *ret = h;
                return readers[i].kind;
        }
        return HEAD_NONE;
}

bool paste_blocker_read(struct span text, struct paste_blocker *ret)
{
        static const struct {
                const char *words, *kind;
        } locks[] = {
                { " blocked on a mutex likely ", "kernel-mutex" },
                { " blocked on a semaphore likely ", "kernel-semaphore" },
                { " blocked on an rw-semaphore likely ", "kernel-rwsem" },
        };
        struct paste_blocker b = { 0 };
        struct span s = text, waiter, owner;

        if (!span_take(&s, "INFO: task "))
                return false;
        for (size_t i = 0; i < sizeof(locks) / sizeof(*locks) && !b.kind; i++) {
                waiter = (struct span){ s.p, span_find(s, locks[i].words) };
                if (!waiter.end)
                        continue;
                b.kind = locks[i].kind;
                owner = (struct span){ waiter.end + strlen(locks[i].words), s.end };
        }
        if (!b.kind ||
                (!span_take(&owner, "owned by task ") && !span_take(&owner, "last held by task ")))
                return false;
        /* "NAME:PID is", "NAME:PID <writer>"; "NAME:PID." and "NAME:PID <reader>" */
        if (span_len(waiter) > 3 && memcmp(waiter.end - 3, " is", 3) == 0)
                waiter.end -= 3;
        while (span_len(waiter) && waiter.end[-1] == '>')
                take_last_word(&waiter);
        while (span_len(owner) && owner.end[-1] == '>')
                take_last_word(&owner);
        owner = span_trim(owner);
        if (span_len(owner) && owner.end[-1] == '.')
                owner.end--;
        if (!name_pid(waiter, &b.owner_comm, &b.waiter) ||
                !name_pid(owner, &b.owner_comm, &b.owner))
                return false;
        *ret = b;
        return true;
}

bool paste_release_read(struct span text, struct span *ret)
{
        struct span s = text;
        const char *tainted = span_find(s, "ainted"), *number;

        if (span_take(&s, "Linux version ")) {
                *ret = span_take_word(&s);
        } else {
                number = tainted ? span_find((struct span){ tainted, s.end }, " #") : NULL;
                if (!number)
                        return false;
                s = (struct span){ tainted, number };
                *ret = take_last_word(&s);
        }
        return span_len(*ret) > 2 && span_len(*ret) < 128 && *ret->p >= '0' && *ret->p <= '9';
}
