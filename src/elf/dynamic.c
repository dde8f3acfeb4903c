/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Section headers are not needed to run a program, and packers cut them off. What is needed at run
 * time is found by the program headers: PT_DYNAMIC has the addresses of the symbols, their
 * names and a hash table, from which alone their number can be told.
 */
#include "elf/dynamic.h"

#include <string.h>

#define SYMBOLS_MAX (1U << 20)

struct places { /* addresses, as the entries of PT_DYNAMIC have them; 0: not there */
        uint64_t symbols, strings, n_strings, hash, gnu_hash;
};

/* The rest of the segment that an address is in, as it is in the file. */
static Elf_Data *address_data(Elf *elf, uint64_t address, uint64_t most, Elf_Type type)
{
        size_t n;

        if (!address || elf_getphdrnum(elf, &n) != 0)
                return NULL;
        for (size_t i = 0; i < n && i < UINT16_MAX; i++) {
                GElf_Phdr p;
                uint64_t left;

                if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_LOAD || address < p.p_vaddr ||
                        address - p.p_vaddr >= p.p_filesz)
                        continue;
                left = p.p_filesz - (address - p.p_vaddr);
                return elf_getdata_rawchunk(elf, (int64_t)(p.p_offset + address - p.p_vaddr),
                        left < most ? left : most, type);
        }
        return NULL;
}

static bool places_read(Elf *elf, struct places *ret)
{
        size_t n;
        Elf_Data *data = NULL;

        if (elf_getphdrnum(elf, &n) != 0)
                return false;
        for (size_t i = 0; i < n && i < UINT16_MAX && !data; i++) {
                GElf_Phdr p;

                if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_DYNAMIC)
                        data = elf_getdata_rawchunk(
                                elf, (int64_t)p.p_offset, p.p_filesz, ELF_T_DYN);
        }
        *ret = (struct places){ 0 };
        for (int i = 0; data && i < 1024; i++) {
                GElf_Dyn d;

                if (!gelf_getdyn(data, i, &d) || d.d_tag == DT_NULL)
                        break;
                switch (d.d_tag) {
                case DT_SYMTAB:
                        ret->symbols = d.d_un.d_ptr;
                        break;
                case DT_STRTAB:
                        ret->strings = d.d_un.d_ptr;
                        break;
                case DT_STRSZ:
                        ret->n_strings = d.d_un.d_val;
                        break;
                case DT_HASH:
                        ret->hash = d.d_un.d_ptr;
                        break;
                case DT_GNU_HASH:
                        ret->gnu_hash = d.d_un.d_ptr;
                        break;
                default:
                        break;
                }
        }
        return ret->symbols && ret->strings && ret->n_strings;
}

static uint32_t word_at(const Elf_Data *data, uint64_t index)
{
        uint32_t word;

        if (index >= data->d_size / sizeof(word))
                return 0;
        memcpy(&word, (const char *)data->d_buf + index * sizeof(word), sizeof(word));
        return word;
}

/* DT_HASH begins with the numbers of buckets and of symbols. */
static size_t count_by_hash(Elf *elf, uint64_t address)
{
        const Elf_Data *data = address_data(elf, address, 8, ELF_T_BYTE);

        return data && data->d_buf ? word_at(data, 1) : 0;
}

/*
 * DT_GNU_HASH: number of buckets, first symbol, words of the filter, shift; the filter (of 8 bytes
 * each), the buckets with each one's first symbol, and the hashes of all symbols from the first
 * on, whose lowest bit says that it is the last of its bucket.
 */
static size_t count_by_gnu_hash(Elf *elf, uint64_t address)
{
        const Elf_Data *data = address_data(elf, address, UINT32_MAX, ELF_T_BYTE);
        uint64_t n_buckets, first, buckets, hashes, last = 0;

        if (!data || !data->d_buf || data->d_size < 16)
                return 0;
        n_buckets = word_at(data, 0);
        first = word_at(data, 1);
        buckets = 4 + 2 * (uint64_t)word_at(data, 2);
        hashes = buckets + n_buckets;
        for (uint64_t i = 0; i < n_buckets && i < SYMBOLS_MAX; i++)
                if (word_at(data, buckets + i) > last)
                        last = word_at(data, buckets + i);
        if (last < first || last == 0)
                return first;
        while (last < SYMBOLS_MAX && hashes + last - first < data->d_size / 4 &&
                !(word_at(data, hashes + last - first) & 1))
                last++;
        return last + 1;
}

bool dynamic_read(Elf *elf, struct dynamic *ret)
{
        struct places places;
        Elf_Data *strings, *symbols;
        size_t n;

        if (gelf_getclass(elf) != ELFCLASS64 || !places_read(elf, &places))
                return false;
        n = places.gnu_hash ? count_by_gnu_hash(elf, places.gnu_hash)
                            : count_by_hash(elf, places.hash);
        if (n == 0 || n > SYMBOLS_MAX)
                return false;
        strings = address_data(elf, places.strings, places.n_strings, ELF_T_BYTE);
        symbols = address_data(elf, places.symbols, n * sizeof(Elf64_Sym), ELF_T_SYM);
        if (!strings || !strings->d_buf || !symbols || !symbols->d_buf)
                return false;
        *ret = (struct dynamic){ symbols, symbols->d_size / sizeof(Elf64_Sym), strings->d_buf,
                strings->d_size };
        return true;
}
