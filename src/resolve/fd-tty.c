/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Terminals: character devices with a terminal's name (Documentation/admin-guide/devices.txt). */
#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "model.h"
#include "resolve/kinds.h"

static bool tty_match(const struct fd_view *v)
{
        static const char *const exact[] = { "/dev/tty", "/dev/console", "/dev/ptmx",
                "/dev/pts/ptmx" };
        static const char *const numbered[] = { "/dev/pts/", "/dev/tty", "/dev/ttyS", "/dev/ttyUSB",
                "/dev/ttyACM", "/dev/ttyAMA", "/dev/hvc" };

        if (v->mode && v->mode != S_IFCHR)
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(exact); i++)
                if (strcmp(v->link, exact[i]) == 0)
                        return true;
        for (size_t i = 0; i < ARRAY_SIZE(numbered); i++) {
                size_t len = strlen(numbered[i]);

                if (strncmp(v->link, numbered[i], len) == 0 && isdigit((unsigned char)v->link[len]))
                        return true;
        }
        return false;
}

static void tty_parse(const struct fd_view *v, struct object *o)
{
        o->path = arena_str(v->arena, v->link);
}

const struct fd_kind fd_kind_tty = { "tty", tty_match, tty_parse };
