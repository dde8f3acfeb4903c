/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layer over json-c. Ownership is handed over at once: a value is either inside its
 * parent or freed, so that no caller has anything to clean up.
 */
#include "render/jsonout.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "base/arena.h"
#include "base/escape.h"

#define SCRATCH_MAX ((size_t)1 << 20)
#define FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

int jsonout_init(struct jsonout *j, FILE *out)
{
        *j = (struct jsonout){ .out = out, .scratch = arena_new() };
        return j->scratch ? 0 : -ENOMEM;
}

int jsonout_done(struct jsonout *j)
{
        if (j->error == 0 && j->scratch && arena_failed(j->scratch))
                j->error = -ENOMEM;
        arena_free(j->scratch);
        j->scratch = NULL;
        if (j->error == 0 && fflush(j->out) != 0)
                j->error = errno > 0 ? -errno : -EIO;
        return j->error;
}

static void jsonout_write(struct jsonout *j, const char *text, size_t len)
{
        if (j->error == 0 && fwrite(text, 1, len, j->out) != len)
                j->error = errno > 0 ? -errno : -EIO;
}

void jsonout_literal(struct jsonout *j, const char *text)
{
        jsonout_write(j, text, strlen(text));
}

struct json_object *jsonout_open(struct jsonout *j)
{
        if (j->error == 0 && arena_failed(j->scratch))
                j->error = -ENOMEM;
        if (j->error == 0 && arena_used(j->scratch) > SCRATCH_MAX) {
                arena_free(j->scratch);
                j->scratch = arena_new();
                if (!j->scratch)
                        j->error = -ENOMEM;
        }
        if (j->error < 0)
                return NULL;

        struct json_object *o = json_object_new_object();
        if (!o)
                j->error = -ENOMEM;
        return o;
}

void jsonout_close(struct jsonout *j, struct json_object *o, bool whole)
{
        size_t len = 0;
        const char *text = json_object_to_json_string_length(o, FLAGS, &len);

        if (text && len > 0)
                jsonout_write(j, text, whole ? len : len - 1);
        else if (j->error == 0)
                j->error = -ENOMEM;
        json_object_put(o);
}

/* Hand value to its parent, which returns it, borrowed; NULL when either is missing. */
static struct json_object *member_add(
        struct jsonout *j, struct json_object *o, const char *key, struct json_object *value)
{
        /* Keys are constants, and none is given twice: no copy and no look-up. */
        const unsigned options = JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY;

        if (o && value && json_object_object_add_ex(o, key, value, options) == 0)
                return value;
        json_object_put(value);
        if (j->error == 0)
                j->error = -ENOMEM;
        return NULL;
}

static struct json_object *item_add(
        struct jsonout *j, struct json_object *list, struct json_object *value)
{
        if (list && value && json_object_array_add(list, value) == 0)
                return value;
        json_object_put(value);
        if (j->error == 0)
                j->error = -ENOMEM;
        return NULL;
}

static struct json_object *text_new(struct jsonout *j, const char *text, size_t max)
{
        const char *valid = escape_utf8(j->scratch, text, strnlen(text, max + 1), max);
        return valid ? json_object_new_string(valid) : NULL;
}

struct json_object *jsonout_object(struct jsonout *j, struct json_object *o, const char *key)
{
        return member_add(j, o, key, json_object_new_object());
}

struct json_object *jsonout_list(struct jsonout *j, struct json_object *o, const char *key)
{
        return member_add(j, o, key, json_object_new_array());
}

void jsonout_text(
        struct jsonout *j, struct json_object *o, const char *key, const char *text, size_t max)
{
        if (text)
                member_add(j, o, key, text_new(j, text, max));
}

void jsonout_int(struct jsonout *j, struct json_object *o, const char *key, int64_t value)
{
        member_add(j, o, key, json_object_new_int64(value));
}

void jsonout_uint(struct jsonout *j, struct json_object *o, const char *key, uint64_t value)
{
        member_add(j, o, key, json_object_new_uint64(value));
}

void jsonout_hex(struct jsonout *j, struct json_object *o, const char *key, uint64_t value)
{
        char hex[24];

        snprintf(hex, sizeof(hex), "0x%" PRIx64, value);
        member_add(j, o, key, json_object_new_string(hex));
}

void jsonout_bool(struct jsonout *j, struct json_object *o, const char *key, bool value)
{
        member_add(j, o, key, json_object_new_boolean(value));
}

struct json_object *jsonout_item(struct jsonout *j, struct json_object *list)
{
        return item_add(j, list, json_object_new_object());
}

void jsonout_item_text(struct jsonout *j, struct json_object *list, const char *text, size_t max)
{
        if (text)
                item_add(j, list, text_new(j, text, max));
}
