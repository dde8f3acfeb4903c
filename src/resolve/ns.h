/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which namespaces the thread in hand is in, by their inodes: as the program in the kernel told
 * (thread.ns), or else the links of its process.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "model.h"

struct procio;
struct resolver;

struct ns_links { /* what links said */
        uint64_t process[NS_MAX], own[NS_MAX];
        unsigned process_asked, own_asked; /* bits by enum ns */
};

/* Another process is in hand. */
void ns_clear(struct ns_links *links);

/* 0: not known. A thread may have others than its process, whose links are the main thread's. */
uint64_t ns_thread(struct resolver *r, enum ns which);
uint64_t ns_process(struct resolver *r, enum ns which);
uint64_t ns_own(struct resolver *r, enum ns which);

/* The time namespace that its next child will be in, which /proc/PID/timens_offsets is about. */
uint64_t ns_time_of_children(struct resolver *r);

/* Of any process, by its link. */
uint64_t ns_of_pid(struct procio *io, pid_t pid, enum ns which);
