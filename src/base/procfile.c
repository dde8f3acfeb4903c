/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The per-process files of proc(5), to numbers.
 *
 * Enters: the text of one file, in which a process has a say only through its name. Leaves:
 * a struct, and only when the file makes sense. What the kernel that wrote it does not
 * tell, or tells as a number that cannot be, is left as not told. Lines and fields count
 * only when what ends them is there, so that no number is taken from a text that was cut.
 */
#include "base/procfile.h"

#include <limits.h>
#include <string.h>

/*
 * The name in the first line of "sched" is not escaped and may hold newlines. The line below
 * it has 57 dashes or more, which no name (TASK_COMM_LEN is 16) can forge.
 */
#define SCHED_DASHES_MIN 32

struct cursor {
        const char *p;
        const char *end;
};

static bool char_is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\r';
}

static void cursor_skip_blanks(struct cursor *c)
{
        while (c->p < c->end && char_is_blank(*c->p))
                c->p++;
}

static bool cursor_take(struct cursor *c, const char *token)
{
        size_t n = strlen(token);

        if ((size_t)(c->end - c->p) < n || memcmp(c->p, token, n) != 0)
                return false;
        c->p += n;
        return true;
}

/* Unsigned digits that fit 64 bits; on false the cursor may have moved. */
static bool cursor_take_u64(struct cursor *c, unsigned base, uint64_t *ret)
{
        const char *start = c->p;
        uint64_t value = 0;

        for (; c->p < c->end; c->p++) {
                unsigned char ch = (unsigned char)*c->p;
                unsigned digit = base;

                if (ch >= '0' && ch <= '9')
                        digit = ch - '0';
                else if (base == 16 && (ch | 0x20) >= 'a' && (ch | 0x20) <= 'f')
                        digit = (ch | 0x20) - 'a' + 10;
                if (digit >= base)
                        break;
                if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
                        __builtin_add_overflow(value, (uint64_t)digit, &value))
                        return false;
        }
        if (c->p == start)
                return false;
        *ret = value;
        return true;
}

/* A number, the blanks before it, and the blank or end of text after it. */
static bool cursor_take_field(struct cursor *c, unsigned base, uint64_t *ret)
{
        cursor_skip_blanks(c);
        return cursor_take_u64(c, base, ret) && (c->p == c->end || char_is_blank(*c->p));
}

static bool cursor_take_pid(struct cursor *c, pid_t *ret)
{
        uint64_t value;

        if (!cursor_take_field(c, 10, &value) || value > INT_MAX)
                return false;
        *ret = (pid_t)value;
        return true;
}

/* Is nothing left but blanks? */
static bool cursor_at_end(struct cursor c)
{
        cursor_skip_blanks(&c);
        return c.p == c.end;
}

/* The next line that has its newline, without it. */
static bool text_next_line(struct cursor *text, struct cursor *ret_line)
{
        const char *newline;

        if (text->p == text->end)
                return false;
        newline = memchr(text->p, '\n', (size_t)(text->end - text->p));
        if (!newline)
                return false;
        *ret_line = (struct cursor){ text->p, newline };
        text->p = newline + 1;
        return true;
}

/* "4242 (comm", up to the last parenthesis: the name may hold some, and newlines. */
static bool stat_take_comm(struct cursor *c, struct procfile_stat *s)
{
        const char *close;
        uint64_t pid;

        if (!cursor_take_u64(c, 10, &pid) || !cursor_take(c, " ("))
                return false;
        close = memrchr(c->p, ')', (size_t)(c->end - c->p));
        if (!close || memchr(c->p, '\0', (size_t)(close - c->p)))
                return false;

        s->comm_len = (size_t)(close - c->p);
        if (s->comm_len > COMM_MAX) /* longer than any kernel's */
                s->comm_len = COMM_MAX;
        memcpy(s->comm, c->p, s->comm_len);
        s->comm[s->comm_len] = '\0';
        c->p = close + 1;
        return true;
}

/* Take note of a field, by its number in proc(5). */
static bool stat_set_field(struct procfile_stat *s, unsigned number, bool negative, uint64_t value)
{
        switch (number) {
        case 4:
                if (negative || value > INT_MAX)
                        return false;
                s->ppid = (pid_t)value;
                return true;
        case 5:
                if (!negative && value <= INT_MAX)
                        s->group = (pid_t)value;
                return true;
        case 20:
                if (!negative && value <= UINT_MAX)
                        s->n_threads = (unsigned)value;
                return true;
        case 9:
                if (negative || value > UINT32_MAX)
                        return false;
                s->flags = (uint32_t)value;
                return true;
        case 14:
                s->utime = value;
                return !negative;
        case 15:
                s->stime = value;
                return !negative;
        case 22:
                s->start_time = value;
                return !negative;
        case 38:
                if (!negative && value <= 64)
                        s->exit_signal = (int)value;
                return true;
        case 39:
                if (!negative && value <= INT_MAX)
                        s->cpu = (int)value;
                return true;
        default:
                return true;
        }
}

/*
 * "4242 (accept.out) S 1 4242 4242 0 -1 4194304 113 0 0 0 7 9 0 0 20 0 1 0 140849 …":
 * after the name a letter and numbers only, of which 22 are there on every kernel.
 */
int procfile_stat(const char *text, size_t len, struct procfile_stat *ret)
{
        struct procfile_stat s = { .cpu = -1 };
        struct cursor c = { text, text + len };
        unsigned number;

        if (!stat_take_comm(&c, &s))
                return 0;
        if (c.end - c.p < 3 || c.p[0] != ' ' || c.p[2] != ' ')
                return 0;
        s.state = c.p[1];
        if (!(s.state >= 'A' && s.state <= 'Z') && !(s.state >= 'a' && s.state <= 'z'))
                return 0;
        c.p += 3;

        for (number = 4; number <= 39; number++) {
                bool negative;
                uint64_t value;

                cursor_skip_blanks(&c);
                negative = cursor_take(&c, "-");
                if (!cursor_take_u64(&c, 10, &value))
                        break;
                if (c.p == c.end || (!char_is_blank(*c.p) && *c.p != '\n'))
                        break;
                if (!stat_set_field(&s, number, negative, value))
                        return 0;
        }
        if (number <= 22)
                return 0;
        *ret = s;
        return 1;
}

/* "  1408108.233702": milliseconds with six decimals. Below zero it tells nothing. */
static bool sched_take_ns(struct cursor c, uint64_t *ret)
{
        uint64_t ms;
        uint64_t ns;
        const char *decimals;

        cursor_skip_blanks(&c);
        if (!cursor_take_u64(&c, 10, &ms) || !cursor_take(&c, "."))
                return false;
        decimals = c.p;
        if (!cursor_take_u64(&c, 10, &ns) || c.p - decimals != 6 || !cursor_at_end(c))
                return false;
        return !__builtin_mul_overflow(ms, UINT64_C(1000000), &ms) &&
               !__builtin_add_overflow(ms, ns, ret);
}

/* "nr_switches                       :          42", of one name; the value is left. */
static bool sched_take_key(struct cursor *c, const char *key)
{
        if (!cursor_take(c, key))
                return false;
        cursor_skip_blanks(c);
        return cursor_take(c, ":");
}

static bool line_is_dashes(struct cursor line)
{
        const char *start = line.p;

        while (line.p < line.end && *line.p == '-')
                line.p++;
        return line.p - start >= SCHED_DASHES_MIN && cursor_at_end(line);
}

int procfile_sched(const char *text, size_t len, struct procfile_sched *ret)
{
        struct procfile_sched s = { 0 };
        struct cursor rest = { text, text + len };
        struct cursor line;
        bool in_fields = false;

        while (text_next_line(&rest, &line)) {
                uint64_t value;

                if (!in_fields) {
                        in_fields = line_is_dashes(line);
                        continue;
                }
                if (sched_take_key(&line, "se.exec_start")) {
                        if (sched_take_ns(line, &value)) {
                                s.has_exec_start = true;
                                s.exec_start_ns = value;
                        }
                } else if (sched_take_key(&line, "nr_switches")) {
                        if (cursor_take_field(&line, 10, &value) && cursor_at_end(line)) {
                                s.has_switches = true;
                                s.switches = value;
                        }
                }
        }
        if (!s.has_exec_start && !s.has_switches)
                return 0;
        *ret = s;
        return 1;
}

struct status_switches { /* both, or the sum is not told */
        bool has_voluntary, has_involuntary;
        uint64_t voluntary, involuntary;
};

/* "SigPnd:\t0000000000000000", and so on; complete with the last of them, SigCgt. */
static bool status_take_signals(struct cursor *c, struct procfile_status *s)
{
        uint64_t *set, value;
        bool last = false;

        if (cursor_take(c, "SigPnd:") || cursor_take(c, "ShdPnd:"))
                set = &s->sig_pending;
        else if (cursor_take(c, "SigBlk:"))
                set = &s->sig_blocked;
        else if (cursor_take(c, "SigIgn:"))
                set = &s->sig_ignored;
        else if ((last = cursor_take(c, "SigCgt:")))
                set = &s->sig_caught;
        else
                return false;
        if (cursor_take_field(c, 16, &value) && cursor_at_end(*c)) {
                *set |= value;
                s->has_signals |= last;
        }
        return true;
}

/* "Tgid:\t4242"; "Uid:\t1000\t1000\t1000\t1000"; "NSpid:\t4242\t17\t1" … */
static void status_take_line(
        struct cursor c, struct procfile_status *s, struct status_switches *switches)
{
        uint64_t value;
        pid_t pid;

        if (cursor_take(&c, "Tgid:")) {
                if (cursor_take_pid(&c, &pid) && cursor_at_end(c))
                        s->tgid = pid;
        } else if (cursor_take(&c, "TracerPid:")) {
                if (cursor_take_pid(&c, &pid) && cursor_at_end(c))
                        s->tracer = pid;
        } else if (cursor_take(&c, "Uid:")) { /* real, effective, saved, file system */
                if (cursor_take_field(&c, 10, &value) && cursor_take_field(&c, 10, &value) &&
                        value <= UINT32_MAX) {
                        s->has_uid = true;
                        s->uid = (uid_t)value;
                }
        } else if (cursor_take(&c, "NSpid:")) { /* from the reader's namespace inwards */
                while (cursor_take_pid(&c, &pid))
                        if (cursor_at_end(c))
                                s->inner_pid = pid;
        } else if (cursor_take(&c, "CapEff:")) {
                if (cursor_take_field(&c, 16, &value) && cursor_at_end(c))
                        s->cap_eff = value;
        } else if (status_take_signals(&c, s)) {
                ;
        } else if (cursor_take(&c, "voluntary_ctxt_switches:")) {
                if (cursor_take_field(&c, 10, &value) && cursor_at_end(c)) {
                        switches->has_voluntary = true;
                        switches->voluntary = value;
                }
        } else if (cursor_take(&c, "nonvoluntary_ctxt_switches:")) {
                if (cursor_take_field(&c, 10, &value) && cursor_at_end(c)) {
                        switches->has_involuntary = true;
                        switches->involuntary = value;
                }
        }
}

int procfile_status(const char *text, size_t len, struct procfile_status *ret)
{
        struct procfile_status s = { 0 };
        struct status_switches switches = { 0 };
        struct cursor rest = { text, text + len };
        struct cursor line;

        while (text_next_line(&rest, &line)) {
                /*
                 * The kernel escapes newlines in the name. Should one not, what the name
                 * forged comes before the true "State:" line, and all else after it.
                 */
                if (cursor_take(&line, "State:")) {
                        s = (struct procfile_status){ 0 };
                        switches = (struct status_switches){ 0 };
                        continue;
                }
                status_take_line(line, &s, &switches);
        }
        if (s.tgid <= 0)
                return 0;
        s.has_switches =
                switches.has_voluntary && switches.has_involuntary &&
                !__builtin_add_overflow(switches.voluntary, switches.involuntary, &s.switches);
        *ret = s;
        return 1;
}

static bool syscall_take_word(struct cursor *c, uint64_t *ret)
{
        cursor_skip_blanks(c);
        return cursor_take(c, "0x") && cursor_take_u64(c, 16, ret);
}

/*
 * "running"; "-1 0xSP 0xPC" when blocked outside a system call; "202 0x… (six arguments)
 * 0xSP 0xPC" inside one.
 */
int procfile_syscall(const char *text, size_t len, struct procfile_syscall *ret)
{
        struct procfile_syscall s = { .state = SYSCALL_INSIDE };
        struct cursor c = { text, text + len };
        bool negative;
        uint64_t nr;

        if (len > 0 && text[len - 1] == '\n')
                c.end--;
        if (cursor_take(&c, "running")) {
                s = (struct procfile_syscall){ .state = SYSCALL_RUNNING, .nr = -1 };
                if (!cursor_at_end(c))
                        return 0;
                *ret = s;
                return 1;
        }

        negative = cursor_take(&c, "-");
        if (!cursor_take_field(&c, 10, &nr) || nr > INT_MAX)
                return 0;
        s.nr = negative ? -(long)nr : (long)nr;
        if (s.nr < 0)
                s.state = SYSCALL_OUTSIDE;
        else
                for (unsigned i = 0; i < 6; i++)
                        if (!syscall_take_word(&c, &s.args[i]))
                                return 0;
        if (!syscall_take_word(&c, &s.sp) || !syscall_take_word(&c, &s.pc) || !cursor_at_end(c))
                return 0;

        /* A pc of 0 follows no system call instruction: a kernel thread, with zeroed registers. */
        if (s.sp == 0 && s.pc == 0) {
                s.state = SYSCALL_OUTSIDE;
                s.nr = -1;
        }
        *ret = s;
        return 1;
}
