/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command pwhy: a table of verbs. The first argument names one; without, it is show,
 * since "pwhy 4242" is what people type when something hangs. A process that bears a verb's
 * name is reached with "pwhy show NAME" or "pwhy -- NAME".
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd-show.h"
#include "report.h"

static const struct verb {
        const char *name;
        int (*run)(int argc, char **argv);
} verbs[] = {
        { "show", cmd_show }, /* the default */
};

/* Ten thousand stacks in a few writes. */
static char output_buffer[1 << 16];

/*
 * Output that did not arrive (a full disk, a closed stream) must not look like success;
 * argp's --help ends here too. A reader that has seen enough is no error to talk about.
 */
static void close_output(void)
{
        bool failed = ferror(stdout);

        errno = 0;
        if (fclose(stdout) != 0 || failed)
                _exit(report_output(errno));
}

int main(int argc, char **argv)
{
        const struct verb *verb = &verbs[0];

        setvbuf(stdout, output_buffer, _IOFBF, sizeof(output_buffer));
        atexit(close_output);
        for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
                if (strcmp(argv[1], verbs[i].name))
                        continue;
                verb = &verbs[i];
                argv[1] = argv[0];
                argc--, argv++;
                break;
        }
        return verb->run(argc, argv);
}
