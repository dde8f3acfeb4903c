/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a line of /proc/PID/maps, and of a perf map. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/perfmap.h"
#include "unwind/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
        if (!condition)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *line = strndup((const char *)data, size);
        uint64_t start, length;
        const char *symbol;
        struct map map;

        if (!line)
                return 0;
        if (perfmap_parse(line, &start, &length, &symbol) == 0)
                require(length > 0 && start + length >= start && symbol > line && *symbol);
        if (map_parse(line, &map) >= 0)
                require(map.start < map.end && map.name > line && strlen(map.name) < size);
        free(line);
        return 0;
}
