/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Durations by hand, because strtod() would follow the locale and round: "1.5s" means the
 * same everywhere. What duration_format() writes, duration_parse() reads.
 */
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define NS_PER_MIN (60 * NS_PER_S)
#define NS_PER_H (60 * NS_PER_MIN)
#define NS_PER_D (24 * NS_PER_H)

int64_t clock_ns(clockid_t clock)
{
        struct timespec ts;

        if (clock_gettime(clock, &ts) < 0)
                return 0;
        return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static const struct unit {
        const char *name;
        int64_t ns;
} units[] = {
        { "ns", 1 },
        { "us", 1000 },
        { "µs", 1000 },
        { "ms", NS_PER_MS },
        { "s", NS_PER_S },
        { "sec", NS_PER_S },
        { "m", NS_PER_MIN },
        { "min", NS_PER_MIN },
        { "h", NS_PER_H },
        { "d", NS_PER_D },
};

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

static const char *skip_spaces(const char *s)
{
        return s + strspn(s, " ");
}

static int64_t unit_find(const char *name, size_t len)
{
        for (size_t i = 0; i < ARRAY_SIZE(units); i++)
                if (strlen(units[i].name) == len && memcmp(units[i].name, name, len) == 0)
                        return units[i].ns;
        return 0;
}

/* whole.fraction × unit, added to *sum. Digits of the fraction below one nanosecond are cut. */
static int duration_add(
        const char *whole, const char *whole_end, const char *fraction, int64_t unit, int64_t *sum)
{
        int64_t value = 0;

        for (const char *s = whole; s < whole_end; s++)
                if (__builtin_mul_overflow(value, 10, &value) ||
                        __builtin_add_overflow(value, *s - '0', &value))
                        return -ERANGE;
        if (__builtin_mul_overflow(value, unit, &value))
                return -ERANGE;
        for (int64_t scale = unit / 10; scale > 0 && is_digit(*fraction); scale /= 10)
                if (__builtin_add_overflow(value, scale * (*fraction++ - '0'), &value))
                        return -ERANGE;
        return __builtin_add_overflow(*sum, value, sum) ? -ERANGE : 0;
}

int duration_parse(const char *text, int64_t *ret_ns)
{
        const char *s = skip_spaces(text);
        int64_t sum = 0;
        bool first = true;

        do {
                const char *whole = s, *whole_end, *fraction = "";
                while (is_digit(*s))
                        s++;
                whole_end = s;
                if (*s == '.') {
                        fraction = ++s;
                        while (is_digit(*s))
                                s++;
                }
                if (whole_end == whole && !is_digit(*fraction))
                        return -EINVAL;

                s = skip_spaces(s);
                size_t len = strcspn(s, " .0123456789");
                int64_t unit = unit_find(s, len);
                /* A bare number is in seconds, but in "1h30" nobody knows. */
                if (len == 0 && first && *s == '\0')
                        unit = NS_PER_S;
                if (unit == 0)
                        return -EINVAL;

                int r = duration_add(whole, whole_end, fraction, unit, &sum);
                if (r < 0)
                        return r;
                s = skip_spaces(s + len);
                first = false;
        } while (*s != '\0');

        *ret_ns = sum;
        return 0;
}

const char *duration_format(char buffer[static DURATION_MAX], int64_t ns)
{
        static const struct {
                int64_t ns, part_ns;
                const char *name, *part_name;
        } scales[] = {
                { NS_PER_D, NS_PER_H, "d", "h" },
                { NS_PER_H, NS_PER_MIN, "h", "min" },
                { NS_PER_MIN, NS_PER_S, "min", "s" },
        };
        const char *sign = ns < 0 ? "-" : "";
        uint64_t left = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;

        /* Always cut, never rounded: 59.97 s must not become "60.0 s". */
        for (size_t i = 0; i < ARRAY_SIZE(scales); i++) {
                uint64_t whole = left / (uint64_t)scales[i].ns;
                uint64_t part = left % (uint64_t)scales[i].ns / (uint64_t)scales[i].part_ns;
                if (whole == 0)
                        continue;
                int n = snprintf(
                        buffer, DURATION_MAX, "%s%" PRIu64 " %s", sign, whole, scales[i].name);
                if (part > 0)
                        snprintf(buffer + n, DURATION_MAX - (size_t)n, " %" PRIu64 " %s", part,
                                scales[i].part_name);
                return buffer;
        }

        uint64_t tenths = left / (uint64_t)(NS_PER_S / 10);
        uint64_t ms = left / (uint64_t)NS_PER_MS;
        if (tenths >= 10 && tenths % 10 > 0)
                snprintf(buffer, DURATION_MAX, "%s%" PRIu64 ".%" PRIu64 " s", sign, tenths / 10,
                        tenths % 10);
        else if (tenths >= 10)
                snprintf(buffer, DURATION_MAX, "%s%" PRIu64 " s", sign, tenths / 10);
        else if (ms > 0 || left == 0)
                snprintf(buffer, DURATION_MAX, "%s%" PRIu64 " ms", sign, ms);
        else
                snprintf(buffer, DURATION_MAX, "%s<1 ms", sign);
        return buffer;
}
