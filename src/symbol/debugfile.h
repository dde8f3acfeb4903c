/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks for the separate debug file of a module, and gives it to the ELF server.
 *
 * By build ID under /usr/lib/debug/.build-id of the target's root and of ours; by debug link
 * beside the file, in .debug/ there and under /usr/lib/debug; the dwz file that those refer to;
 * and, only if DEBUGINFOD_URLS is set, from there.
 *
 * Files are opened here, by a process that may: regular files only, in the target's root without
 * a way out of it, each announced to watch, since the mount may be dead.
 */
#pragma once

#include <sys/types.h>

struct debuginfod;
struct elf_facts;
struct elfserver;
struct watch;

struct debugfile_search {
        struct watch *watch; /* NULL: none */
        pid_t pid;           /* of the target, for a hang */
        int root;            /* directory fd of the target's root (O_PATH will do); -1: ours */
        const char *path;    /* of the module in that root; NULL: has none any more */
        struct debuginfod *debuginfod; /* symbol/debuginfod.h; NULL: nobody is asked */
};

/*
 * 1: the server has it; 0: there is none, or it would be of no use (the module has its own
 * .debug_info); negative: the module is bad.
 */
int debugfile_attach(const struct debugfile_search *search, struct elfserver *s, unsigned id,
        const struct elf_facts *facts);
