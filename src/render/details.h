/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The indented lines below a thread's header: what it waits for and how that is known. */
#pragma once

#include "render/page.h"

#define LABEL_WIDTH 9 /* of the labels and the space behind them */

struct gap;
struct group;
struct process;
struct thread;

/* Of a group of look-alikes, which share all of it but their times and call arguments. */
void details_write(struct page *p, const struct group *g, unsigned indent);

/* The same of a process that its name alone does not tell from others. */
void details_write_command(struct page *p, const struct group *g, unsigned indent);

/* A line "label    text", cut at the width. */
void label_cut(
        struct page *p, unsigned indent, const char *label, enum style style, const char *text);

/* "backup (pid 91)", for a list. */
const char *thread_label(struct page *p, const struct thread *t);

/* "missing: …" (text.c) */
void gap_write(struct page *p, const struct gap *g);

/* A line "command" alone, below the header of a process with several threads. */
void command_write(struct page *p, const struct process *process);
