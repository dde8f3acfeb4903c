/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scene NAME [ARG]: make one kind of blocked process, print "ready pid=… tid=… …", stay
 * until the end of input, leave nothing behind. Exit status 0; 77 after "skip REASON"
 * where the machine cannot; 1 otherwise.
 *
 * A real process of each kind, because what the kernel shows of a wait is only known by
 * asking the kernel. See scene.h for who is who.
 */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene-stage.h"

static const struct scene *const families[] = {
        scenes_tcp,
        scenes_socket,
        scenes_unix,
        scenes_pipe,
        scenes_tty,
        scenes_poll,
        scenes_stale,
        scenes_fd,
        scenes_time,
        scenes_futex,
        scenes_mutex,
        scenes_peer,
        scenes_child,
        scenes_state,
        scenes_disk,
        scenes_fault,
        scenes_lock,
        scenes_mount,
        scenes_ipc,
        scenes_uring,
        scenes_abi,
        scenes_odd,
};

#define N_FAMILIES (sizeof(families) / sizeof(families[0]))

static const struct scene *scene_find(const char *name)
{
        for (size_t i = 0; i < N_FAMILIES; i++)
                for (const struct scene *s = families[i]; s->name; s++)
                        if (strcmp(s->name, name) == 0)
                                return s;
        return NULL;
}

static void scene_list(bool with_text)
{
        for (size_t i = 0; i < N_FAMILIES; i++)
                for (const struct scene *s = families[i]; s->name; s++)
                        if (with_text)
                                printf("%-28s %s\n", s->name, s->what);
                        else
                                puts(s->name);
}

/* In reverse, so that what was made last goes first. */
static void undo_all(const struct stage_shared *shared, bool writes)
{
        for (unsigned i = shared->n_undo; i-- > 0;) {
                const struct undo *u = &shared->undo[i];

                if ((u->kind == UNDO_WRITE) != writes)
                        continue;
                switch (u->kind) {
                case UNDO_WRITE:
                        text_write(u->path, u->text);
                        break;
                case UNDO_RMDIR:
                        /* A cgroup is busy for a moment after its last process was reaped. */
                        for (int n = 0; n < 1000 && rmdir(u->path) < 0 && errno == EBUSY; n++)
                                usleep(1000);
                        break;
                case UNDO_MQ:
                        mq_unlink(u->path);
                        break;
                case UNDO_MSG:
                        msgctl(u->id, IPC_RMID, NULL);
                        break;
                case UNDO_SEM:
                        semctl(u->id, 0, IPC_RMID);
                        break;
                }
        }
}

static int remove_entry(const char *path, const struct stat *sb, int type, struct FTW *where)
{
        (void)sb;
        (void)type;
        (void)where;
        remove(path);
        return 0;
}

/*
 * The keeper adopts whatever loses its parent, so that nothing escapes the reaping. Returns
 * the stage's own exit status, or killed where it had none.
 */
static int reap_all(pid_t stage, int killed)
{
        int status, result = killed;
        pid_t pid;

        while ((pid = waitpid(-1, &status, 0)) > 0 || errno == EINTR)
                if (pid == stage && WIFEXITED(status))
                        result = WEXITSTATUS(status);
        return result;
}

/*
 * The stage's children go first: were it the stage, they would see what they wait for
 * happen, before the signal comes that its death sends them.
 */
static void stage_end(pid_t stage)
{
        char path[64], text[4096], *p = text, *end;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", stage, stage);
        if (text_read(path, text, sizeof(text)))
                for (long pid; (pid = strtol(p, &end, 10)) > 0; p = end)
                        kill((pid_t)pid, SIGKILL);
        kill(stage, SIGKILL);
}

static void stage_run(struct stage *st, const struct scene *scene, pid_t keeper)
{
        int null;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != keeper)
                _exit(1);
        /* The end of input is the keeper's to see, and no actor may eat it. */
        null = (int)MUST(open("/dev/null", O_RDWR));
        MUST(dup2(null, STDIN_FILENO));
        close(null);
        st->pid = getpid();
        scene->run(st, scene->how);
        for (;;)
                pause();
}

/* True when told to end the scene, false when it ended by itself. */
static bool keeper_wait(int lifeline, int stage_fd)
{
        struct pollfd fds[] = {
                { .fd = STDIN_FILENO, .events = POLLIN },
                { .fd = lifeline, .events = POLLIN },
                { .fd = stage_fd, .events = POLLIN },
        };
        char buffer[256];

        for (;;) {
                if (poll(fds, 3, -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        return false;
                }
                if (fds[2].revents)
                        return false;
                if (fds[1].revents)
                        return true;
                if (fds[0].revents && read(STDIN_FILENO, buffer, sizeof(buffer)) <= 0)
                        return true;
        }
}

static int keeper_run(const struct scene *scene, const char *arg, int lifeline)
{
        const char *tmp = getenv("TMPDIR");
        char dir[PATH_MAX];
        struct stage st = { .name = scene->name, .arg = arg, .dir = dir };
        pid_t keeper = getpid(), stage;
        int stage_fd, result;
        bool told = false;

        prctl(PR_SET_CHILD_SUBREAPER, 1);
        snprintf(dir, sizeof(dir), "%s/pwhy-scene-XXXXXX", tmp && *tmp ? tmp : "/tmp");
        if (!mkdtemp(dir)) {
                perror(dir);
                return 1;
        }
        st.shared = MUST_MAP(mmap(NULL, sizeof(*st.shared), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0));
        stage = fork();
        if (stage == 0) {
                close(lifeline);
                stage_run(&st, scene, keeper);
        }
        stage_fd = stage < 0 ? -1 : (int)syscall(SYS_pidfd_open, stage, 0);
        if (stage_fd >= 0)
                told = keeper_wait(lifeline, stage_fd);
        undo_all(st.shared, true);
        if (stage > 0)
                stage_end(stage);
        result = reap_all(stage, st.shared->skipped ? 77 : told ? 0 : 1);
        undo_all(st.shared, false);
        nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
        return result;
}

int main(int argc, char **argv)
{
        const struct scene *scene;
        int lifeline[2], status;
        pid_t keeper;

        if (getenv(ODD_ENVIRONMENT))
                return odd_main();
        if (argc == 2 && (strcmp(argv[1], "--list") == 0 || strcmp(argv[1], "--help") == 0)) {
                scene_list(strcmp(argv[1], "--help") == 0);
                return 0;
        }
        scene = argc == 2 || argc == 3 ? scene_find(argv[1]) : NULL;
        if (!scene) {
                fprintf(stderr, argc < 2 ? "usage: scene NAME [ARG] | --list | --help\n"
                                         : "scene: no such scene; see scene --list\n");
                return 1;
        }
        if (pipe2(lifeline, O_CLOEXEC) < 0 || (keeper = fork()) < 0) {
                perror("scene");
                return 1;
        }
        if (keeper == 0) {
                /* Its own session: what kills a terminal's job must not stop the cleaning up. */
                setsid();
                close(lifeline[1]);
                _exit(keeper_run(scene, argv[2], lifeline[0]));
        }
        close(lifeline[0]);
        while (waitpid(keeper, &status, 0) < 0)
                if (errno != EINTR)
                        return 1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
