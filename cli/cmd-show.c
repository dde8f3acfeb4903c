/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verb show, and the default: one snapshot on stdout. On stderr what stdout has no
 * place for: targets that are not there, and with --raw what could not be read.
 */
#include "cmd-show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "options.h"
#include "picture.h"
#include "report.h"
#include "terminal.h"
#include "text.h"
#include "watch.h"

/*
 * JSON always gets its document, so that a script can tell "nothing" from "broken". That there is
 * no deadlock is an answer, too.
 */
static bool is_printed(const struct options *o, const struct pwhy_snapshot *s)
{
        return o->format == PWHY_JSON || o->deadlocks || pwhy_snapshot_count(s) > 0;
}

static enum status show_snapshot(const struct options *o, const struct pwhy_snapshot *s)
{
        struct pwhy_render how = { .format = o->format };
        bool printed = is_printed(o, s);

        if (o->format != PWHY_JSON && o->format != PWHY_RAW) {
                how.colour = terminal_wants_colour(o->colour);
                how.columns = terminal_columns();
        }
        if (printed) {
                int r = o->svg ? picture_write(s, &how) : pwhy_snapshot_render(s, stdout, &how);

                if (r >= 0 && fflush(stdout))
                        r = -errno;
                if (r == -ENOEXEC) /* it has been said why */
                        return STATUS_PARTLY;
                if (r < 0)
                        return ferror(stdout) ? report_output(-r) : report_stop(o, r);
        }
        report_unmatched(o, s, "pwhy: ", stderr);
        if ((pwhy_snapshot_count(s) == 0 && !o->deadlocks) || o->format == PWHY_DOT ||
                (o->format == PWHY_RAW && pwhy_snapshot_incomplete(s)))
                report_gaps(s, "pwhy: ", stderr);
        return report_status(o, s);
}

static enum status show_once(const struct options *o)
{
        struct pwhy_snapshot *s;
        enum status status;
        int r = pwhy_snapshot_take(o->query, &s);

        if (r < 0)
                return report_stop(o, r);
        status = show_snapshot(o, s);
        pwhy_snapshot_free(s);
        return status;
}

static enum status show_text(const struct options *o)
{
        struct pwhy_snapshot *s;
        enum status status;
        size_t len = 0;
        char *text = NULL;
        int r = text_read(o->text, &text, &len);

        if (r < 0)
                return report_text(o->text, r);
        r = pwhy_explain_text(o->query, text, len, &s);
        free(text);
        if (r < 0)
                return report_stop(o, r);
        status = show_snapshot(o, s);
        pwhy_snapshot_free(s);
        return status;
}

int cmd_show(int argc, char **argv)
{
        struct options o = { 0 };
        enum status status;
        int r = options_parse(argc, argv, &o);

        if (r < 0)
                return report_stop(&o, r);
        status = o.text ? show_text(&o) : o.watch_ns ? watch_run(&o) : show_once(&o);
        options_done(&o);
        return status;
}
