/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Properties of the terminal on stdout. No terminfo: colours, clearing and the alternate
 * screen are the same on everything since the VT220 that is not "dumb".
 */
#include "terminal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool terminal_is_capable(void)
{
        const char *term = getenv("TERM");

        return term && *term && strcmp(term, "dumb") && isatty(STDOUT_FILENO);
}

bool terminal_wants_colour(enum colour colour)
{
        /* https://no-color.org: any value but an empty one. An option outranks it. */
        const char *no_color = getenv("NO_COLOR");

        if (colour != COLOUR_AUTO)
                return colour == COLOUR_ALWAYS;
        return !(no_color && *no_color) && terminal_is_capable();
}

/* The size as a variable, for terminals that do not tell (serial lines say 0 by 0). */
static unsigned read_variable(const char *name)
{
        const char *text = getenv(name);
        char *end;
        unsigned long value;

        if (!text || *text < '0' || *text > '9')
                return 0;
        value = strtoul(text, &end, 10);
        return *end || value > USHRT_MAX ? 0 : (unsigned)value;
}

unsigned terminal_columns(void)
{
        struct winsize size = { 0 };

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
                return size.ws_col;
        /* Of a pipe as well: whoever exports it wants lines that long, as for ps(1) and a pager. */
        return read_variable("COLUMNS");
}

unsigned terminal_rows(void)
{
        struct winsize size = { 0 };

        if (!isatty(STDOUT_FILENO))
                return 0;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row)
                return size.ws_row;
        return read_variable("LINES");
}
