/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the scenes share: the stage they are made on and how they wait for a state.
 *
 * Three processes make a scene. The one that was called only waits, so that killing it
 * cannot skip the cleaning up. The keeper, its child, owns the directory and the list of
 * things to undo; it ends the scene at the end of input, or when the first one dies. The
 * stage, the keeper's child, runs the scene's function and then pauses; actors are its
 * children and threads. Each dies with its parent (PR_SET_PDEATHSIG).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

struct sockaddr;
struct stage_shared;

struct stage {
        const char *name;
        const char *arg; /* from the command line; NULL: none */
        const char *dir; /* of its own, removed afterwards */
        pid_t pid;       /* of the process that runs the scene's function */
        struct stage_shared *shared;
};

/*
 * A row of a family's table. how lets rows share a function: an address family, a flag,
 * a member of the family's own enum.
 */
struct scene {
        const char *name;
        void (*run)(struct stage *st, int how);
        int how;
        const char *what;
};

/* One table a family, ended by a row without a name; listed in scene.c. */
extern const struct scene scenes_tcp[], scenes_socket[], scenes_unix[], scenes_pipe[], scenes_tty[],
        scenes_poll[], scenes_fd[], scenes_time[], scenes_futex[], scenes_child[], scenes_state[],
        scenes_disk[], scenes_fault[], scenes_lock[], scenes_mount[], scenes_ipc[], scenes_uring[],
        scenes_abi[], scenes_odd[], scenes_mutex[], scenes_peer[], scenes_stale[];

/* Older architectures have the older calls, and glibc picks. */
#ifdef SYS_poll
#define POLL_CALLS SYS_poll, SYS_ppoll
#else
#define POLL_CALLS SYS_ppoll
#endif
#ifdef SYS_select
#define SELECT_CALLS SYS_select, SYS_pselect6
#else
#define SELECT_CALLS SYS_pselect6
#endif
#ifdef SYS_epoll_wait
#define EPOLL_CALLS SYS_epoll_wait, SYS_epoll_pwait
#else
#define EPOLL_CALLS SYS_epoll_pwait
#endif

#define FOREVER_S 1000 /* the timeout of whatever has one: longer than any test */

/* Stops of the whole scene. From a child, a skip reaches the stage through stage_shared. */
__attribute__((noreturn, format(printf, 2, 3))) void stage_skip(
        struct stage *st, const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void stage_fail(const char *format, ...);

/* MUST: cannot fail on a machine that has the scene. NEED: tells whether it has it. */
long stage_must(long r, const char *what);
long stage_need(struct stage *st, long r, const char *what);
#define MUST(call) stage_must((long)(call), #call)
#define NEED(st, call) stage_need((st), (long)(call), #call)
#define MUST_MAP(call) ((void *)stage_must((long)(call), #call))

/* Prints "ready pid= tid= " and the rest, a list of key=value. */
__attribute__((format(printf, 4, 5))) void stage_ready(
        struct stage *st, pid_t pid, pid_t tid, const char *format, ...);

/* The path of a file in the scene's directory; to be used at once or copied. */
const char *stage_path(struct stage *st, const char *name);

/* A child that dies with its parent. Returns 0 in the child, which ends by child_end(). */
pid_t child_start(struct stage *st);
__attribute__((noreturn)) void child_end(void);

/* A thread; returns its TID. attr and ret_thread may be NULL (<pthread.h>). */
pid_t thread_start(void *(*run)(void *), void *arg, const void *attr, unsigned long *ret_thread);

/* Words between the stage and its children. */
#define SHARED_WORDS 8
void shared_set(struct stage *st, unsigned index, uint64_t value);
uint64_t shared_get(const struct stage *st, unsigned index);
uint64_t shared_wait(struct stage *st, unsigned index); /* until it is not 0 */

/* What must be undone after the scene: first the writes, then it all ends, then the rest. */
enum undo_kind { UNDO_WRITE, UNDO_RMDIR, UNDO_MQ, UNDO_MSG, UNDO_SEM };
void stage_undo(struct stage *st, enum undo_kind kind, int id, const char *path, const char *text);

/* A thread as /proc shows it. */
struct look {
        char state;
        uint64_t switches;
        bool inside;  /* a system call: nr and args hold */
        bool outside; /* blocked, but not in a system call */
        long nr;
        uint64_t args[6];
};
bool thread_look(pid_t tid, struct look *ret_look); /* false: it is gone */

/*
 * Wait until the thread is asleep in one of the calls (ended by -1) and stays there: no
 * context switch between two readings.
 */
struct look wait_call(struct stage *st, pid_t tid, ...);
/* The same, blocked outside a system call, as by a page fault. */
void wait_outside(struct stage *st, pid_t tid);
/* Wait until the state letter is one of these. */
void wait_state(struct stage *st, pid_t tid, const char *states);
/* Wait until a condition holds; what is said when it never does. */
void wait_until(struct stage *st, bool (*holds)(void *arg), void *arg, const char *what);
/* A switch count that does not change for so many readings. */
void wait_settled(struct stage *st, pid_t tid, unsigned readings);

/* Facts for the ready line. */
uint64_t fd_inode(int fd);
const char *address_text(const struct sockaddr *address, char buffer[static 64]);
const char *local_text(int fd, char buffer[static 64]);
const char *remote_text(int fd, char buffer[static 64]);
uint64_t monotonic_after(unsigned seconds); /* CLOCK_MONOTONIC in ns, so long from now */

void fd_set_nonblock(int fd, bool on);
size_t fd_fill(int fd); /* write until it would block; returns bytes */
bool text_write(const char *path, const char *text);
bool text_read(const char *path, char *buffer, size_t size);

/*
 * A cgroup of the scene's own in the v1 hierarchy of a controller, or in the v2 one
 * ("unified"). Skips without. Copies its path into buffer; removed afterwards.
 */
void cgroup_make(struct stage *st, const char *controller, char *buffer, size_t size);

/* Entered by exec under a hostile name (scene-odd.c); NULL-terminated arguments. */
int odd_main(void);
#define ODD_ENVIRONMENT "PWHY_SCENE_ODD"

/* Adds an fd that is to be read from, and a child that waits for the set. */
void epoll_add(int epoll, int fd);
pid_t epoll_start(struct stage *st, int epoll);
