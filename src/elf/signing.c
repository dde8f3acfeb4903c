/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * On arm64 the CFI of a function that signs its return address has DW_CFA_AARCH64_negate_ra_state
 * (0x2d) where that begins and ends. libdw passes over it and does not tell, so the programs of
 * all FDEs are looked through for it, once, and where each one is signed is remembered.
 */
#include "elf/signing.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "elf/module.h"

#define EH_FRAME_MAX (256U << 20)
#define CFA_NEGATE_RA_STATE 0x2d
#define STATES_MAX 64 /* remembered */

struct span {
        uint64_t start, end;
};

struct signing {
        struct span *spans; /* where the return address is signed; ascending */
        size_t n, max;
};

struct program { /* of one FDE */
        const uint8_t *at, *end;
        uint64_t location, stop, factor;
        uint64_t since; /* signed since there, if is_signed */
        bool is_signed;
        bool states[STATES_MAX];
        unsigned n_states;
};

static void signing_push(struct signing *s, uint64_t start, uint64_t end)
{
        if (start >= end)
                return;
        if (s->n == s->max) {
                size_t max = s->max ? s->max * 2 : 256;
                struct span *p = realloc(s->spans, max * sizeof(*p));

                if (!p)
                        return;
                s->spans = p;
                s->max = max;
        }
        s->spans[s->n++] = (struct span){ start, end };
}

static void program_sign(struct signing *s, struct program *p, bool is_signed)
{
        if (p->is_signed && !is_signed)
                signing_push(s, p->since, p->location);
        if (!p->is_signed && is_signed)
                p->since = p->location;
        p->is_signed = is_signed;
}

static uint64_t program_uleb(struct program *p)
{
        uint64_t value = 0;

        for (unsigned shift = 0; p->at < p->end; shift += 7) {
                uint8_t byte = *p->at++;

                if (shift < 64)
                        value |= (uint64_t)(byte & 0x7f) << shift;
                if (!(byte & 0x80))
                        break;
        }
        return value;
}

static bool program_block(struct program *p)
{
        uint64_t n = program_uleb(p);

        if (n > (uint64_t)(p->end - p->at))
                return false;
        p->at += n;
        return true;
}

static bool program_advance(struct program *p, unsigned bytes)
{
        uint64_t by = 0;

        if (bytes > (size_t)(p->end - p->at))
                return false;
        memcpy(&by, p->at, bytes); /* little-endian, as the file is */
        p->at += bytes;
        p->location += by * p->factor;
        return true;
}

/* One operation (DWARF 5, 6.4.2); false: the end, or something that is not known. */
static bool program_step(struct signing *s, struct program *p)
{
        const uint8_t *op = p->at++;

        switch (*op) {
        case DW_CFA_advance_loc ... DW_CFA_advance_loc + 0x3f:
                p->location += (*op & 0x3f) * p->factor;
                return true;
        case DW_CFA_advance_loc1:
                return program_advance(p, 1);
        case DW_CFA_advance_loc2:
                return program_advance(p, 2);
        case DW_CFA_advance_loc4:
                return program_advance(p, 4);
        case CFA_NEGATE_RA_STATE:
                program_sign(s, p, !p->is_signed);
                return true;
        case DW_CFA_remember_state:
                if (p->n_states == STATES_MAX)
                        return false;
                p->states[p->n_states++] = p->is_signed;
                return true;
        case DW_CFA_restore_state:
                if (p->n_states == 0)
                        return false;
                program_sign(s, p, p->states[--p->n_states]);
                return true;
        case DW_CFA_nop:
        case DW_CFA_restore ... DW_CFA_restore + 0x3f:
                return true;
        case DW_CFA_offset ... DW_CFA_offset + 0x3f:
        case DW_CFA_restore_extended:
        case DW_CFA_undefined:
        case DW_CFA_same_value:
        case DW_CFA_def_cfa_register:
        case DW_CFA_def_cfa_offset:
        case DW_CFA_def_cfa_offset_sf:
        case DW_CFA_GNU_args_size:
                program_uleb(p);
                return true;
        case DW_CFA_offset_extended:
        case DW_CFA_offset_extended_sf:
        case DW_CFA_register:
        case DW_CFA_def_cfa:
        case DW_CFA_def_cfa_sf:
        case DW_CFA_val_offset:
        case DW_CFA_val_offset_sf:
        case DW_CFA_GNU_negative_offset_extended:
                program_uleb(p);
                program_uleb(p);
                return true;
        case DW_CFA_expression:
        case DW_CFA_val_expression:
                program_uleb(p);
                return program_block(p);
        case DW_CFA_def_cfa_expression:
                return program_block(p);
        default:
                return false;
        }
}

/* How the FDEs of a CIE tell addresses: what its augmentation says after 'R'. */
static unsigned cie_encoding(const Dwarf_CIE *cie)
{
        const uint8_t *data = cie->augmentation_data;
        size_t n = data ? cie->augmentation_data_size : 0, at = 0;

        if (!cie->augmentation || cie->augmentation[0] != 'z')
                return DW_EH_PE_absptr;
        for (const char *a = cie->augmentation + 1; *a; a++) {
                if (*a == 'R')
                        return at < n ? data[at] : DW_EH_PE_omit;
                if (*a == 'L')
                        at += 1;
                else if (*a == 'P') /* of a function: encoding and pointer */
                        at += at < n && (data[at] & 0x07) == DW_EH_PE_udata4 ? 5 : 9;
                else if (*a != 'S' && *a != 'B')
                        return DW_EH_PE_omit;
        }
        return DW_EH_PE_absptr;
}

/*
 * The FDE's addresses, in the encodings that compilers use, and what follows them. p->at is at
 * the first; address is that of this byte in memory.
 */
static bool program_begin(struct program *p, unsigned encoding, uint64_t address, bool augmented)
{
        size_t size = (encoding & 0x07) == DW_EH_PE_udata4 ? 4 : 8;
        uint64_t length = 0;
        int64_t start = 0;

        if ((encoding & 0x70) != DW_EH_PE_pcrel && (encoding & 0x70) != 0)
                return false;
        if ((encoding & 0x80) || (encoding & 0x07) == DW_EH_PE_udata2 ||
                (encoding & 0x07) == DW_EH_PE_uleb128 || (size_t)(p->end - p->at) < 2 * size)
                return false;
        memcpy(&start, p->at, size);
        memcpy(&length, p->at + size, size);
        if (size == 4 && (encoding & DW_EH_PE_signed))
                start = (int32_t)start;
        if (encoding & DW_EH_PE_pcrel)
                start += (int64_t)address;
        p->location = (uint64_t)start;
        p->stop = p->location + length;
        p->at += 2 * size;
        return !augmented || program_block(p);
}

static void fde_read(struct signing *s, const unsigned char *ident, Elf_Data *data,
        uint64_t section, const Dwarf_FDE *fde)
{
        struct program p = { .at = fde->start, .end = fde->end };
        uint64_t address = section + (uint64_t)(fde->start - (const uint8_t *)data->d_buf);
        Dwarf_CFI_Entry entry;
        Dwarf_Off next;

        if (dwarf_next_cfi(ident, data, true, fde->CIE_pointer, &next, &entry) != 0 ||
                !dwarf_cfi_cie_p(&entry) || !entry.cie.augmentation)
                return;
        if (!program_begin(&p, cie_encoding(&entry.cie), address, entry.cie.augmentation[0] == 'z'))
                return;
        p.factor = entry.cie.code_alignment_factor;
        while (p.at < p.end && program_step(s, &p))
                ;
        p.location = p.stop;
        program_sign(s, &p, false);
}

static int span_compare(const void *a, const void *b)
{
        const struct span *x = a, *y = b;

        return x->start < y->start ? -1 : x->start > y->start;
}

struct signing *signing_read(struct module *m)
{
        const unsigned char *ident = (unsigned char *)elf_getident(m->main.elf, NULL);
        GElf_Shdr header;
        Elf_Scn *section = image_section(m->main.elf, ".eh_frame", &header);
        Elf_Data *data =
                section && header.sh_type != SHT_NOBITS ? elf_rawdata(section, NULL) : NULL;
        struct signing *s;
        Dwarf_CFI_Entry entry;
        Dwarf_Off offset = 0, next;
        int r;

        if (!ident || !data || !data->d_buf || data->d_size > EH_FRAME_MAX ||
                !memchr(data->d_buf, CFA_NEGATE_RA_STATE, data->d_size))
                return NULL;
        s = calloc(1, sizeof(*s));
        if (!s)
                return NULL;
        /* -1: an entry that cannot be understood; the next one may be. */
        while ((r = dwarf_next_cfi(ident, data, true, offset, &next, &entry)) <= 0) {
                if (r == 0 && !dwarf_cfi_cie_p(&entry))
                        fde_read(s, ident, data, header.sh_addr, &entry.fde);
                if (next <= offset || next == (Dwarf_Off)-1 || module_late(m))
                        break;
                offset = next;
        }
        if (s->n)
                qsort(s->spans, s->n, sizeof(*s->spans), span_compare);
        return s;
}

void signing_free(struct signing *s)
{
        if (!s)
                return;
        free(s->spans);
        free(s);
}

bool signing_at(const struct signing *s, uint64_t address, uint64_t *start, uint64_t *end)
{
        size_t low = 0, high = s->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (s->spans[middle].start <= address)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low < s->n && s->spans[low].start < *end)
                *end = s->spans[low].start;
        if (low == 0)
                return false;
        if (address < s->spans[low - 1].end) {
                if (s->spans[low - 1].start > *start)
                        *start = s->spans[low - 1].start;
                if (s->spans[low - 1].end < *end)
                        *end = s->spans[low - 1].end;
                return true;
        }
        if (s->spans[low - 1].end > *start)
                *start = s->spans[low - 1].end;
        return false;
}
