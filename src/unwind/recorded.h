/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User stacks of a recorded tree: what a live look has from the kernel, as files beside the others.
 *
 *      PID/maps, PID/map_files/START-END   the mappings, and what is needed of the files
 *      PID/task/TID/user_regs              "NUMBER=HEX …": registers by DWARF's numbers
 *      PID/mem/HEX                         bytes of the stack, as of other memory
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct arena;
struct piece_request;
struct process;
struct procio;
struct thread;

/* thread.regs, of each thread that has such a file. 0 or -ENOMEM. */
int recorded_regs(struct procio *io, struct arena *arena, struct process *p);

/* As pieces_read(): what was not recorded cannot be read. */
int recorded_pieces(
        struct procio *io, int dir, pid_t pid, struct piece_request *requests, size_t n);
