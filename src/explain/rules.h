/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rule table: what the kernel's functions, a system call and an object mean together.
 *
 * Rules are asked in order; the first that applies is the verdict. Each condition is true,
 * false, or not known (the input was refused). A false one ends the rule. One that is not
 * known weakens the verdict by a step; a rule of which nothing but the call is known applies
 * only if it says so (call_decides).
 *
 * Names of functions are lists "name|name|prefix*" over all kernel generations; compiler
 * suffixes do not count, and "sys:read" stands for every wrapper of read (stacktext.h).
 *
 * A new rule: a row in the table, a scenario in tests/live or a golden, a line in docs.
 */
#pragma once

#include "model.h"

enum truth { FALSE, UNSURE, TRUE };

enum subject {        /* what the wait's object is */
        SUBJECT_CALL, /* what the call works on */
        SUBJECT_NONE,
        SUBJECT_TIMER,   /* the time until which it sleeps */
        SUBJECT_LOCK,    /* the call's object, as the kind that "made" says */
        SUBJECT_CGROUP,  /* the control group that holds the thread */
        SUBJECT_PLACE,   /* what the call works on, if on a file system of that kind (place.h) */
        SUBJECT_BLOCKER, /* the kernel lock that it sleeps on, as the kernel tells */
        SUBJECT_MADE,    /* no fd: an object of the kind that "made" says */
};

/* Functions that handle a page fault. */
#define FAULTS                                                                                     \
        "handle_mm_fault|__handle_mm_fault|do_user_addr_fault|exc_page_fault|asm_exc_page_fault|"  \
        "do_page_fault|__do_page_fault|page_fault|do_async_page_fault|async_page_fault|"           \
        "do_mem_abort|faultin_page|el0_da|el0_ia"

struct rule {
        const char *name;   /* in evidence and documentation */
        const char *states; /* of the thread; NULL: "S" */
        bool kernel;        /* a kernel thread's; the others are never */
        const char *calls;  /* the system call; NULL: any; "-": outside of one */
        const char *leaf;   /* innermost function that says something (when.h) */
        const char *within; /* somewhere on the stack */
        const char *kinds;  /* of the call's object */
        /* Of the user stack (userplace.h). Where it is not known, the rule does not apply. */
        const char *user;        /* innermost function that says something */
        const char *caller;      /* the one that called it */
        const char *user_within; /* either, or one of the next few */
        enum truth (*when)(const struct thread *t);
        bool call_decides; /* the call says all: no stack is needed */
        enum subject subject;
        const char *made;
        enum reason reason;
        enum confidence confidence;
        const char *text; /* see words.h for what is filled in */
};

extern const struct rule rules[];
extern const size_t n_rules;
