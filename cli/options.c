/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Option parsing with glibc's argp. Each value goes into the query as soon as it is read,
 * so that a wrong one is reported together with its option; what must fit together is
 * checked at the end. --help is meant to teach: many people meet pwhy on the machine that
 * hangs, without a network to look things up.
 */
#include "options.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

enum {
        KEY_IDLE = 0x100,
        KEY_RAW,
        KEY_THREADS,
        KEY_COLOR,
        KEY_PROC,
        KEY_TIMEOUT,
        KEY_TEXT,
        KEY_GRAPH,
        KEY_ROOT,
        KEY_DEADLOCKS,
        KEY_FORMAT,
        KEY_NO_USER,
        KEY_NO_KERNEL,
        KEY_SOURCE,
        KEY_PROFILE,
};

#define WATCH_MIN_NS 100000000 /* below this pwhy would be the load that it looks for */

static const struct argp_option option_table[] = {
        { NULL, 0, NULL, 0, "What to look at:", 1 },
        { "all", 'a', NULL, 0, "Every process", 1 },
        { "idle", KEY_IDLE, NULL, 0,
                "Every process, and kernel threads that have nothing to do too", 1 },
        { "proc", KEY_PROC, "DIR", 0, "A recorded tree, or another mount of proc, not /proc", 1 },
        { "source", KEY_SOURCE, "SOURCE", 0,
                "proc (files), bpf (a program inside the kernel), or auto: what works and pays",
                1 },
        { "explain-stack", KEY_TEXT, "FILE", 0,
                "Pasted stacks or a kernel log (-: standard input), not this machine", 1 },
        { NULL, 0, NULL, 0, "Only threads that pass every filter (without a target: of all):", 2 },
        { "state", 's', "LETTERS", 0, "In one of these states, as in ps: D, S, R, T, t, Z, I", 2 },
        { "user", 'u', "NAME|UID", 0, "Of processes of this user", 2 },
        { "reason", 'r', "REASON,...", 0, "Waiting for one of these reasons, listed below", 2 },
        { "cgroup", 'g', "PATH", 0, "In this control group, or below it", 2 },
        { "blocked-for", 'b', "DURATION", 0, "Off the CPU for at least so long", 2 },
        { NULL, 0, NULL, 0, "How to show it:", 3 },
        { "json", 'j', NULL, 0, "One JSON document, for scripts", 3 },
        { "raw", KEY_RAW, NULL, 0,
                "Kernel stacks only, exactly as in /proc/PID/stack; of a PID its main thread", 3 },
        { "threads", KEY_THREADS, NULL, 0, "With --raw: every thread of a PID", 3 },
        { "root", KEY_ROOT, NULL, 0,
                "Only the ends of the chains of waits, and how many threads hang behind each", 3 },
        { "graph", KEY_GRAPH, NULL, 0,
                "Who waits for whom, as trees; of a target, also who waits for it", 3 },
        { "deadlocks", KEY_DEADLOCKS, NULL, 0,
                "Only deadlocks, and threads in or behind one; exit status 4 if there is any", 3 },
        { "format", KEY_FORMAT, "FORMAT", 0,
                "The graph as text, as dot for Graphviz, or as svg (needs Graphviz)", 3 },
        { "no-user", KEY_NO_USER, NULL, 0, "Without user stacks, and what only they tell (faster)",
                3 },
        { "no-kernel", KEY_NO_KERNEL, NULL, 0, "Without kernel stacks, which still are evidence",
                3 },
        { "watch", 'w', "SECONDS", 0, "Look again after so long, until interrupted; mark changes",
                3 },
        { "color", KEY_COLOR, "WHEN", OPTION_ARG_OPTIONAL,
                "Colors: always, never, or auto (on a terminal, unless NO_COLOR is set)", 3 },
        { "profile", KEY_PROFILE, "DURATION", 0,
                "Watch threads that run for so long, to see where (20ms; 0: not)", 3 },
        { "timeout", KEY_TIMEOUT, "DURATION", 0,
                "Wait so long, altogether, for files that do not answer (2s)", 3 },
        { NULL, 0, NULL, 0, "Help:", -1 },
        { 0 },
};

#define REASONS                                                                                    \
        "  running runnable throttled stopped traced frozen zombie sleep signal\n"                 \
        "  accept connect receive send open read write poll disk remote-fs lock\n"                 \
        "  condition semaphore barrier join futex child reply memory kernel idle\n"                \
        "  unknown"

static const char doc[] =
        "Say why processes do not move, and who can make them move again. Nothing is ever "
        "stopped, signalled or written to.\v"
        "A target is a process (PID), one thread (TID) or every process of a name, as pidof "
        "finds it. A DURATION is 90, 1.5s, 300ms, 5min or 1h30m.\n"
        "\n"
        "Reasons:\n" REASONS "\n\n"
        "Examples:\n"
        "  pwhy 4242                  why does this process hang?\n"
        "  pwhy nginx postgres        by name\n"
        "  pwhy --state D             all that is in uninterruptible sleep\n"
        "  pwhy -r lock,disk -b 30s   behind a lock or a disk for half a minute\n"
        "  pwhy -u www-data -w 2      look every two seconds\n"
        "  pwhy --root                who keeps the most others waiting on this machine?\n"
        "  pwhy --deadlocks           is there a deadlock? (exit status 4)\n"
        "  pwhy --format=svg >a.svg   a picture of who waits for whom\n"
        "  pwhy --json -a | jq -r '.threads[].wait.text' | sort | uniq -c\n"
        "  pwhy --raw 4242            the kernel stack alone\n"
        "  dmesg | pwhy --explain-stack -\n"
        "                             hung tasks in a log, of any machine\n"
        "\n"
        "Without root, your own processes are explained from their system calls; the kernel "
        "shows kernel stacks to root only (CAP_SYS_ADMIN), and of other users' processes "
        "little more than their names. pwhy says what is missing. To see it, use sudo.\n"
        "\n"
        "Exit status:\n"
        "  0  shown\n"
        "  1  nothing matches\n"
        "  2  wrong arguments\n"
        "  3  shown in part: something asked for is missing or was not found\n"
        "  4  a deadlock was found, whether or not all else was shown\n";

static void set_user(struct options *o, const char *user, struct argp_state *state)
{
        int r = pwhy_query_set_user(o->query, user);

        if (r == -ENOENT)
                argp_error(state, "there is no user '%s'; --user takes a name or a number", user);
        else if (r < 0)
                argp_failure(state, STATUS_USAGE, -r, "cannot filter by user '%s'", user);
}

static void set_states(struct options *o, const char *letters, struct argp_state *state)
{
        int r = pwhy_query_set_states(o->query, letters);

        if (r == -EINVAL)
                argp_error(state,
                        "'%s' is no state; --state takes letters out of RSDTtZXIP, without "
                        "anything between them: --state SD",
                        letters);
        else if (r < 0)
                argp_failure(state, STATUS_USAGE, -r, "cannot filter by state '%s'", letters);
}

static void add_reasons(struct options *o, const char *list, struct argp_state *state)
{
        char *words = strdup(list), *rest = words, *word;

        if (!words)
                argp_failure(state, STATUS_PARTLY, ENOMEM, "cannot read the reasons");
        while ((word = strsep(&rest, ","))) {
                int r = pwhy_query_add_reason(o->query, word);

                if (r == -EINVAL)
                        argp_error(state, "'%s' is no reason; the reasons are\n" REASONS, word);
                else if (r < 0)
                        argp_failure(state, STATUS_USAGE, -r, "cannot filter by reason '%s'", word);
        }
        free(words);
}

/* The shell completes the mounted path; the kernel names groups from the mount down. */
static void set_cgroup(struct options *o, const char *path, struct argp_state *state)
{
        static const char mount[] = "/sys/fs/cgroup";
        const char *below = path;
        int r;

        if (!strncmp(path, mount, sizeof(mount) - 1) &&
                (path[sizeof(mount) - 1] == '/' || !path[sizeof(mount) - 1]))
                below = path + sizeof(mount) - 1;
        if (*path != '/')
                argp_error(state,
                        "the cgroup '%s' does not begin with '/'; --cgroup takes a path as "
                        "/proc/PID/cgroup shows it: --cgroup /system.slice/ssh.service",
                        path);

        size_t len = strlen(below);
        while (len > 1 && below[len - 1] == '/')
                len--;
        char *copy = len ? strndup(below, len) : strdup("/");
        r = copy ? pwhy_query_set_cgroup(o->query, copy) : -ENOMEM;
        free(copy);
        if (r < 0)
                argp_failure(state, STATUS_USAGE, -r, "cannot filter by cgroup '%s'", path);
}

static int64_t read_duration(
        const char *option, const char *text, int64_t min_ns, struct argp_state *state)
{
        int64_t ns = 0;
        int r = pwhy_duration(text, &ns);

        if (r == -ERANGE)
                argp_error(state, "'%s' is too long for --%s", text, option);
        else if (r < 0)
                argp_error(state, "'%s' is no duration; --%s takes 90, 1.5s, 300ms, 5min or 1h30m",
                        text, option);
        else if (ns < min_ns)
                argp_error(state, "'%s' is too short for --%s; it takes at least %gs", text, option,
                        (double)min_ns / 1e9);
        return ns;
}

static void set_colour(struct options *o, const char *when, struct argp_state *state)
{
        if (!when || !strcmp(when, "always"))
                o->colour = COLOUR_ALWAYS;
        else if (!strcmp(when, "never"))
                o->colour = COLOUR_NEVER;
        else if (!strcmp(when, "auto"))
                o->colour = COLOUR_AUTO;
        else
                argp_error(state, "--color takes always, never or auto, not '%s'", when);
}

static void set_proc(struct options *o, const char *directory, struct argp_state *state)
{
        int r = pwhy_query_set_proc(o->query, directory);

        if (r < 0)
                argp_failure(state, STATUS_USAGE, -r, "cannot read --proc '%s'", directory);
        o->proc = directory;
}

static void set_format(struct options *o, const char *format, struct argp_state *state)
{
        o->svg = strcmp(format, "svg") == 0;
        o->dot = o->svg || strcmp(format, "dot") == 0;
        if (!o->dot && strcmp(format, "text"))
                argp_error(state, "--format takes text, dot or svg, not '%s'", format);
        o->graph = true;
}

static void set_profile(struct options *o, const char *window, struct argp_state *state)
{
        int64_t ns = read_duration("profile", window, 0, state);

        if (pwhy_query_set_profile(o->query, ns) < 0)
                argp_error(state, "'%s' is too long for --profile; it takes at most 10s", window);
}

static void set_source(struct options *o, const char *source, struct argp_state *state)
{
        if (pwhy_query_set_source(o->query, source) < 0)
                argp_error(state, "'%s' is no source; --source takes auto, proc or bpf", source);
}

static void add_target(struct options *o, const char *target, struct argp_state *state)
{
        int r = pwhy_query_add_target(o->query, target);

        if (r == -EINVAL)
                argp_error(state, "'%s' is no target; give a PID, a TID or a name", target);
        else if (r < 0)
                argp_failure(state, STATUS_USAGE, -r, "cannot look for '%s'", target);
        o->n_targets++;
}

/* What contradicts itself is refused rather than half obeyed. */
static void check_together(struct options *o, struct argp_state *state)
{
        if (o->json && o->raw)
                argp_error(state, "--json and --raw are two formats; choose one");
        if (o->threads && !o->raw)
                argp_error(state, "--threads belongs to --raw; without it all threads are shown");
        if (o->raw && (o->no_user || o->no_kernel))
                argp_error(state, "--raw is the kernel stacks alone; leave out --no-%s",
                        o->no_user ? "user" : "kernel");
        if (o->all && o->n_targets)
                argp_error(state, "--all is every process; leave out --all or the targets");
        if (o->text && (o->proc || o->watch_ns))
                argp_error(state, "--explain-stack reads a text once; leave out --%s",
                        o->proc ? "proc" : "watch");
        if (o->text && o->of_users)
                argp_error(state, "a text does not tell users or control groups; leave out --user "
                                  "and --cgroup");
        if (o->graph + o->root > 1 || ((o->graph || o->root) && o->deadlocks))
                argp_error(state, "--graph, --root and --deadlocks are three views; choose one");
        if ((o->graph || o->root) && (o->json || o->raw))
                argp_error(state, "--%s is text; --json has owners, roots and deadlocks as well",
                        o->graph ? "graph" : "root");
        if (o->deadlocks && (o->raw || o->text))
                argp_error(state, "--deadlocks looks at this machine twice; leave out --%s",
                        o->raw ? "raw" : "explain-stack");
        if (o->dot && o->watch_ns)
                argp_error(state, "--watch shows text; leave it out, or --format");
        if (o->graph || o->root || o->deadlocks)
                return;
        if (!o->all && !o->idle && !o->n_filters && !o->n_targets && !o->text)
                argp_error(state, "what shall be looked at? Give a PID, a TID or a process name, "
                                  "or --all");
}

static void finish(struct options *o, struct argp_state *state)
{
        check_together(o, state);
        if (!o->n_targets)
                pwhy_query_set_all(o->query, true);
        pwhy_query_set_brief(o->query, (o->graph || o->root || o->deadlocks) && !o->json);
        pwhy_query_set_waiters(o->query, o->graph || o->root);
        pwhy_query_set_idle(o->query, o->idle);
        pwhy_query_set_raw(o->query, o->raw, o->raw && !o->threads);
        pwhy_query_set_stacks(o->query, !o->no_kernel, !o->no_user);
        pwhy_query_set_deadlocked(o->query, o->deadlocks);
        o->format = o->json        ? PWHY_JSON
                    : o->raw       ? PWHY_RAW
                    : o->dot       ? PWHY_DOT
                    : o->graph     ? PWHY_GRAPH
                    : o->root      ? PWHY_ROOTS
                    : o->deadlocks ? PWHY_DEADLOCKS
                                   : PWHY_TEXT;
}

static error_t parse_filter(int key, char *arg, struct argp_state *state)
{
        struct options *o = state->input;

        switch (key) {
        case 's':
                set_states(o, arg, state);
                break;
        case 'u':
                o->of_users = true;
                set_user(o, arg, state);
                break;
        case 'r':
                add_reasons(o, arg, state);
                break;
        case 'g':
                o->of_users = true;
                set_cgroup(o, arg, state);
                break;
        case 'b':
                pwhy_query_set_blocked_for(o->query, read_duration("blocked-for", arg, 0, state));
                break;
        default:
                return ARGP_ERR_UNKNOWN;
        }
        o->n_filters++;
        return 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
        struct options *o = state->input;

        switch (key) {
        case 'a':
                o->all = true;
                break;
        case KEY_IDLE:
                o->idle = true;
                break;
        case 'j':
                o->json = true;
                break;
        case KEY_RAW:
                o->raw = true;
                break;
        case KEY_THREADS:
                o->threads = true;
                break;
        case KEY_NO_USER:
                o->no_user = true;
                break;
        case KEY_NO_KERNEL:
                o->no_kernel = true;
                break;
        case 'w':
                o->watch_ns = read_duration("watch", arg, WATCH_MIN_NS, state);
                break;
        case KEY_COLOR:
                set_colour(o, arg, state);
                break;
        case KEY_PROC:
                set_proc(o, arg, state);
                break;
        case KEY_PROFILE:
                set_profile(o, arg, state);
                break;
        case KEY_SOURCE:
                set_source(o, arg, state);
                break;
        case KEY_TEXT:
                o->text = arg;
                break;
        case KEY_TIMEOUT:
                pwhy_query_set_timeout(o->query, read_duration("timeout", arg, 1000000, state));
                break;
        case ARGP_KEY_ARG:
                add_target(o, arg, state);
                break;
        case ARGP_KEY_END:
                finish(o, state);
                break;
        case KEY_GRAPH:
                o->graph = true;
                break;
        case KEY_ROOT:
                o->root = true;
                break;
        case KEY_DEADLOCKS:
                o->deadlocks = true;
                break;
        case KEY_FORMAT:
                set_format(o, arg, state);
                break;
        default:
                return parse_filter(key, arg, state);
        }
        return 0;
}

static void print_version(FILE *out, struct argp_state *state)
{
        (void)state;
        fprintf(out, "pwhy %s\n", pwhy_version());
}

int options_parse(int argc, char **argv, struct options *ret_options)
{
        static const struct argp argp = {
                .options = option_table,
                .parser = parse_option,
                .args_doc = "PID|TID|NAME...",
                .doc = doc,
        };
        struct options o = { .format = PWHY_TEXT };
        int r;

        argp_err_exit_status = STATUS_USAGE;
        argp_program_version_hook = print_version;
        r = pwhy_query_new(&o.query);
        if (r < 0)
                return r;
        r = -argp_parse(&argp, argc, argv, 0, NULL, &o);
        if (r < 0) {
                options_done(&o);
                return r;
        }
        *ret_options = o;
        return 0;
}

void options_done(struct options *o)
{
        pwhy_query_free(o->query);
        o->query = NULL;
}
