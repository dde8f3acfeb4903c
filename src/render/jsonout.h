/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing JSON with json-c, with errors kept in one place: the functions accept the NULL that
 * an earlier one returned without memory, and jsonout_done() tells.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct arena;
struct call;
struct json_object;
struct object;
struct stack;
struct user_stack;

struct jsonout {
        FILE *out;
        struct arena *scratch; /* renewed by jsonout_open() */
        int error;             /* negative errno; sticky */
};

int jsonout_init(struct jsonout *j, FILE *out);
/* Flush; the first error there was. */
int jsonout_done(struct jsonout *j);

/* A new object; NULL when nothing more can be written. */
struct json_object *jsonout_open(struct jsonout *j);
/* Write and free it; unless whole, without the closing brace. */
void jsonout_close(struct jsonout *j, struct json_object *o, bool whole);
void jsonout_literal(struct jsonout *j, const char *text);

/* Members of an object. A text that is NULL is left out. */
struct json_object *jsonout_object(struct jsonout *j, struct json_object *o, const char *key);
struct json_object *jsonout_list(struct jsonout *j, struct json_object *o, const char *key);
void jsonout_text(
        struct jsonout *j, struct json_object *o, const char *key, const char *text, size_t max);
void jsonout_int(struct jsonout *j, struct json_object *o, const char *key, int64_t value);
void jsonout_uint(struct jsonout *j, struct json_object *o, const char *key, uint64_t value);
void jsonout_hex(struct jsonout *j, struct json_object *o, const char *key, uint64_t value);
void jsonout_bool(struct jsonout *j, struct json_object *o, const char *key, bool value);

/* Items of a list. */
struct json_object *jsonout_item(struct jsonout *j, struct json_object *list);
void jsonout_item_text(struct jsonout *j, struct json_object *list, const char *text, size_t max);

/* Parts of the model (jsonmodel.c). */
void jsonout_model_object(struct jsonout *j, struct json_object *o, const struct object *object);
void jsonout_call(struct jsonout *j, struct json_object *o, const struct call *call);
void jsonout_stack(struct jsonout *j, struct json_object *list, const struct stack *stack);
void jsonout_user_stack(struct jsonout *j, struct json_object *o, const struct user_stack *stack);
