/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page: lines of a known width, in which text is either wrapped or cut.
 *
 * What is put on it must be valid UTF-8 without control characters (page_safe()); a
 * character counts as one column.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct arena;

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_BLOCKED, STYLE_ALARM };

struct page {
        FILE *out;
        struct arena *scratch; /* for one block; see page_block() */
        bool colour;
        bool no_kernel;   /* kernel stacks are left out */
        bool whole;       /* everything was looked at: who waits for whom is known of all */
        unsigned columns; /* 0: lines have no end */
        unsigned margin;  /* columns kept free for a mark */
        unsigned column;  /* where the next character goes */
        unsigned hanging; /* where a wrapped line goes on */
        unsigned pending; /* spaces due before the next word */
        int error;        /* negative errno; sticky */
};

int page_init(struct page *p, FILE *out, bool colour, unsigned columns, bool marks);
/* Flush; the first error there was. */
int page_done(struct page *p);

/* Between blocks: nothing made by the functions below is used any more. False: stop. */
bool page_block(struct page *p);

/* A line: its mark (' ': none), where it begins, and where it goes on when it is wrapped. */
void page_begin(struct page *p, char mark, unsigned indent, unsigned hanging);
void page_end(struct page *p);

/* Words, wrapped at the width. What must not be torn apart goes in one call. */
void page_flow(struct page *p, enum style style, const char *text);
/* Text as it is, cut with "…" at the width. Nothing fits on the line after that. */
void page_cut(struct page *p, enum style style, const char *text);

/* Scratch strings; "" without memory, which page_done() tells. */
const char *page_safe(struct page *p, const char *hostile, size_t max);
const char *page_join(struct page *p, ...) __attribute__((sentinel));
const char *page_number(struct page *p, uint64_t value);
const char *page_hex(struct page *p, uint64_t value);
