/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's side: who asks, waits, gives up and starts again. A module's files stay open here,
 * so that a fresh server can be given those it is asked about.
 */
#include "symbol/elfserver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "elf/wire.h"
#include "symbol/elfcheck.h"
#include "symbol/elfhelper.h"
#include "symbol/elfline.h"

#define PATIENCE_FIRST 4 /* part of the budget that one answer may take… */
#define PATIENCE_LAST 16 /* …and, where much hangs, in the end */
#define PATIENCE_BUSY 2  /* …if the server runs, or would if it were given a CPU */
#define FILES_WANTED 8192

struct file_set {
        int main, debug, alt; /* -1: none */
        int error;            /* why it is bad; 0: it is not */
        bool sent;            /* to the server that runs now */
};

struct elfserver {
        struct elfline line;
        int64_t budget_ns, spent_ns, patience_ns;
        bool greeted;
        int error; /* why none can be had; 0: one can */
        struct file_set *modules;
        size_t n_modules, max_modules;
};

int elfserver_new(struct watch *watch, int64_t budget_ns, struct elfserver **ret_server)
{
        struct elfserver *s = malloc(sizeof(*s));
        struct rlimit files;

        if (!s)
                return -ENOMEM;
        *s = (struct elfserver){ .line = { .watch = watch, .socket = -1 },
                .budget_ns = budget_ns,
                .patience_ns = budget_ns / PATIENCE_FIRST };
        /* Each module keeps up to three files open, and this is not the program but its worker. */
        if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_WANTED) {
                files.rlim_cur = files.rlim_max < FILES_WANTED ? files.rlim_max : FILES_WANTED;
                setrlimit(RLIMIT_NOFILE, &files);
        }
        *ret_server = s;
        return 0;
}

/* The server is gone, or is to be. */
static void server_stop(struct elfserver *s)
{
        if (s->line.socket < 0)
                return;
        elfline_close(&s->line);
        elfhelper_kill(s->line.pid);
        s->greeted = false;
        for (size_t i = 0; i < s->n_modules; i++)
                s->modules[i].sent = false;
}

/*
 * A file whose server does not answer hangs close(2), too (fs/fuse/file.c, fuse_flush()): such a
 * one stays open. It is the worker's, whose end nobody waits for.
 */
static void fd_close(int fd, int error)
{
        if (fd >= 0 && error != -ETIMEDOUT)
                close(fd);
}

void elfserver_free(struct elfserver *s)
{
        if (!s)
                return;
        /* Where process 1 reaps nobody, one that is left is left for ever. */
        server_stop(s);
        for (size_t i = 0; i < s->n_modules; i++) {
                fd_close(s->modules[i].main, s->modules[i].error);
                fd_close(s->modules[i].debug, s->modules[i].error);
                fd_close(s->modules[i].alt, s->modules[i].error);
        }
        free(s->modules);
        free(s);
}

static int server_start(struct elfserver *s)
{
        int r;

        if (s->error)
                return s->error;
        if (s->line.socket >= 0)
                return 0;
        r = elfline_open(&s->line);
        if (r < 0)
                s->error = r;
        return r;
}

void elfserver_warm(struct elfserver *s)
{
        server_start(s);
}

/* The server's first word: what it has given up. */
static int server_greet(struct elfserver *s, const struct deadline *until)
{
        struct wire_answer header;
        struct wire_hello hello;
        int r = s->greeted ? 0 : elfline_receive(&s->line, &header, sizeof(header), until);

        if (r < 0 || s->greeted)
                return r;
        if (header.op != WIRE_HELLO || header.result < 0 || header.length != sizeof(hello))
                return -EOPNOTSUPP;
        r = elfline_receive(&s->line, &hello, sizeof(hello), until);
        if (r < 0)
                return r;
        s->greeted = hello.version == WIRE_VERSION;
        return s->greeted ? 0 : -EOPNOTSUPP;
}

struct exchange {
        struct wire_request request;
        const uint64_t *addresses;
        int fd;
        size_t n_exact; /* the answer has so many bytes; 0: up to WIRE_ANSWER_MAX */
        void *bytes;    /* of the answer; the caller frees */
        size_t n;
};

static int exchange_run(struct elfserver *s, struct exchange *e, const struct deadline *until)
{
        struct { /* in one piece, so that the server need not wake twice */
                struct wire_request header;
                uint64_t addresses[WIRE_ADDRESSES_MAX];
        } message;
        const size_t n_addresses = e->request.n * sizeof(*message.addresses);
        struct wire_answer header = { 0 };
        int r;

        message.header = e->request;
        if (n_addresses)
                memcpy(message.addresses, e->addresses, n_addresses);
        r = elfline_send(&s->line, &message, sizeof(message.header) + n_addresses, e->fd, until);
        if (r == 0)
                r = elfline_receive(&s->line, &header, sizeof(header), until);
        if (r < 0)
                return r;
        if (header.op != e->request.op || header.result > 0 || header.length > WIRE_ANSWER_MAX ||
                (header.result == 0 && e->n_exact && header.length != e->n_exact))
                return -EIO;
        e->bytes = malloc(header.length ? header.length : 1);
        if (!e->bytes)
                return -EIO; /* the rest of the answer would be taken for the next one */
        e->n = header.length;
        r = elfline_receive(&s->line, e->bytes, header.length, until);
        if (r < 0) {
                free(e->bytes);
                e->bytes = NULL;
                return r;
        }
        return header.result;
}

/*
 * One request and its answer. *ret_lost: the server was lost over it (and the error is -EIO or
 * -ETIMEDOUT); otherwise an error is what the server answered.
 */
static int server_ask(struct elfserver *s, struct exchange *e, bool *ret_lost)
{
        const int64_t start = clock_ns(CLOCK_MONOTONIC);
        /* To start takes the helper no longer because others hang. */
        const struct deadline greeting = { start + s->budget_ns / PATIENCE_FIRST,
                start + s->budget_ns / PATIENCE_BUSY };
        struct deadline until;
        int r = server_start(s);

        *ret_lost = false;
        if (r < 0)
                return r;
        if (s->spent_ns >= s->budget_ns) {
                *ret_lost = true;
                return -ETIMEDOUT;
        }
        r = server_greet(s, &greeting);
        if (r < 0) {
                server_stop(s);
                s->error = -EOPNOTSUPP;
                return s->error;
        }
        until = (struct deadline){ clock_ns(CLOCK_MONOTONIC) + s->patience_ns,
                clock_ns(CLOCK_MONOTONIC) + s->patience_ns * PATIENCE_FIRST / PATIENCE_BUSY };
        e->request.patience_ns = (uint64_t)s->patience_ns / 2;
        r = exchange_run(s, e, &until);
        if (r == -EIO || r == -ETIMEDOUT) {
                *ret_lost = true;
                server_stop(s);
        }
        if (r == -ETIMEDOUT) {
                s->spent_ns += clock_ns(CLOCK_MONOTONIC) - start;
                if (s->patience_ns / 2 >= s->budget_ns / PATIENCE_LAST)
                        s->patience_ns /= 2;
        }
        if (r < 0) {
                free(e->bytes);
                e->bytes = NULL;
        }
        return r;
}

static int ask_file(struct elfserver *s, uint32_t op, unsigned id, uint32_t flags, int fd,
        struct elf_facts *ret_facts, bool *ret_lost)
{
        struct exchange e = { .request = { .op = op, .module = id, .flags = flags },
                .fd = fd,
                .n_exact = sizeof(struct elf_facts) };
        int r = server_ask(s, &e, ret_lost);

        if (r == 0 && ret_facts) {
                memcpy(ret_facts, e.bytes, sizeof(*ret_facts));
                elfcheck_facts(ret_facts);
        }
        free(e.bytes);
        return r;
}

static int module_fail(struct file_set *m, int error)
{
        m->error = error;
        return error;
}

/* The module, known to the server that runs. */
static int module_get(struct elfserver *s, unsigned id, struct file_set **ret_module)
{
        struct file_set *m = id < s->n_modules ? &s->modules[id] : NULL;
        bool lost = false;
        int r = 0;

        if (!m)
                return -EINVAL;
        if (m->error)
                return -EBADF;
        if (!m->sent) {
                r = ask_file(s, WIRE_ADD, id, 0, m->main, NULL, &lost);
                if (r == 0 && m->debug >= 0)
                        r = ask_file(s, WIRE_DEBUG, id, ELF_DEBUG, m->debug, NULL, &lost);
                if (r == 0 && m->alt >= 0)
                        r = ask_file(s, WIRE_DEBUG, id, ELF_DEBUG_ALT, m->alt, NULL, &lost);
                if (r < 0)
                        return module_fail(m, r);
                m->sent = true;
        }
        *ret_module = m;
        return 0;
}

int elfserver_add(struct elfserver *s, int fd, unsigned *ret_id, struct elf_facts *ret_facts)
{
        bool lost;
        int r = s->n_modules == WIRE_MODULES_MAX ? -EMFILE : 0;

        if (r == 0 && s->n_modules == s->max_modules) {
                size_t max = s->max_modules ? s->max_modules * 2 : 64;
                struct file_set *p = realloc(s->modules, max * sizeof(*p));

                r = p ? 0 : -ENOMEM;
                if (p) {
                        s->modules = p;
                        s->max_modules = max;
                }
        }
        if (r == 0)
                r = ask_file(s, WIRE_ADD, (unsigned)s->n_modules, 0, fd, ret_facts, &lost);
        if (r < 0) {
                fd_close(fd, r);
                return r;
        }
        s->modules[s->n_modules] =
                (struct file_set){ .main = fd, .debug = -1, .alt = -1, .sent = true };
        *ret_id = (unsigned)s->n_modules++;
        return 0;
}

int elfserver_debug(
        struct elfserver *s, unsigned id, enum elf_debug kind, int fd, struct elf_facts *ret_facts)
{
        struct file_set *m;
        bool lost = false;
        int r = module_get(s, id, &m);

        if (r == 0)
                r = ask_file(s, WIRE_DEBUG, id, kind, fd, ret_facts, &lost);
        if (lost)
                module_fail(m, r);
        if (r < 0)
                fd_close(fd, r);
        else if (kind == ELF_DEBUG_ALT)
                m->alt = fd;
        else
                m->debug = fd;
        return r;
}

/*
 * One request of at most WIRE_ADDRESSES_MAX addresses. A server that dies over it may have been
 * worn out by others (its memory is bounded): a fresh one is asked before the module is bad.
 */
static int ask_addresses(struct elfserver *s, unsigned id, struct exchange *e)
{
        struct file_set *m;
        bool lost;
        int r;

        for (unsigned attempt = 0;; attempt++) {
                r = module_get(s, id, &m);
                if (r < 0)
                        return r;
                e->fd = -1;
                e->request.module = id;
                r = server_ask(s, e, &lost);
                if (lost && (r != -EIO || attempt))
                        return module_fail(m, r);
                if (!lost)
                        return r;
        }
}

int elfserver_rows(struct elfserver *s, unsigned id, const uint64_t *addresses, size_t n,
        struct cfi_row *ret_rows)
{
        for (size_t i = 0; i < n;) {
                size_t part = n - i < WIRE_ADDRESSES_MAX ? n - i : WIRE_ADDRESSES_MAX;
                struct exchange e = { .request = { .op = WIRE_ROWS, .n = (uint32_t)part },
                        .addresses = addresses + i,
                        .n_exact = part * sizeof(*ret_rows) };
                int r = ask_addresses(s, id, &e);

                if (r < 0)
                        return r;
                memcpy(ret_rows + i, e.bytes, e.n);
                free(e.bytes);
                for (size_t k = i; k < i + part; k++)
                        elfcheck_row(&ret_rows[k], addresses[k]);
                i += part;
        }
        return 0;
}

int elfserver_names(struct elfserver *s, unsigned id, enum elf_names what,
        const uint64_t *addresses, size_t n, struct arena *arena, struct elf_name *ret_names)
{
        for (size_t i = 0; i < n;) {
                size_t part = n - i < WIRE_ADDRESSES_MAX ? n - i : WIRE_ADDRESSES_MAX;
                struct exchange e = {
                        .request = { .op = WIRE_NAMES, .flags = what, .n = (uint32_t)part },
                        .addresses = addresses + i
                };
                int r = ask_addresses(s, id, &e);

                if (r == 0) {
                        r = elfcheck_names(e.bytes, e.n, part, arena, ret_names + i);
                        free(e.bytes);
                }
                if (r < 0)
                        return r;
                i += part;
        }
        return 0;
}

const char *elfserver_why(int error)
{
        switch (error) {
        case -ETIMEDOUT:
                return "its parsing took too long";
        case -EIO:
                return "its parsing crashed";
        case -EBADF:
                return "it could not be parsed before";
        case -ENOEXEC:
                return "it is not an ELF file that can be used";
        case -ENOMEM:
                return "there is too little memory";
        case -EMFILE:
                return "too many files are open";
        case -EOPNOTSUPP:
                return PWHY_DWARF
                               ? "the helper program pwhy-elf is not there, or cannot be confined"
                               : "built without DWARF";
        default:
                return "it could not be asked about";
        }
}
