/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that uses libpwhy and has a life of its own: threads, children, signal handlers,
 * descriptors. It takes snapshots in many threads at once and then looks whether anything of
 * its own was disturbed. Public interface only, so that it compiles against any build of the
 * library.
 *
 *      library-threads handle|ignore|reap [THREADS [ROUNDS]]
 *
 * handle: SIGCHLD has a handler; ignore: it is ignored; reap: a thread reaps every child that
 * it can get. One line on standard output, and exit status 0, if all went well.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwhy.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS_MAX 64
#define SLEEPERS 2
#define QUITTERS 2
#define QUIT_STATUS 7

static pid_t main_pid;
static atomic_int *strangers; /* shared: handlers that ran in another process */
static atomic_int handled;
static atomic_bool finished;
static pid_t sleeper;
static int rounds = 50;

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        vprintf(format, ap);
        va_end(ap);
        putchar('\n');
        fflush(stdout);
        kill(sleeper, SIGKILL);
        _exit(1);
}

static void on_signal(int number)
{
        (void)number;
        if (getpid() != main_pid)
                atomic_fetch_add(strangers, 1);
        atomic_fetch_add(&handled, 1);
}

static int fds_count(void)
{
        DIR *d = opendir("/proc/self/fd");
        int n = 0;

        if (!d)
                fail("cannot list descriptors: %s", strerror(errno));
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

static pid_t child_make(bool quits)
{
        pid_t pid = fork();

        if (pid < 0)
                fail("fork: %s", strerror(errno));
        if (pid == 0) {
                if (quits)
                        _exit(QUIT_STATUS);
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                signal(SIGUSR1, SIG_IGN);
                /* Not a copy of this program: sanitizers and valgrind give those threads. */
                execlp("sleep", "sleep", "1000", (char *)NULL);
                _exit(127);
        }
        return pid;
}

static void snapshot_check(struct pwhy_snapshot *snapshot)
{
        const struct pwhy_render how = { .format = PWHY_JSON };
        const struct pwhy_thread *thread = pwhy_snapshot_thread(snapshot, 0);
        char *text = NULL;
        size_t len = 0;
        FILE *out;

        if (pwhy_snapshot_count(snapshot) != 1 || !thread)
                fail("%zu threads, not one", pwhy_snapshot_count(snapshot));
        if (pwhy_snapshot_thread(snapshot, 1))
                fail("a thread beyond the count");
        if (pwhy_thread_pid(thread) != sleeper || pwhy_thread_tid(thread) != sleeper)
                fail("the wrong thread: %d %d", pwhy_thread_pid(thread), pwhy_thread_tid(thread));
        if (strcmp(pwhy_thread_reason(thread), "sleep") != 0)
                fail("the wrong reason: %s", pwhy_thread_reason(thread));
        if (!pwhy_thread_text(thread) || pwhy_thread_state(thread) != 'S')
                fail("no sentence, or the wrong state");
        out = open_memstream(&text, &len);
        if (!out || pwhy_snapshot_render(snapshot, out, &how) < 0 || fclose(out) != 0)
                fail("cannot render");
        if (len < 100 || text[0] != '{')
                fail("rendered is only: %s", text);
        free(text);
}

static void snapshot_one(void)
{
        struct pwhy_query *query;
        struct pwhy_snapshot *snapshot;
        char target[16];
        int r;

        snprintf(target, sizeof(target), "%d", (int)sleeper);
        r = pwhy_query_new(&query);
        if (r == 0)
                r = pwhy_query_add_target(query, target);
        /* By name, for what the C library does to find it. */
        if (r == 0 && geteuid() == 0)
                r = pwhy_query_set_user(query, "root");
        if (r < 0)
                fail("cannot ask: %s", strerror(-r));
        pwhy_query_set_timeout(query, (int64_t)60 * 1000 * 1000 * 1000);
        r = pwhy_snapshot_take(query, &snapshot);
        if (r < 0)
                fail("cannot take: %s", strerror(-r));
        pwhy_query_free(query);
        snapshot_check(snapshot);
        pwhy_snapshot_free(snapshot);
}

static void *thread_main(void *arg)
{
        sigset_t before, after;

        (void)arg;
        /* Each its own mask, and it must stay. */
        sigemptyset(&before);
        sigaddset(&before, SIGUSR2);
        pthread_sigmask(SIG_BLOCK, &before, NULL);
        pthread_sigmask(SIG_BLOCK, NULL, &before);
        for (int i = 0; i < rounds; i++) {
                snapshot_one();
                /* To the whole process group: workers, if there are any just now, are in it. */
                kill(0, SIGUSR1);
        }
        pthread_sigmask(SIG_BLOCK, NULL, &after);
        for (int s = 1; s < SIGRTMIN; s++)
                if (sigismember(&before, s) != sigismember(&after, s))
                        fail("signal %d was blocked or unblocked", s);
        return NULL;
}

static void *reaper_main(void *arg)
{
        (void)arg;
        while (!atomic_load(&finished))
                if (waitpid(-1, NULL, WNOHANG) <= 0)
                        usleep(200);
        return NULL;
}

/* A query that cannot succeed says so even if nobody can be waited for. */
static void errors_check(void)
{
        struct pwhy_snapshot *snapshot = NULL;
        struct pwhy_query *query;

        if (pwhy_query_new(&query) < 0 || pwhy_query_set_proc(query, "/nowhere/at/all") < 0 ||
                pwhy_query_add_target(query, "1") < 0)
                fail("cannot ask");
        if (pwhy_snapshot_take(query, &snapshot) != -ENOENT || snapshot)
                fail("a tree that is not there can be read");
        pwhy_query_free(query);
}

static void children_check(const pid_t *sleepers, const pid_t *quitters, bool kept)
{
        int status;

        for (int i = 0; i < QUITTERS && kept; i++)
                if (waitpid(quitters[i], &status, 0) != quitters[i] || !WIFEXITED(status) ||
                        WEXITSTATUS(status) != QUIT_STATUS)
                        fail("a child of the program was reaped by the library");
        for (int i = 0; i < SLEEPERS; i++) {
                if (kill(sleepers[i], 0) < 0)
                        fail("a child of the program has ended");
                if (kept && waitpid(sleepers[i], &status, WNOHANG | WUNTRACED | WCONTINUED) != 0)
                        fail("a child of the program was stopped or ended");
                kill(sleepers[i], SIGKILL);
                if (waitpid(sleepers[i], &status, 0) < 0 && kept)
                        fail("a child of the program cannot be reaped");
        }
        if (kept && (waitpid(-1, &status, WNOHANG) != -1 || errno != ECHILD))
                fail("a child of the library is left");
}

static void handlers_set(const char *mode)
{
        struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

        sigaction(SIGUSR1, &action, NULL);
        if (strcmp(mode, "ignore") == 0)
                action.sa_handler = SIG_IGN;
        sigaction(SIGCHLD, &action, NULL);
}

static void threads_run(int n, bool reaps)
{
        pthread_t threads[THREADS_MAX], reaper;

        if (reaps && pthread_create(&reaper, NULL, reaper_main, NULL) != 0)
                fail("no thread");
        for (int i = 0; i < n; i++)
                if (pthread_create(&threads[i], NULL, thread_main, NULL) != 0)
                        fail("no thread");
        for (int i = 0; i < n; i++)
                pthread_join(threads[i], NULL);
        errors_check();
        atomic_store(&finished, true);
        if (reaps)
                pthread_join(reaper, NULL);
}

int main(int argc, char **argv)
{
        const char *mode = argc > 1 ? argv[1] : "handle";
        int n = argc > 2 ? atoi(argv[2]) : 8, fds;
        pid_t sleepers[SLEEPERS], quitters[QUITTERS];
        char *cwd, *cwd_after;
        mode_t mask;

        if (argc > 3)
                rounds = atoi(argv[3]);
        if (n < 1 || n > THREADS_MAX || rounds < 1)
                return 2;
        setpgid(0, 0);
        main_pid = getpid();
        strangers = mmap(NULL, sizeof(*strangers), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (strangers == MAP_FAILED || chdir("/tmp") < 0)
                return 2;
        umask(027);
        cwd = getcwd(NULL, 0);
        for (int i = 0; i < SLEEPERS; i++)
                sleepers[i] = child_make(false);
        for (int i = 0; i < QUITTERS; i++)
                quitters[i] = child_make(true);
        sleeper = sleepers[0];
        usleep(100000);
        handlers_set(mode);
        snapshot_one(); /* what the C library opens for good, it opens now */
        fds = fds_count();

        threads_run(n, strcmp(mode, "reap") == 0);

        if (fds_count() != fds)
                fail("%d descriptors before, %d after", fds, fds_count());
        mask = umask(0);
        cwd_after = getcwd(NULL, 0);
        if (mask != 027 || !cwd || !cwd_after || strcmp(cwd, cwd_after) != 0)
                fail("umask or working directory changed");
        free(cwd);
        free(cwd_after);
        if (atomic_load(strangers))
                fail("a signal handler ran in a worker, %d times", atomic_load(strangers));
        if (strcmp(mode, "handle") == 0 && !atomic_load(&handled))
                fail("no signal was handled");
        children_check(sleepers, quitters, strcmp(mode, "handle") == 0);
        printf("%d threads, %d rounds: undisturbed\n", n, rounds);
        return 0;
}
