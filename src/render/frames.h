/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks for people, one frame a line, the innermost first. */
#pragma once

struct page;
struct stack;
struct user_stack;

void frames_kernel_write(struct page *p, const struct stack *stack, unsigned indent);
void frames_user_write(
        struct page *p, const struct user_stack *stack, unsigned indent); /* NULL: none */
