/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A call's number means nothing without its ABI, and any x86-64 program can make i386 calls.
 * The stack tells; without it, the instruction that made the call.
 */
#include "capture/abi.h"

#include <stdint.h>
#include <string.h>

#include "base/procfile.h"
#include "base/procio.h"
#include "base/procmem.h"
#include "symbol/stacktext.h"

/*
 * Without a kernel stack, for a 64-bit program: the instruction before the pc. "int $0x80" is
 * i386 in any program.
 */
static enum abi abi_of_instruction(
        struct procio *io, const struct thread *t, int dir, const struct procfile_syscall *call)
{
        static const uint8_t syscall_bytes[] = { 0x0f, 0x05 }, int80_bytes[] = { 0xcd, 0x80 };
        uint8_t bytes[2];

        if (procio_memory(io, dir, t->process->pid, call->pc - 2, bytes, 2) != 2)
                /* Nobody recorded it; int $0x80 in 64-bit code is rare enough. */
                return procio_live(io) ? ABI_UNKNOWN : ABI_X86_64;
        if (memcmp(bytes, int80_bytes, 2) == 0)
                return ABI_I386;
        return memcmp(bytes, syscall_bytes, 2) == 0 ? ABI_X86_64 : ABI_UNKNOWN;
}

/* The entry code of the kernel tells by which ABI a call came in. */
enum abi abi_detect(struct procio *io, const struct thread *t, int dir,
        const struct procfile_syscall *call, enum abi native)
{
        static const char narrow[] = "do_int80_syscall_32|int80_emulation|do_int80_emulation|"
                                     "entry_INT80_compat|ia32_int80|do_fast_syscall_32|"
                                     "__do_fast_syscall_32|do_SYSENTER_32|entry_SYSENTER_compat*|"
                                     "entry_SYSCALL_compat*|sysenter_dispatch|ia32_sysret|"
                                     "cstar_dispatch|sysexit_from_sys_call|ia32_do_call";
        static const char wide[] = "do_syscall_64|entry_SYSCALL_64*|system_call_fastpath|"
                                   "entry_SYSCALL_64_fastpath|system_call_after_swapgs|tracesys|"
                                   "ret_from_sys_call|x64_sys_call|stub_*|el0_svc|do_el0_svc|"
                                   "el0_svc_common|el0_svc_naked|el0_svc_handler|"
                                   "__sys_trace_return";
        static const char arm32[] = "el0_svc_compat|do_el0_svc_compat|el0_svc_compat_handler";
        const struct stack *k = t->kernel_stack;

        for (size_t i = k ? k->n_frames : 0; i > 0; i--) {
                const char *symbol = k->frames[i - 1].symbol;

                if (!symbol || k->frames[i - 1].unreliable)
                        continue;
                if (native == ABI_X86_64 && symbol_matches(symbol, narrow))
                        return ABI_I386;
                if (native == ABI_ARM64 && symbol_matches(symbol, arm32))
                        return ABI_UNKNOWN;
                if (symbol_matches(symbol, wide))
                        return native;
        }
        /* A 32-bit program has no stack above 4 GiB. */
        if (!(call->sp >> 32))
                return ABI_UNKNOWN;
        if (native != ABI_X86_64)
                return native;
        return abi_of_instruction(io, t, dir, call);
}
