/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sentences on stderr, and the exit status. A stop is always told with a remedy: whoever
 * runs pwhy has a hanging machine and no time for "Invalid argument".
 */
#include "report.h"

#include <errno.h>
#include <string.h>

#include "options.h"
#include "pwhy.h"

static const struct remedy {
        int error;
        const char *text;
} remedies[] = {
        { ENOMEM, "look at fewer processes: name them, or filter" },
        { EAGAIN, "the limit on processes is reached: see ulimit -u and the cgroup's pids.max" },
        { EMFILE, "the limit on open files is reached: see ulimit -n" },
        { ENFILE, "the machine's limit on open files is reached: see sysctl fs.file-max" },
        { EACCES, "a security policy is in the way: try sudo" },
        { EPERM, "a security policy is in the way: try sudo" },
        { ETIMEDOUT, "give it more time: --timeout 10s" },
};

static const char *find_remedy(int error)
{
        for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
                if (remedies[i].error == error)
                        return remedies[i].text;
        return "try again, with fewer targets";
}

enum status report_stop(const struct options *o, int error)
{
        bool no_tree = error == -ENOENT || error == -ENOTDIR;

        if (no_tree && !o->proc) {
                fprintf(stderr, "pwhy: cannot read /proc: %s; mount it: mount -t proc proc /proc\n",
                        strerror(-error));
                return STATUS_PARTLY;
        }
        if (o->proc && (no_tree || error == -EINVAL)) {
                fprintf(stderr,
                        "pwhy: cannot read %s: %s; --proc wants a directory laid out like /proc\n",
                        o->proc, strerror(-error));
                return STATUS_USAGE;
        }
        if (error == -EINVAL) {
                fprintf(stderr, "pwhy: cannot look for this: %s; see pwhy --help\n",
                        strerror(-error));
                return STATUS_USAGE;
        }
        fprintf(stderr, "pwhy: cannot look at the processes: %s; %s\n", strerror(-error),
                find_remedy(-error));
        return STATUS_PARTLY;
}

enum status report_text(const char *file, int error)
{
        bool input = strcmp(file, "-") == 0;

        fprintf(stderr, "pwhy: cannot read %s: %s; --explain-stack wants a file, or - for input\n",
                input ? "standard input" : file, strerror(-error));
        return error == -ENOMEM ? STATUS_PARTLY : STATUS_USAGE;
}

enum status report_output(int error)
{
        static bool told;

        if (!told && error != EPIPE)
                fprintf(stderr, "pwhy: cannot write the output: %s\n",
                        error ? strerror(error) : "a write failed");
        told = true;
        return STATUS_PARTLY;
}

void report_unmatched(
        const struct options *o, const struct pwhy_snapshot *s, const char *prefix, FILE *out)
{
        size_t n = pwhy_snapshot_unmatched(s);

        for (size_t i = 0; i < n; i++)
                fprintf(out, "%s%s\n", prefix, pwhy_snapshot_unmatched_text(s, i));
        /* Every target exists, but a filter let nothing through; or a filter alone. */
        if (n == 0 && !o->deadlocks && pwhy_snapshot_count(s) == 0 && pwhy_snapshot_gaps(s) == 0)
                fprintf(out, "%sno thread matches\n", prefix);
}

void report_gaps(const struct pwhy_snapshot *s, const char *prefix, FILE *out)
{
        size_t n = pwhy_snapshot_gaps(s);

        for (size_t i = 0; i < n; i++)
                fprintf(out, "%s%s\n", prefix, pwhy_snapshot_gap_text(s, i));
}

enum status report_status(const struct options *o, const struct pwhy_snapshot *s)
{
        if (pwhy_snapshot_deadlocks(s) > 0)
                return STATUS_DEADLOCK;
        /*
         * Nothing, because what was asked for could not be looked at, is not "nothing matches".
         * That nothing is deadlocked is what one hopes to be shown.
         */
        if (pwhy_snapshot_count(s) == 0 && !o->deadlocks)
                return pwhy_snapshot_blind(s) ? STATUS_PARTLY : STATUS_NOTHING;
        if (pwhy_snapshot_incomplete(s) || pwhy_snapshot_unmatched(s) > 0 ||
                (o->deadlocks && !pwhy_snapshot_deadlocks_known(s)))
                return STATUS_PARTLY;
        return STATUS_SHOWN;
}
