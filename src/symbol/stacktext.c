/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of /proc/PID/stack, to frames and names.
 *
 * Enters: the text, of any kernel generation since 2.6.29, live, recorded or pasted. Leaves:
 * frames whose strings point into one copy of the text, so that a stack costs two pieces of
 * the arena however deep it is. Missing: the address, which kernels since 4.15 print as 0
 * (8f5abe842e34) and others hide by kptr_restrict; the symbol, of code that kallsyms does
 * not know; numbers that do not fit a frame, which no real function has.
 */
#include "symbol/stacktext.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "model.h"

/* Shortest line that makes a frame, with its newline: bounds frames by the text's length. */
#define FRAME_LINE_MIN (sizeof("[<0>] f\n") - 1)

enum line_kind { LINE_JUNK, LINE_BLANK, LINE_END_MARK, LINE_FRAME };

struct cursor {
        char *p;
        char *end;
};

static bool char_is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\r';
}

static int char_to_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

static void cursor_skip_blanks(struct cursor *c)
{
        while (c->p < c->end && char_is_blank(*c->p))
                c->p++;
}

static bool cursor_take(struct cursor *c, const char *token)
{
        size_t n = strlen(token);

        if ((size_t)(c->end - c->p) < n || memcmp(c->p, token, n) != 0)
                return false;
        c->p += n;
        return true;
}

/* Digits of a hexadecimal number, as many as fit 64 bits. */
static bool cursor_take_hex(struct cursor *c, uint64_t *ret)
{
        char *start = c->p;
        uint64_t value = 0;

        for (; c->p < c->end; c->p++) {
                int digit = char_to_digit(*c->p);

                if (digit < 0)
                        break;
                if (value >> 60)
                        return false;
                value = value << 4 | (unsigned)digit;
        }
        if (c->p == start)
                return false;
        *ret = value;
        return true;
}

/*
 * "[<0>]", "[<ffffffff81234567>]", "[<c0123456>]". A restricted pointer may come as zeros or
 * as a word in parentheses, "(null)" or "(____ptrval____)", padded: then it is not told.
 */
static bool cursor_take_address(struct cursor *c, uint64_t *ret)
{
        uint64_t address = 0;

        if (!cursor_take(c, "[<"))
                return false;
        if (!cursor_take_hex(c, &address)) {
                cursor_skip_blanks(c);
                if (!cursor_take(c, "("))
                        return false;
                while (c->p < c->end && *c->p != ')' && *c->p != '>')
                        c->p++;
                if (!cursor_take(c, ")"))
                        return false;
                address = 0;
        }
        if (!cursor_take(c, ">]") || c->p == c->end || !char_is_blank(*c->p))
                return false;
        *ret = address;
        return true;
}

/* " [nfs]", " [nfs 0123456789abcdef0123456789abcdef01234567]", or nothing. */
static bool cursor_take_module(struct cursor *c, char **ret_start, char **ret_end)
{
        char *start;
        char *stop;

        cursor_skip_blanks(c);
        if (!cursor_take(c, "["))
                return true;
        start = c->p;
        while (c->p < c->end && (unsigned char)*c->p > ' ' && *c->p != '[' && *c->p != ']')
                c->p++;
        stop = c->p;
        if (stop == start)
                return false;
        if (cursor_take(c, " "))
                while (c->p < c->end && char_to_digit(*c->p) >= 0)
                        c->p++;
        if (!cursor_take(c, "]"))
                return false;
        *ret_start = start;
        *ret_end = stop;
        return true;
}

/* "+0x1/0x2", "+0x1" or nothing, the whole of [c->p, c->end). */
static bool cursor_take_offset(struct cursor *c, struct frame *f)
{
        uint64_t offset;
        uint64_t size = 0;

        if (c->p == c->end)
                return true;
        if (!cursor_take(c, "+0x") || !cursor_take_hex(c, &offset))
                return false;
        if (c->p < c->end && (!cursor_take(c, "/0x") || !cursor_take_hex(c, &size)))
                return false;
        if (c->p < c->end)
                return false;

        /* A symbol gigabytes long is not the function but the last one kallsyms knows. */
        if (offset <= UINT32_MAX && size <= UINT32_MAX) {
                f->has_offset = true;
                f->offset = (uint32_t)offset;
                f->size = (uint32_t)size;
        }
        return true;
}

/* A word that is no symbol: "0xffffffffc0123456", or all ones, the mark of the end. */
static enum line_kind word_parse_address(struct cursor word, uint64_t *ret)
{
        uint64_t address;

        if (!cursor_take(&word, "0x") || !cursor_take_hex(&word, &address) || word.p < word.end)
                return LINE_JUNK;
        if (address == UINT64_MAX || address == UINT32_MAX)
                return LINE_END_MARK;
        *ret = address;
        return LINE_FRAME;
}

/*
 * "[<ffffffff81234567>] ? f.isra.0+0x1/0x2 [nfs 0123…]", without the newline. Writes the
 * NULs that end the strings only when the whole line is understood; c->end is writable.
 */
static enum line_kind line_parse(struct cursor c, struct frame *ret)
{
        struct frame f = { 0 };
        struct cursor word;
        char *symbol_end = NULL;
        char *module = NULL;
        char *module_end = NULL;

        cursor_skip_blanks(&c);
        if (c.p == c.end)
                return LINE_BLANK;
        if (!cursor_take_address(&c, &f.address))
                return LINE_JUNK;
        cursor_skip_blanks(&c);
        if (cursor_take(&c, "? ")) {
                f.unreliable = true;
                cursor_skip_blanks(&c);
        }

        word.p = c.p;
        while (c.p < c.end && (unsigned char)*c.p > ' ' && *c.p != 0x7f)
                c.p++;
        word.end = c.p;
        if (!cursor_take_module(&c, &module, &module_end))
                return LINE_JUNK;
        cursor_skip_blanks(&c);
        if (word.p == word.end || c.p < c.end)
                return LINE_JUNK;

        if (*word.p >= '0' && *word.p <= '9') { /* no symbol begins with a digit */
                enum line_kind kind = word_parse_address(word, &f.address);

                if (kind != LINE_FRAME)
                        return kind;
        } else {
                char *plus = memchr(word.p, '+', (size_t)(word.end - word.p));

                symbol_end = plus ? plus : word.end;
                if (*word.p == '[' || *word.p == '?' || symbol_end == word.p)
                        return LINE_JUNK;
                f.symbol = word.p;
                word.p = symbol_end;
                if (!cursor_take_offset(&word, &f))
                        return LINE_JUNK;
                *symbol_end = '\0';
        }
        if (module) {
                f.module = module;
                *module_end = '\0';
        }
        *ret = f;
        return LINE_FRAME;
}

static size_t text_count_lines(const char *text, size_t len)
{
        const char *end = text + len;
        size_t n = 0;

        while (text < end) {
                const char *newline = memchr(text, '\n', (size_t)(end - text));

                n++;
                if (!newline)
                        break;
                text = newline + 1;
        }
        return n;
}

int stacktext_parse(struct arena *a, const char *text, size_t len, struct stack *ret)
{
        struct frame *frames = NULL;
        size_t n_frames = 0;
        size_t n_entries = 0;
        bool ended = false;
        bool understood = true;

        if (len > 0) {
                size_t bound = (len + 1) / FRAME_LINE_MIN;
                size_t lines = text_count_lines(text, len);
                char *copy = arena_strn(a, text, len);

                if (lines < bound)
                        bound = lines;
                if (bound > 0)
                        frames = arena_new_array(a, struct frame, bound);
                if (!copy || (bound > 0 && !frames))
                        return -ENOMEM;

                for (char *p = copy, *end = copy + len, *stop; p < end; p = stop + 1) {
                        enum line_kind kind;
                        struct frame f;

                        stop = memchr(p, '\n', (size_t)(end - p));
                        if (!stop)
                                stop = end;
                        kind = line_parse((struct cursor){ p, stop }, &f);
                        if (kind == LINE_FRAME && n_frames < bound)
                                frames[n_frames++] = f;
                        ended |= kind == LINE_END_MARK;
                        understood &= kind != LINE_JUNK;
                        n_entries += kind != LINE_BLANK;
                }
        }

        ret->frames = n_frames > 0 ? frames : NULL;
        ret->n_frames = n_frames;
        /* Kernels that print an end mark count it: a full text without one has been cut. */
        ret->truncated = n_entries == STACK_ENTRIES_MAX && !ended;
        return understood ? 1 : 0;
}

/* What gcc and clang append, without the dot and without the number that may follow. */
static bool word_is_suffix(const char *word, size_t len)
{
        static const char *const suffixes[] = {
                "isra",
                "constprop",
                "part",
                "cold",
                "llvm", /* nearly all there is */
                "lto_priv",
                "localalias",
                "clone",
                "__uniq",
                "cfi_jt",
        };

        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
                if (strlen(suffixes[i]) == len && memcmp(word, suffixes[i], len) == 0)
                        return true;
        return false;
}

static bool word_is_number(const char *word, size_t len)
{
        for (size_t i = 0; i < len; i++)
                if (word[i] < '0' || word[i] > '9')
                        return false;
        return len > 0;
}

size_t symbol_base_length(const char *symbol)
{
        const char *first = strchrnul(symbol, '.');
        size_t len = (size_t)(first - symbol);
        size_t base;

        if (*first == '\0')
                return len;

        /* From the right, since a name may hold dots of its own: Rust's legacy mangling. */
        len += strlen(first);
        base = len;
        for (;;) {
                const char *dot = memrchr(symbol, '.', len);
                size_t word_len;

                if (!dot || dot == symbol)
                        break;
                word_len = (size_t)(symbol + len - dot - 1);
                len = (size_t)(dot - symbol);
                if (word_is_suffix(dot + 1, word_len))
                        base = len;
                else if (len + 1 + word_len != base || !word_is_number(dot + 1, word_len))
                        break; /* a number belongs to the word before it, if that is one */
        }
        return base;
}

/*
 * Wrappers were plain sys_accept with aliases SyS_accept and SYSC_accept
 * until 4.17, and got the architecture's prefix then (ebeb8c82ffaf, d5a00528b58c).
 */
const char *symbol_syscall(const char *symbol)
{
        static const char *const scopes[] = { "x64_", "ia32_", "arm64_", "se_", "do_", "x32_",
                "riscv_", "powerpc_", "s390x_", "s390_" };
        static const char *const forms[] = { "sys_", "SyS_", "SYSC_" };
        const char *p = symbol;

        if (p[0] == '_' && p[1] == '_') {
                size_t scope_len = 0;

                p += 2;
                for (size_t i = 0; i < ARRAY_SIZE(scopes) && scope_len == 0; i++)
                        if (strncmp(p, scopes[i], strlen(scopes[i])) == 0)
                                scope_len = strlen(scopes[i]);
                if (scope_len == 0)
                        return NULL;
                p += scope_len;
        }
        if (strncmp(p, "compat_", 7) == 0)
                p += 7;
        else if (strncmp(p, "C_SYSC_", 7) == 0)
                return p + 7;
        for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
                if (strncmp(p, forms[i], strlen(forms[i])) == 0)
                        return p + strlen(forms[i]);
        return NULL;
}

/*
 * Does a name, the whole symbol or its tail, match one item, "name" or "prefix*"? Nearly all
 * comparisons fail at once, so the symbol is looked at as a whole only when one does not.
 */
static bool name_matches(const char *symbol, const char *name, const char *item)
{
        size_t i = 0;
        bool prefix;
        size_t skipped;
        size_t base;

        while (item[i] == name[i] && item[i] != '\0' && item[i] != '|' && item[i] != '*')
                i++;
        prefix = item[i] == '*' && (item[i + 1] == '|' || item[i + 1] == '\0');
        if (!prefix && item[i] != '|' && item[i] != '\0')
                return false;
        if (!prefix && (i == 0 || (name[i] != '\0' && name[i] != '.')))
                return false;

        skipped = (size_t)(name - symbol);
        base = symbol_base_length(symbol);
        return prefix ? skipped + i <= base : skipped + i == base;
}

bool symbol_matches(const char *symbol, const char *list)
{
        const char *bare = NULL;
        bool bare_known = false;

        if (!symbol || *symbol == '\0')
                return false;

        for (const char *item = list;; item++) {
                if (item[0] == 's' && strncmp(item, "sys:", 4) == 0) {
                        if (!bare_known)
                                bare = symbol_syscall(symbol);
                        bare_known = true;
                        if (bare && *bare != '\0' && name_matches(symbol, bare, item + 4))
                                return true;
                } else if ((item[0] == symbol[0] || item[0] == '*') &&
                           name_matches(symbol, symbol, item)) {
                        return true;
                }
                item = strchrnul(item, '|');
                if (*item == '\0')
                        return false;
        }
}

bool stack_has(const struct stack *stack, const char *list)
{
        for (size_t i = 0; i < stack->n_frames; i++) {
                const struct frame *f = &stack->frames[i];

                if (f->symbol && !f->unreliable && symbol_matches(f->symbol, list))
                        return true;
        }
        return false;
}
