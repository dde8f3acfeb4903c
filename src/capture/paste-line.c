/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line of a log, without its prefixes.
 *
 * Loggers stack them: syslog's date and host before the kernel's own time, a level before
 * both, grep's file name before all. Each is recognised by its whole shape and taken off until
 * none is left; what looks different is part of the message. Dates without a time zone are
 * not dates that could be compared with anything, so only the others are kept.
 */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "capture/paste-parts.h"

#define PREFIXES_MAX 8

static bool char_is_blank(char c)
{
        return c == ' ' || c == '\t';
}

static bool char_is_digit(char c)
{
        return c >= '0' && c <= '9';
}

void span_skip_blanks(struct span *s)
{
        while (s->p < s->end && char_is_blank(*s->p))
                s->p++;
}

struct span span_trim(struct span s)
{
        span_skip_blanks(&s);
        while (s.end > s.p && (char_is_blank(s.end[-1]) || s.end[-1] == '\r'))
                s.end--;
        return s;
}

bool span_begins(struct span s, const char *token)
{
        size_t n = strlen(token);

        return span_len(s) >= n && memcmp(s.p, token, n) == 0;
}

bool span_take(struct span *s, const char *token)
{
        if (!span_begins(*s, token))
                return false;
        s->p += strlen(token);
        return true;
}

const char *span_find(struct span s, const char *token)
{
        return memmem(s.p, span_len(s), token, strlen(token));
}

bool span_take_number(struct span *s, int64_t *ret)
{
        const char *p = s->p;
        int64_t value = 0;

        for (; p < s->end && char_is_digit(*p) && p - s->p < 18; p++)
                value = value * 10 + (*p - '0');
        if (p == s->p || (p < s->end && char_is_digit(*p)))
                return false;
        s->p = p;
        *ret = value;
        return true;
}

bool span_take_pid(struct span *s, pid_t *ret)
{
        struct span before = *s;
        int64_t value;

        if (!span_take_number(s, &value))
                return false;
        if (value > INT32_MAX) {
                *s = before;
                return false;
        }
        *ret = (pid_t)value;
        return true;
}

bool span_take_hex(struct span *s, uint64_t *ret)
{
        const char *p = s->p;
        uint64_t value = 0;

        for (; p < s->end && p - s->p < 16; p++) {
                char c = (char)(*p | 0x20);

                if (char_is_digit(*p))
                        value = value << 4 | (unsigned)(*p - '0');
                else if (c >= 'a' && c <= 'f')
                        value = value << 4 | (unsigned)(c - 'a' + 10);
                else
                        break;
        }
        if (p == s->p)
                return false;
        s->p = p;
        *ret = value;
        return true;
}

struct span span_take_word(struct span *s)
{
        struct span word;

        span_skip_blanks(s);
        word.p = s->p;
        while (s->p < s->end && !char_is_blank(*s->p))
                s->p++;
        word.end = s->p;
        return word;
}

/* "04:50:00", "04:50:00.123456" or with a comma; *ret in ns of the day. */
static bool take_time(struct span *s, int64_t *ret_ns)
{
        int64_t part[3], ns = 0, unit = NS_PER_S / 10;

        for (int i = 0; i < 3; i++) {
                const char *start = s->p;

                if (!span_take_number(s, &part[i]) || s->p - start != 2 ||
                        (i < 2 && !span_take(s, ":")))
                        return false;
        }
        if (s->p < s->end && (*s->p == '.' || *s->p == ','))
                for (s->p++; s->p < s->end && char_is_digit(*s->p); s->p++, unit /= 10)
                        ns += unit * (*s->p - '0');
        *ret_ns = (part[0] * 3600 + part[1] * 60 + part[2]) * NS_PER_S + ns;
        return true;
}

/* "Z", "+01:00", "+0100"; *ret in seconds. */
static bool take_zone(struct span *s, int64_t *ret)
{
        bool west = span_begins(*s, "-");
        int64_t hours, minutes = 0;
        const char *start;

        if (span_take(s, "Z")) {
                *ret = 0;
                return true;
        }
        if (!west && !span_begins(*s, "+"))
                return false;
        start = ++s->p;
        if (!span_take_number(s, &hours))
                return false;
        if (s->p - start == 4) {
                minutes = hours % 100;
                hours /= 100;
        } else if (span_take(s, ":") && !span_take_number(s, &minutes)) {
                return false;
        }
        if (hours > 23 || minutes > 59)
                return false;
        *ret = (hours * 60 + minutes) * (west ? -60 : 60);
        return true;
}

/* "2026-11-23T04:50:00.123456+00:00 " */
static bool take_iso_date(struct span *s, struct paste_line *l)
{
        struct span c = *s;
        int64_t year, month, day, time_ns, zone;
        struct tm tm = { 0 };

        if (!span_take_number(&c, &year) || c.p - s->p != 4 || !span_take(&c, "-") ||
                !span_take_number(&c, &month) || !span_take(&c, "-") ||
                !span_take_number(&c, &day) || (!span_take(&c, "T") && !span_take(&c, " ")) ||
                !take_time(&c, &time_ns) || month < 1 || month > 12 || day < 1 || day > 31)
                return false;
        if (take_zone(&c, &zone)) {
                tm.tm_year = (int)year - 1900;
                tm.tm_mon = (int)month - 1;
                tm.tm_mday = (int)day;
                if (year >= 1970 && year < 2200)
                        l->realtime_ns = (timegm(&tm) - zone) * NS_PER_S + time_ns;
        }
        if (c.p < c.end && !char_is_blank(*c.p))
                return false;
        *s = c;
        return true;
}

static bool take_name(struct span *s, const char *names)
{
        for (; *names; names += 3) {
                if (span_len(*s) >= 3 && memcmp(s->p, names, 3) == 0) {
                        s->p += 3;
                        return true;
                }
        }
        return false;
}

/* "Nov 23 04:50:00 ", with a weekday or a year where dmesg or journalctl prints one. */
static bool take_date(struct span *s)
{
        struct span c = *s;
        int64_t number;

        if (take_name(&c, "MonTueWedThuFriSatSun"))
                span_skip_blanks(&c);
        if (!take_name(&c, "JanFebMarAprMayJunJulAugSepOctNovDec") || !span_begins(c, " "))
                return false;
        span_skip_blanks(&c);
        if (!span_take_number(&c, &number))
                return false;
        span_skip_blanks(&c);
        if (!take_time(&c, &number))
                return false;
        *s = c;
        return true;
}

/* "[Mon Nov 23 04:50:00 2026]" */
static bool take_bracket_date(struct span *s)
{
        struct span c = *s;
        int64_t year;

        if (!span_take(&c, "[") || !take_date(&c))
                return false;
        span_skip_blanks(&c);
        if (!span_take_number(&c, &year) || !span_take(&c, "]"))
                return false;
        *s = c;
        return true;
}

/* "[12345.678901]", "[    0.000001 <    0.000001>]"; an address, "[<0>]", is none. */
static bool take_uptime(struct span *s)
{
        struct span c = *s;
        bool dot = false;

        if (!span_take(&c, "["))
                return false;
        span_skip_blanks(&c);
        if (c.p == c.end || !(char_is_digit(*c.p) || *c.p == '+'))
                return false;
        for (; c.p < c.end && *c.p != ']'; c.p++) {
                dot |= *c.p == '.';
                if (!char_is_digit(*c.p) && !strchr(".,<>+@ ", *c.p))
                        return false;
        }
        if (!dot || !span_take(&c, "]"))
                return false;
        *s = c;
        return true;
}

/* "[  T123]", "[    C0]", "[ T1234@3]" */
static bool take_caller(struct span *s, struct paste_line *l)
{
        struct span c = *s;
        int64_t number;
        char kind;

        if (!span_take(&c, "["))
                return false;
        span_skip_blanks(&c);
        if (c.p == c.end || (*c.p != 'T' && *c.p != 'C'))
                return false;
        kind = *c.p++;
        if (!span_take_number(&c, &number) || number > UINT32_MAX || !span_take(&c, "]"))
                return false;
        l->caller = (uint64_t)(unsigned char)kind << 32 | (uint64_t)number;
        *s = c;
        return true;
}

/* "<4>" */
static bool take_level(struct span *s)
{
        struct span c = *s;
        int64_t level;

        if (!span_take(&c, "<") || !span_take_number(&c, &level) || level > 191 ||
                !span_take(&c, ">"))
                return false;
        *s = c;
        return true;
}

/* "kern  :err   : " of dmesg -x */
static bool take_facility(struct span *s)
{
        struct span c = *s;

        if (!span_take(&c, "kern"))
                return false;
        span_skip_blanks(&c);
        if (!span_take(&c, ":"))
                return false;
        while (c.p < c.end && *c.p >= 'a' && *c.p <= 'z')
                c.p++;
        span_skip_blanks(&c);
        if (!span_take(&c, ":"))
                return false;
        *s = c;
        return true;
}

/*
 * "host kernel: ", "kernel: " behind a date. A word with a number, "sshd[12]:", is another
 * program's; behind dates of syslog every other word is, while dmesg has no tag at all.
 */
static bool take_tag(struct span *s, struct paste_line *l, bool always)
{
        struct span c = *s, first, second;

        span_skip_blanks(&c);
        if (span_take(&c, "kernel:")) {
                *s = c;
                return true;
        }
        first = span_take_word(&c);
        span_skip_blanks(&c);
        if (span_take(&c, "kernel:")) {
                l->host = first;
                *s = c;
                return true;
        }
        second = span_take_word(&c);
        l->foreign |=
                always || (span_len(second) > 2 && second.end[-1] == ':' && second.end[-2] == ']');
        return false;
}

/* "/proc/123/stack:", "/proc/123/task/456/stack:", also without the /proc/ */
static bool take_path(struct span *s, struct paste_line *l)
{
        struct span c = *s;
        pid_t pid, tid;

        span_take(&c, "/proc/");
        if (!span_take_pid(&c, &pid) || pid == 0 || !span_take(&c, "/"))
                return false;
        tid = pid;
        if (span_take(&c, "task/") && (!span_take_pid(&c, &tid) || !span_take(&c, "/")))
                return false;
        if (!span_take(&c, "stack:"))
                return false;
        l->pid = pid;
        l->tid = tid;
        *s = c;
        return true;
}

void paste_line_read(struct span line, struct paste_line *ret)
{
        struct paste_line l = { 0 };
        struct span s = span_trim(line);

        while (span_begins(s, "> ")) { /* quoted in a mail */
                s.p += 2;
                s = span_trim(s);
        }
        for (int i = 0; i < PREFIXES_MAX; i++) {
                const char *start = s.p;

                if (take_date(&s))
                        take_tag(&s, &l, true);
                else if (take_iso_date(&s, &l) || take_uptime(&s) || take_bracket_date(&s))
                        take_tag(&s, &l, false);
                else if (!take_level(&s) && !take_caller(&s, &l) && !take_facility(&s) &&
                         !(i == 0 && take_path(&s, &l)))
                        break;
                l.logged |= !l.pid;
                span_skip_blanks(&s);
                if (s.p == start)
                        break;
        }
        l.text = s;
        *ret = l;
}
