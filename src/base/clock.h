/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clocks, and durations as people write them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

int64_t clock_ns(clockid_t clock);

/* "2", "2s", "1.5s", "300ms", "5m", "5min", "2h", "1d", "1h30m"; -EINVAL, -ERANGE. */
int duration_parse(const char *text, int64_t *ret_ns);

/*
 * For people, at most two units: "350 ms", "4.2 s", "4 min 12 s", "3 h 7 min", "12 d 4 h".
 * Returns buffer.
 */
#define DURATION_MAX 48
const char *duration_format(char buffer[static DURATION_MAX], int64_t ns);
