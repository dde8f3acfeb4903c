/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --watch. On a terminal, text is drawn in place on the alternate screen; into a pipe or a
 * file, snapshots follow each other, each under a line with the time. JSON is one document
 * a line, without anything between.
 *
 * The signals that end it are blocked all the time and taken while waiting for the next
 * look: a look or a drawing is always whole, no handler is needed, and the screen is put
 * right on every way out. A look is bounded by --timeout, and so is the delay.
 */
#include "watch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "terminal.h"

/* Alternate screen, no cursor, no automatic wrap (a line too long must not cost a row). */
#define SCREEN_ENTER "\033[?1049h\033[?25l\033[?7l"
#define SCREEN_LEAVE "\033[0m\033[?7h\033[?25h\033[?1049l"
#define SCREEN_HOME "\033[H"
#define SCREEN_REST_OF_LINE "\033[0m\033[K"
#define SCREEN_REST "\033[J"

struct watch {
        const struct options *options;
        bool screen;
        sigset_t signals, old_signals;
        struct pwhy_capture *capture;
        struct pwhy_snapshot *now, *before;
        time_t taken_at;
};

/* Signals that the caller had ignored (nohup, a background job) stay ignored. */
static void watch_block_signals(struct watch *w)
{
        static const int wanted[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
        static const int screen_wanted[] = { SIGWINCH, SIGTSTP };
        struct sigaction action;

        sigemptyset(&w->signals);
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
                if (sigaction(wanted[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
                        sigaddset(&w->signals, wanted[i]);
        for (size_t i = 0; w->screen && i < sizeof(screen_wanted) / sizeof(screen_wanted[0]); i++)
                if (sigaction(screen_wanted[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
                        sigaddset(&w->signals, screen_wanted[i]);
        sigprocmask(SIG_BLOCK, &w->signals, &w->old_signals);
}

static int screen_write(const char *sequence)
{
        if (fputs(sequence, stdout) == EOF || fflush(stdout))
                return -errno;
        return 0;
}

/* One frame as lines that erase what was there, cut at the last row. */
static int screen_draw(char *text, unsigned rows)
{
        size_t lines = 0, hidden = 0;

        fputs(SCREEN_HOME, stdout);
        for (char *line = text, *end; *line; line = end + 1, lines++) {
                end = strchrnul(line, '\n');
                /* The last row stays free for the count of what did not fit. */
                if (rows && lines + 1 >= rows)
                        hidden++;
                else
                        fprintf(stdout, "%.*s" SCREEN_REST_OF_LINE "\n", (int)(end - line), line);
                if (!*end)
                        break;
        }
        if (hidden)
                fprintf(stdout, "… %zu more lines: enlarge the window, or filter", hidden);
        return screen_write(SCREEN_REST_OF_LINE SCREEN_REST);
}

/* No newline is part of a JSON string: all of them, and the indentation, are decoration. */
static void join_lines(char *json)
{
        char *to = json;

        for (const char *from = json; *from;) {
                if (*from != '\n') {
                        *to++ = *from++;
                        continue;
                }
                from += strspn(from, "\n \t");
        }
        *to++ = '\n';
        *to = '\0';
}

static void watch_print_time(const struct watch *w, FILE *out)
{
        struct tm local;
        char text[64] = "";

        if (localtime_r(&w->taken_at, &local))
                strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &local);
        if (w->screen)
                fprintf(out, "pwhy  %s  every %gs\n\n", text, (double)w->options->watch_ns / 1e9);
        else
                fprintf(out, "=== %s ===\n", text);
}

static int watch_render(const struct watch *w, FILE *out)
{
        const struct options *o = w->options;
        struct pwhy_render how = { .format = o->format };
        int r = 0;

        if (o->format != PWHY_JSON && o->format != PWHY_RAW) {
                how.colour = terminal_wants_colour(o->colour);
                how.columns = terminal_columns();
                how.previous = w->before;
        }
        if (o->format != PWHY_JSON)
                watch_print_time(w, out);
        if (o->format == PWHY_JSON || o->deadlocks || pwhy_snapshot_count(w->now) > 0)
                r = pwhy_snapshot_render(w->now, out, &how);
        if (r < 0 || !w->screen)
                return r;
        report_unmatched(o, w->now, "", out);
        if (o->format == PWHY_RAW && pwhy_snapshot_incomplete(w->now))
                report_gaps(w->now, "", out);
        return 0;
}

/* A frame is made in memory first: the terminal gets it at once, and does not flicker. */
static int watch_draw(const struct watch *w)
{
        char *text = NULL;
        size_t len = 0;
        FILE *frame = open_memstream(&text, &len);
        int r;

        if (!frame)
                return -errno;
        r = watch_render(w, frame);
        /* Room for the newline that join_lines() puts at the end. */
        fputc('\n', frame);
        if (fclose(frame) && r >= 0)
                r = -ENOMEM;
        if (r >= 0) {
                if (w->options->format == PWHY_JSON)
                        join_lines(text);
                else
                        text[len - 1] = '\0';
                r = w->screen ? screen_draw(text, terminal_rows()) : screen_write(text);
        }
        free(text);
        return r;
}

static int watch_look(struct watch *w)
{
        struct pwhy_snapshot *s = NULL;
        int r = w->capture ? 0 : pwhy_capture_new(w->options->query, &w->capture);

        if (r == 0)
                r = pwhy_capture_take(w->capture, &s);
        if (r < 0)
                return r;
        pwhy_snapshot_free(w->before);
        w->before = w->now;
        w->now = s;
        w->taken_at = time(NULL);
        return 0;
}

/* ^Z: give the terminal back as it was, stop, and draw anew when continued. */
static int watch_suspend(void)
{
        sigset_t stop;
        int r = screen_write(SCREEN_LEAVE);

        sigemptyset(&stop);
        sigaddset(&stop, SIGTSTP);
        raise(SIGTSTP);
        sigprocmask(SIG_UNBLOCK, &stop, NULL); /* it stops here */
        sigprocmask(SIG_BLOCK, &stop, NULL);
        return r < 0 ? r : screen_write(SCREEN_ENTER);
}

static int64_t clock_now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Until the next look. Returns 0, a negative errno, or the signal that ends the watch. */
static int watch_wait(const struct watch *w)
{
        int64_t end_ns = clock_now_ns();
        int r = 0;

        if (__builtin_add_overflow(end_ns, w->options->watch_ns, &end_ns))
                end_ns = INT64_MAX;
        while (r >= 0) {
                int64_t left_ns = end_ns - clock_now_ns();
                struct timespec left = { 0 };
                int signal;

                if (left_ns > 0)
                        left = (struct timespec){ left_ns / 1000000000, left_ns % 1000000000 };
                signal = sigtimedwait(&w->signals, NULL, &left);
                if (signal < 0 && errno == EAGAIN)
                        return 0;
                if (signal < 0) /* EINTR: stopped and continued */
                        continue;
                if (signal != SIGWINCH && signal != SIGTSTP)
                        return signal;
                if (signal == SIGTSTP)
                        r = watch_suspend();
                if (r >= 0)
                        r = watch_draw(w);
        }
        return r;
}

/* What the screen showed as its last words is said on stderr when there is no screen. */
static void watch_report(const struct watch *w)
{
        if (w->screen)
                return;
        report_unmatched(w->options, w->now, "pwhy: ", stderr);
        if (w->options->format == PWHY_RAW && pwhy_snapshot_incomplete(w->now))
                report_gaps(w->now, "pwhy: ", stderr);
}

enum status watch_run(const struct options *o)
{
        struct watch w = { .options = o };
        enum status status = STATUS_SHOWN;
        int r = 0, output_error = 0;

        w.screen = o->format != PWHY_JSON && terminal_is_capable();
        watch_block_signals(&w);
        if (w.screen)
                output_error = screen_write(SCREEN_ENTER);
        while (r == 0 && output_error == 0) {
                r = watch_look(&w);
                if (r < 0)
                        break;
                output_error = watch_draw(&w);
                if (output_error < 0)
                        break;
                watch_report(&w);
                r = watch_wait(&w);
        }
        if (w.screen)
                screen_write(SCREEN_LEAVE);
        if (output_error < 0)
                status = report_output(-output_error);
        else if (r < 0)
                status = ferror(stdout) ? report_output(-r) : report_stop(o, r);
        pwhy_snapshot_free(w.before);
        pwhy_snapshot_free(w.now);
        pwhy_capture_free(w.capture);
        if (r > 0 && r != SIGINT) /* a shell must see what ended it */
                raise(r);
        sigprocmask(SIG_SETMASK, &w.old_signals, NULL); /* …which happens here */
        return status;
}
