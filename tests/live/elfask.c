/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks the ELF server about a file, for tests that compare its answers with other tools':
 *
 *      elfask facts|rows|names|lines FILE [DEBUGFILE [ALTFILE]] < addresses, one a line
 *      elfask find FILE [ROOT]     looks for the debug file as pwhy does, then as lines
 *
 * FILE may be @PID:FD, a descriptor of another process.
 *
 * One line an answer (lines: one a frame, innermost first, and an empty line).
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "symbol/debugfile.h"
#include "symbol/debuginfod.h"
#include "symbol/elfserver.h"

#define ADDRESSES_MAX 1000000

static uint64_t addresses[ADDRESSES_MAX];

static size_t addresses_read(void)
{
        size_t n = 0;

        while (n < ADDRESSES_MAX && scanf("%" SCNx64, &addresses[n]) == 1)
                n++;
        return n;
}

static void id_print(const char *name, const uint8_t *id, unsigned n)
{
        printf("%s ", name);
        for (unsigned i = 0; i < n; i++)
                printf("%02x", id[i]);
        printf("\n");
}

static void facts_print(const struct elf_facts *f)
{
        printf("machine %u type %u\n", f->machine, f->type);
        id_print("build-id", f->build_id, f->n_build_id);
        printf("link %s %08x\n", f->link, f->link_crc);
        printf("alt %s\n", f->alt);
        id_print("alt-id", f->alt_id, f->n_alt_id);
        printf("symtab %u minidebug %u debug %u eh_frame %u debug_frame %u\n", f->has_symtab,
                f->has_minidebug, f->has_debug, f->has_eh_frame, f->has_debug_frame);
        for (unsigned i = 0; i < f->n_segments; i++)
                printf("segment %#" PRIx64 " %#" PRIx64 " %#" PRIx64 " %u\n", f->segments[i].offset,
                        f->segments[i].address, f->segments[i].file_size, f->segments[i].flags);
}

static void rule_print(const struct cfi_row *row, const struct cfi_rule *rule)
{
        static const char *const how[] = { "undefined", "same", "at", "cfa", "register", "at-expr",
                "expr", "reg" };

        printf(" %u:%s", rule->reg, how[rule->how]);
        if (!rule->length) {
                if (rule->how != CFI_SAME)
                        printf("%+d", rule->offset);
                return;
        }
        for (unsigned i = 0; i < rule->length; i++)
                printf("%s%02x", i ? "" : "=", row->bytes[rule->offset + (int)i]);
}

static void row_print(uint64_t address, const struct cfi_row *row)
{
        static const char *const status[] = { "none", "row", "bad" };

        printf("%" PRIx64 " %s %" PRIx64 " %" PRIx64, address, status[row->status], row->start,
                row->end);
        if (row->status == CFI_ROW) {
                printf(" ra=%u%s%s%s cfa", row->ra, row->signal_frame ? " signal" : "",
                        row->outermost ? " outermost" : "", row->ra_signed ? " signed" : "");
                rule_print(row, &row->cfa);
                for (unsigned i = 0; i < row->n_rules; i++)
                        rule_print(row, &row->rules[i]);
        }
        printf("\n");
}

static const char *or_none(const char *s)
{
        return s ? s : "??";
}

static void name_print(uint64_t address, const struct elf_name *n, bool lines)
{
        if (!lines) {
                printf("%" PRIx64 "\t%s\t%s\t%s\t%" PRIu64 "\t%" PRIu64 "\n", address,
                        or_none(n->function), or_none(n->symbol), or_none(n->exported), n->offset,
                        n->size);
                return;
        }
        for (unsigned i = 0; i < n->n_inlined; i++)
                printf("%s\t%s:%u\tinlined\n", or_none(n->inlined[i].function),
                        or_none(n->inlined[i].file), n->inlined[i].line);
        printf("%s\t%s:%u\n\n", or_none(n->function), or_none(n->file), n->line);
}

static int rows_ask(struct elfserver *s, unsigned id, size_t n)
{
        struct cfi_row *rows = calloc(n ? n : 1, sizeof(*rows));
        int r = rows ? elfserver_rows(s, id, addresses, n, rows) : -1;

        for (size_t i = 0; i < n && r == 0; i++)
                row_print(addresses[i], &rows[i]);
        free(rows);
        return r;
}

static int names_ask(struct elfserver *s, unsigned id, size_t n, bool lines)
{
        struct arena *arena = arena_new();
        struct elf_name *names = calloc(n ? n : 1, sizeof(*names));
        int r = elfserver_names(
                s, id, lines ? ELF_NAMES_LINES : ELF_NAMES_SYMBOLS, addresses, n, arena, names);

        for (size_t i = 0; i < n && r == 0; i++)
                name_print(addresses[i], &names[i], lines);
        free(names);
        arena_free(arena);
        return r;
}

static int file_open(const char *name)
{
        int pid, fd, process;

        if (sscanf(name, "@%d:%d", &pid, &fd) != 2)
                return open(name, O_RDONLY | O_CLOEXEC);
        process = (int)syscall(SYS_pidfd_open, pid, 0);
        return (int)syscall(SYS_pidfd_getfd, process, fd, 0);
}

/* As pwhy does: with the debug file that can be found, in a root if one is given. */
static int find(
        struct elfserver *s, unsigned id, const struct elf_facts *facts, int argc, char **argv)
{
        struct debugfile_search search = { .root = -1, .path = argv[2] };
        int r;

        if (argc > 3)
                search.root = open(argv[3], O_PATH | O_DIRECTORY | O_CLOEXEC);
        search.debuginfod = debuginfod_new(NULL, 5 * NS_PER_S);
        r = debugfile_attach(&search, s, id, facts);
        debuginfod_free(search.debuginfod);
        fprintf(stderr, "attached: %d\n", r);
        return r < 0 ? r : names_ask(s, id, addresses_read(), true);
}

static int ask(struct elfserver *s, int argc, char **argv)
{
        struct elf_facts facts;
        unsigned id;
        int r = elfserver_add(s, file_open(argv[2]), &id, &facts);

        if (r == 0 && strcmp(argv[1], "find") == 0)
                return find(s, id, &facts, argc, argv);
        for (int i = 3; i < argc && r == 0; i++)
                r = elfserver_debug(
                        s, id, i == 3 ? ELF_DEBUG : ELF_DEBUG_ALT, file_open(argv[i]), NULL);
        if (r < 0)
                return r;
        if (strcmp(argv[1], "facts") == 0) {
                facts_print(&facts);
                return 0;
        }
        if (strcmp(argv[1], "rows") == 0)
                return rows_ask(s, id, addresses_read());
        return names_ask(s, id, addresses_read(), strcmp(argv[1], "names") != 0);
}

int main(int argc, char **argv)
{
        struct elfserver *s;
        int r;

        if (argc < 3) {
                fputs("elfask facts|rows|names|lines|find FILE [DEBUGFILE [ALTFILE]]\n", stderr);
                return 2;
        }
        if (elfserver_new(NULL, 20 * NS_PER_S, &s) < 0)
                return 1;
        r = ask(s, argc, argv);
        if (r < 0)
                fprintf(stderr, "elfask: %s: %s\n", argv[2], elfserver_why(r));
        elfserver_free(s);
        return r < 0;
}
