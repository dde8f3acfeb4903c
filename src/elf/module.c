/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files are mapped, not read: of 500 MB of debug information a few pages are looked at. A file
 * that shrinks meanwhile ends the server (SIGBUS), as any other crash does.
 *
 * libdw opens files by itself only where a dwz file or a split unit is wanted. The first is
 * given by dwarf_setalt(), the second is never asked for.
 */
#include "elf/module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "elf/minidebug.h"
#include "elf/signing.h"
#include "elf/symtab.h"
#include "elf/units.h"

/* libdw's own mark for "there is none, do not look for it" (dwarf_getalt(), since 0.159). */
#define ALT_NONE ((Dwarf *)-1L)

bool module_late(const struct module *m)
{
        return m->until_ns && clock_ns(CLOCK_MONOTONIC) > m->until_ns;
}

Elf_Scn *image_section(Elf *elf, const char *name, GElf_Shdr *ret_header)
{
        Elf_Scn *section = NULL;
        size_t names;

        if (!elf || elf_getshdrstrndx(elf, &names) != 0)
                return NULL;
        while ((section = elf_nextscn(elf, section))) {
                const char *s;

                if (!gelf_getshdr(section, ret_header))
                        continue;
                s = elf_strptr(elf, names, ret_header->sh_name);
                if (s && strcmp(s, name) == 0)
                        return section;
        }
        return NULL;
}

static void image_close(struct image *i)
{
        if (i->elf)
                elf_end(i->elf);
        if (i->fd >= 0)
                close(i->fd);
        free(i->memory);
        *i = (struct image){ .fd = -1 };
}

static int image_check(struct image *i)
{
        GElf_Ehdr header;

        if (!i->elf)
                return -ENOEXEC;
        if (elf_kind(i->elf) != ELF_K_ELF || !gelf_getehdr(i->elf, &header))
                return -ENOEXEC;
        if (header.e_ident[EI_DATA] != ELFDATA2LSB)
                return -ENOEXEC;
        i->machine = header.e_machine;
        i->type = header.e_type;
        return 0;
}

/* Only what is loaded as it is has the addresses that are asked about. */
static bool image_loadable(const struct image *i)
{
        return i->type == ET_EXEC || i->type == ET_DYN;
}

static void image_map(struct image *i)
{
        struct stat st;

        elf_version(EV_CURRENT);
        if (fstat(i->fd, &st) == 0 && S_ISREG(st.st_mode))
                i->elf = elf_begin(i->fd, ELF_C_READ_MMAP, NULL);
}

static int image_open(struct image *i, int fd)
{
        int r;

        *i = (struct image){ .fd = fd };
        image_map(i);
        r = image_check(i);
        if (r < 0)
                image_close(i);
        return r;
}

static int image_open_memory(struct image *i, void *memory, size_t size, bool owned)
{
        int r;

        elf_version(EV_CURRENT);
        *i = (struct image){ .fd = -1, .memory = owned ? memory : NULL };
        i->elf = elf_memory(memory, size);
        r = image_check(i);
        if (r < 0)
                image_close(i);
        return r;
}

/* NT_GNU_BUILD_ID from the program headers or, where these are not in the file, the sections. */
static void facts_build_id(Elf *elf, struct elf_facts *f)
{
        const void *id;
        ssize_t n = dwelf_elf_gnu_build_id(elf, &id);

        if (n <= 0 || n > ELF_BUILD_ID_MAX)
                return;
        memcpy(f->build_id, id, (size_t)n);
        f->n_build_id = (uint8_t)n;
}

static Elf_Data *section_data(Elf *elf, const char *name)
{
        GElf_Shdr header;
        Elf_Scn *section = image_section(elf, name, &header);

        return section && header.sh_type != SHT_NOBITS ? elf_rawdata(section, NULL) : NULL;
}

/* .gnu_debuglink: "NAME\0", padding to 4 bytes, CRC-32 of that file. */
static void facts_link(Elf *elf, struct elf_facts *f)
{
        const Elf_Data *data = section_data(elf, ".gnu_debuglink");
        size_t n = data && data->d_buf ? strnlen(data->d_buf, data->d_size) : 0;
        size_t crc = (n + 4) & ~(size_t)3;

        if (n == 0 || n >= ELF_LINK_MAX || crc + 4 > data->d_size)
                return;
        memcpy(f->link, data->d_buf, n);
        memcpy(&f->link_crc, (const char *)data->d_buf + crc, 4);
}

/* .gnu_debugaltlink: "NAME\0", the build ID of that file. */
static void facts_alt(Elf *elf, struct elf_facts *f)
{
        const Elf_Data *data = section_data(elf, ".gnu_debugaltlink");
        size_t n = data && data->d_buf ? strnlen(data->d_buf, data->d_size) : 0;

        if (n == 0 || n >= ELF_LINK_MAX || n >= data->d_size - 1)
                return;
        if (data->d_size - n - 1 > ELF_BUILD_ID_MAX)
                return;
        memcpy(f->alt, data->d_buf, n);
        f->n_alt_id = (uint8_t)(data->d_size - n - 1);
        memcpy(f->alt_id, (const char *)data->d_buf + n + 1, f->n_alt_id);
}

static void facts_segments(Elf *elf, struct elf_facts *f)
{
        size_t n;

        if (elf_getphdrnum(elf, &n) != 0)
                return;
        for (size_t i = 0; i < n && i < UINT16_MAX && f->n_segments < ELF_SEGMENTS_MAX; i++) {
                GElf_Phdr p;

                if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_LOAD)
                        continue;
                f->segments[f->n_segments++] = (struct elf_segment){ .offset = p.p_offset,
                        .address = p.p_vaddr,
                        .file_size = p.p_filesz,
                        .memory_size = p.p_memsz,
                        .flags = p.p_flags };
        }
}

static bool section_filled(Elf *elf, const char *name)
{
        GElf_Shdr header;

        return image_section(elf, name, &header) && header.sh_type != SHT_NOBITS &&
               header.sh_size > 0;
}

static void facts_read(const struct image *i, struct elf_facts *f)
{
        *f = (struct elf_facts){ .machine = i->machine,
                .type = i->type,
                .class64 = gelf_getclass(i->elf) == ELFCLASS64 };
        facts_build_id(i->elf, f);
        facts_link(i->elf, f);
        facts_alt(i->elf, f);
        facts_segments(i->elf, f);
        f->has_symtab = section_filled(i->elf, ".symtab");
        f->has_minidebug = section_filled(i->elf, ".gnu_debugdata");
        f->has_debug =
                section_filled(i->elf, ".debug_info") || section_filled(i->elf, ".zdebug_info");
        f->has_eh_frame = section_filled(i->elf, ".eh_frame");
        f->has_debug_frame =
                section_filled(i->elf, ".debug_frame") || section_filled(i->elf, ".zdebug_frame");
}

static const struct module module_empty = {
        .main.fd = -1, .debug.fd = -1, .alt.fd = -1, .mini.fd = -1
};

static int module_begin(struct module *m)
{
        if (!image_loadable(&m->main)) {
                image_close(&m->main);
                return -ENOEXEC;
        }
        facts_read(&m->main, &m->facts);
        return 0;
}

int module_open(struct module *m, int fd)
{
        int r;

        *m = module_empty;
        r = image_open(&m->main, fd);
        return r < 0 ? r : module_begin(m);
}

int module_open_memory(struct module *m, void *image, size_t size)
{
        int r;

        *m = module_empty;
        r = image_open_memory(&m->main, image, size, false);
        return r < 0 ? r : module_begin(m);
}

static void image_dwarf_close(struct image *i)
{
        if (i->dwarf) {
                dwarf_setalt(i->dwarf, ALT_NONE);
                dwarf_end(i->dwarf);
        }
        i->dwarf = NULL;
        i->dwarf_tried = false;
}

static void module_dwarf_close(struct module *m)
{
        cuset_free(m->units);
        m->units = NULL;
        m->debug_frame = (struct cfi_table){ 0 };
        image_dwarf_close(&m->debug);
        image_dwarf_close(&m->main);
        image_dwarf_close(&m->alt);
}

/* What was read before there was another file to read from. */
static void module_forget(struct module *m)
{
        module_dwarf_close(m);
        symtab_free(m->symbols);
        m->symbols = NULL;
}

/* All that has been read, but not the files. */
static void module_drop(struct module *m)
{
        module_forget(m);
        symtab_free(m->exported);
        m->exported = NULL;
        if (m->eh_frame.cfi)
                dwarf_cfi_end(m->eh_frame.cfi);
        m->eh_frame = (struct cfi_table){ 0 };
        signing_free(m->signing);
        m->signing = NULL;
        image_close(&m->mini);
        m->mini_tried = false;
}

void module_close(struct module *m)
{
        module_drop(m);
        image_close(&m->debug);
        image_close(&m->main);
        image_close(&m->alt);
}

void module_rest(struct module *m)
{
        struct image *const images[] = { &m->main, &m->debug, &m->alt };

        if (m->main.fd < 0)
                return;
        module_drop(m);
        for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
                if (images[i]->elf)
                        elf_end(images[i]->elf);
                images[i]->elf = NULL;
        }
}

int module_wake(struct module *m)
{
        struct image *const images[] = { &m->main, &m->debug, &m->alt };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(images) && r == 0; i++) {
                if (images[i]->elf || images[i]->fd < 0)
                        continue;
                image_map(images[i]);
                r = image_check(images[i]);
                if (r < 0) {
                        elf_end(images[i]->elf); /* NULL is nothing to it */
                        images[i]->elf = NULL;
                }
        }
        return r;
}

/* The CRC-32 that a debug link has of the whole file. */
static bool crc_matches(const struct image *i, uint32_t crc)
{
        size_t size;
        const char *file = elf_rawfile(i->elf, &size);

        return file && (uint32_t)crc32_z(0, (const Bytef *)file, size) == crc;
}

static bool debug_matches(const struct module *m, const struct image *i, const struct elf_facts *f)
{
        if (i->machine != m->main.machine || !image_loadable(i))
                return false;
        if (m->facts.n_build_id)
                return f->n_build_id == m->facts.n_build_id &&
                       memcmp(f->build_id, m->facts.build_id, f->n_build_id) == 0;
        return m->facts.link[0] && crc_matches(i, m->facts.link_crc);
}

/* The dwz file that either of the two names; it has no program, only a build ID. */
static bool alt_matches(const struct module *m, const struct elf_facts *f)
{
        struct elf_facts wanted = m->facts;

        if (!m->facts.has_debug && m->debug.elf)
                facts_read(&m->debug, &wanted);
        return f->n_build_id && f->n_build_id == wanted.n_alt_id &&
               memcmp(f->build_id, wanted.alt_id, f->n_build_id) == 0;
}

int module_debug(struct module *m, enum elf_debug kind, int fd, struct elf_facts *ret_facts)
{
        struct image *to = kind == ELF_DEBUG_ALT ? &m->alt : &m->debug;
        struct elf_facts facts;
        struct image image;
        int r = image_open(&image, fd);

        if (r < 0)
                return r;
        facts_read(&image, &facts);
        if (to->elf || !(kind == ELF_DEBUG_ALT ? alt_matches(m, &facts)
                                               : debug_matches(m, &image, &facts))) {
                image_close(&image);
                return -ESTALE;
        }
        module_forget(m);
        *to = image;
        *ret_facts = facts;
        return 0;
}

static Dwarf *image_dwarf(struct image *i)
{
        if (!i->dwarf_tried && i->elf) {
                i->dwarf_tried = true;
                i->dwarf = dwarf_begin_elf(i->elf, DWARF_C_READ, NULL);
                if (i->dwarf)
                        dwarf_setalt(i->dwarf, ALT_NONE);
        }
        return i->dwarf;
}

Dwarf *module_dwarf(struct module *m)
{
        struct image *i = m->debug.elf && !m->facts.has_debug ? &m->debug : &m->main;
        Dwarf *dwarf = image_dwarf(i), *alt = image_dwarf(&m->alt);

        if (dwarf && alt)
                dwarf_setalt(dwarf, alt);
        return dwarf;
}

Elf *module_mini(struct module *m)
{
        void *memory;
        size_t size;

        if (m->mini_tried || !m->facts.has_minidebug)
                return m->mini.elf;
        m->mini_tried = true;
        if (minidebug_read(section_data(m->main.elf, ".gnu_debugdata"), &memory, &size) == 0)
                image_open_memory(&m->mini, memory, size, true);
        return m->mini.elf;
}
