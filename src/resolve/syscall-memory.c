/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the arguments of a system call point to, as text. The bytes are the target's:
 * lengths are those that were read, never those that were passed, and every array is
 * shown up to a bound. A structure that was read in part is shown as a bare pointer.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "resolve/flockmem.h"
#include "resolve/syscall-line.h"

#define STRING_LEN_MAX ESCAPE_NAME_MAX /* bytes of a path */
#define POLLFDS_MAX 8
#define SEMBUFS_MAX 4
#define FDS_MAX 16

static uint16_t read_u16(const uint8_t *p)
{
        return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t read_u32(const uint8_t *p)
{
        return read_u16(p) | (uint32_t)read_u16(p + 2) << 16;
}

static uint64_t read_u64(const uint8_t *p)
{
        return read_u32(p) | (uint64_t)read_u32(p + 4) << 32;
}

/* How many elements of that size the next argument says there are and memory holds. */
static size_t array_count(const struct call *call, size_t i, size_t size, uint64_t *ret_passed)
{
        size_t held = call->memory[i].len / size;

        *ret_passed = i < 5 ? (uint32_t)call->args[i + 1] : 0;
        return *ret_passed < held ? (size_t)*ret_passed : held;
}

/* escape_text() doubles backslashes, so that one before a quote is always ours. */
static void add_quoted(struct line *l, const char *text, size_t len)
{
        const char *s = escape_text(l->arena, text, len, STRING_LEN_MAX);

        line_add(l, "\"");
        while (s && *s) {
                size_t n = strcspn(s, "\"");

                line_add(l, "%.*s%s", (int)n, s, s[n] ? "\\\"" : "");
                s += n + (s[n] != '\0');
        }
        line_add(l, "\"");
}

static bool add_string(struct line *l, const struct call_memory *m)
{
        size_t len = strnlen(m->bytes, m->len);

        if (m->len == 0)
                return false;
        add_quoted(l, m->bytes, len);
        if (len == m->len && len <= STRING_LEN_MAX)
                line_add(l, "…"); /* no end was read; a longer one shows it already */
        return true;
}

/* A timespec or timeval: two numbers of the ABI's long, or of 64 bits. */
static bool add_time(struct line *l, const struct call_memory *m, char letter)
{
        const uint8_t *p = m->bytes;
        const char *fraction = letter == 'v' ? "usec" : "nsec";
        bool narrow = l->call->abi == ABI_I386;
        int64_t seconds, rest;

        if (narrow && letter != '6') {
                if (m->len < 8)
                        return false;
                seconds = (int32_t)read_u32(p);
                rest = (int32_t)read_u32(p + 4);
        } else {
                if (m->len < 16)
                        return false;
                seconds = (int64_t)read_u64(p);
                /* The upper half is padding to 32-bit programs; the kernel ignores it. */
                rest = narrow ? (int32_t)read_u32(p + 8) : (int64_t)read_u64(p + 8);
        }
        line_add(l, "{tv_sec=%lld, tv_%s=%lld}", (long long)seconds, fraction, (long long)rest);
        return true;
}

static void add_unix_path(struct line *l, const char *path, size_t len)
{
        if (len == 0) {
                line_add(l, "{AF_UNIX}");
        } else if (path[0] != '\0') {
                line_add(l, "{AF_UNIX, ");
                add_quoted(l, path, strnlen(path, len));
                line_add(l, "}");
        } else {
                line_add(l, "{AF_UNIX, @"); /* abstract: the whole length is the name */
                add_quoted(l, path + 1, len - 1);
                line_add(l, "}");
        }
}

static bool add_sockaddr(struct line *l, size_t i)
{
        const struct call_memory *m = &l->call->memory[i];
        const uint8_t *p = m->bytes;
        char host[INET6_ADDRSTRLEN];
        uint64_t passed;
        size_t len = array_count(l->call, i, 1, &passed);
        unsigned family;

        if (len < 2)
                return false;
        family = read_u16(p);
        if (family == AF_UNIX) {
                add_unix_path(l, (const char *)p + 2, len - 2);
        } else if (family == AF_INET && len >= 8) {
                inet_ntop(AF_INET, p + 4, host, sizeof(host));
                line_add(l, "{AF_INET, %s:%u}", host, (unsigned)(p[2] << 8 | p[3]));
        } else if (family == AF_INET6 && len >= 24) {
                uint32_t scope = len >= 28 ? read_u32(p + 24) : 0;

                inet_ntop(AF_INET6, p + 8, host, sizeof(host));
                line_add(l, "{AF_INET6, [%s", host);
                if (scope)
                        line_add(l, "%%%u", scope);
                line_add(l, "]:%u}", (unsigned)(p[2] << 8 | p[3]));
        } else if (family == AF_NETLINK && len >= 12) {
                line_add(l, "{AF_NETLINK, pid=%u, groups=0x%x}", read_u32(p + 4), read_u32(p + 8));
        } else if (family == AF_UNSPEC) {
                line_add(l, "{AF_UNSPEC}");
        } else {
                line_add(l, "{family=%u}", family);
        }
        return true;
}

static void add_events(struct line *l, unsigned events)
{
        static const struct {
                uint16_t bit;
                char name[11];
        } names[] = {
                { 0x1, "POLLIN" },
                { 0x2, "POLLPRI" },
                { 0x4, "POLLOUT" },
                { 0x8, "POLLERR" },
                { 0x10, "POLLHUP" },
                { 0x20, "POLLNVAL" },
                { 0x40, "POLLRDNORM" },
                { 0x80, "POLLRDBAND" },
                { 0x100, "POLLWRNORM" },
                { 0x200, "POLLWRBAND" },
                { 0x400, "POLLMSG" },
                { 0x2000, "POLLRDHUP" },
        };
        const char *between = "";

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (events & names[i].bit) {
                        line_add(l, "%s%s", between, names[i].name);
                        events &= ~(unsigned)names[i].bit;
                        between = "|";
                }
        if (events)
                line_add(l, "%s0x%x", between, events);
        else if (!*between)
                line_add(l, "0");
}

static bool add_pollfds(struct line *l, size_t i)
{
        const uint8_t *p = l->call->memory[i].bytes;
        uint64_t passed;
        size_t n = array_count(l->call, i, 8, &passed);

        if (n == 0 && passed > 0)
                return false;
        if (n > POLLFDS_MAX)
                n = POLLFDS_MAX;
        line_add(l, "[");
        for (size_t k = 0; k < n; k++, p += 8) {
                line_add(l, "%s{fd=%d, events=", k ? ", " : "", (int32_t)read_u32(p));
                add_events(l, read_u16(p + 4));
                line_add(l, "}");
        }
        line_add(l, n < passed ? ", …]" : "]");
        return true;
}

static bool add_sembufs(struct line *l, size_t i)
{
        const uint8_t *p = l->call->memory[i].bytes;
        uint64_t passed;
        size_t n = array_count(l->call, i, 6, &passed);

        if (n == 0)
                return false;
        if (n > SEMBUFS_MAX)
                n = SEMBUFS_MAX;
        line_add(l, "[");
        for (size_t k = 0; k < n; k++, p += 6)
                line_add(l, "%s{sem_num=%u, sem_op=%d, sem_flg=0x%x}", k ? ", " : "",
                        (unsigned)read_u16(p), (int16_t)read_u16(p + 2), (unsigned)read_u16(p + 4));
        line_add(l, n < passed ? ", …]" : "]");
        return true;
}

/* Bit n of a set of fds is bit n % 8 of byte n / 8: all three machines are little-endian. */
static bool add_fdset(struct line *l, const struct call_memory *m)
{
        const uint8_t *p = m->bytes;
        int64_t bound = (int32_t)l->call->args[0];
        size_t wanted = bound > 0 ? (size_t)bound : 0;
        size_t n = wanted < m->len * 8 ? wanted : m->len * 8;
        size_t shown = 0;
        bool more = n < wanted;

        if (n == 0 && wanted > 0)
                return false;
        line_add(l, "[");
        for (size_t fd = 0; fd < n; fd++) {
                if (!(p[fd / 8] & 1U << fd % 8))
                        continue;
                if (shown == FDS_MAX) {
                        more = true;
                        break;
                }
                line_add(l, "%s%zu", shown++ ? " " : "", fd);
        }
        line_add(l, more ? " …]" : "]");
        return true;
}

/* [INT TERM]; a set of more than half as what is not in it, ~[KILL STOP]. */
static bool add_sigset(struct line *l, const struct call_memory *m)
{
        uint64_t set;
        const char *between = "";

        if (m->len < 8)
                return false;
        set = read_u64(m->bytes);
        if (__builtin_popcountll(set) > 32) {
                set = ~set;
                line_add(l, "~");
        }
        line_add(l, "[");
        for (unsigned n = 1; n <= 64; n++)
                if (set & UINT64_C(1) << (n - 1)) {
                        line_add(l, "%s", between);
                        line_add_signal(l, n);
                        between = " ";
                }
        line_add(l, "]");
        return true;
}

static bool add_flock(struct line *l)
{
        static const char types[][8] = { "F_RDLCK", "F_WRLCK", "F_UNLCK" };
        static const char whences[][9] = { "SEEK_SET", "SEEK_CUR", "SEEK_END" };
        struct flock_words w;

        if (!flock_words_read(l->call, &w))
                return false;
        if (w.type >= 0 && w.type < (int)ARRAY_SIZE(types))
                line_add(l, "{l_type=%s", types[w.type]);
        else
                line_add(l, "{l_type=%d", w.type);
        if (w.whence >= 0 && w.whence < (int)ARRAY_SIZE(whences))
                line_add(l, ", l_whence=%s", whences[w.whence]);
        else
                line_add(l, ", l_whence=%d", w.whence);
        line_add(l, ", l_start=%lld, l_len=%lld}", (long long)w.start, (long long)w.len);
        return true;
}

bool line_add_memory(struct line *l, char letter, size_t i)
{
        const struct call_memory *m = &l->call->memory[i];

        if (!m->bytes)
                return false;
        switch (letter) {
        case 's':
                return add_string(l, m);
        case 't':
        case '6':
        case 'v':
                return add_time(l, m, letter);
        case 'S':
                return add_sockaddr(l, i);
        case 'L':
                return add_pollfds(l, i);
        case 'B':
                return add_sembufs(l, i);
        case 'K':
                return add_flock(l);
        case 'e':
                return add_fdset(l, m);
        case 'G':
                return add_sigset(l, m);
        default:
                return false;
        }
}
