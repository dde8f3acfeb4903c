/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program that is init in the virtual machine of kernels.py. It decides nothing: a plan
 * says what to do, records say what came of it, and whether that is right is judged outside.
 */
#ifndef PWHY_KERNEL_AGENT_H
#define PWHY_KERNEL_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* wire.c: records to the host, "NAME LENGTH\n", the bytes and a newline. */
struct bytes {
        char *data;
        size_t len;
};

void bytes_done(struct bytes *b);
/* What can be read of a file; false when it cannot be opened or read. */
bool bytes_read(struct bytes *b, const char *path);
bool bytes_read_fd(struct bytes *b, int fd);
void bytes_print(struct bytes *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void bytes_append(struct bytes *b, const char *data, size_t len);

bool record_open(const char *port);
void record(const char *name, const char *data, size_t len);
void record_print(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A file's contents; nothing when it cannot be read. */
void record_file(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Says what went wrong, as a record of its own, and goes on. */
void record_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* command.c: programs and their time limits. */
#define SECONDS_MAX 60

uint64_t now_ns(void);
/* Runs a program; records "NAME.out", "NAME.err" and "NAME.status". */
void command_record(const char *name, char *const argv[]);
/* The same of pwhy, with the options of pwhy_options_set() before the arguments. */
void pwhy_record(const char *name, const char *const args[]);
void pwhy_options_set(char **words);
/* Waits for a child, kills it after the limit; returns a shell's exit status. */
int child_wait(pid_t pid);

/* observe.c: what can be seen of a scene. */
struct held_scene {
        pid_t pid;
        int in, out, err;
        char line[4096]; /* "ready …", "skip …", or empty */
        uint64_t begin_ns, made_ns;
};

void scene_start(struct held_scene *s, const char *name);
int scene_end(struct held_scene *s);
/* wanted, ended by NULL: what pwhy is asked for besides. Each answer takes time in here. */
void scene_record(const char *name, char *const *wanted);
/* Every thread's stack before and after pwhy shows them all, while some scenes are held. */
void identity_record(char **names);

#define PWHY_PATH "/bin/pwhy"
#define SCENE_PATH "/bin/scene"

#endif
