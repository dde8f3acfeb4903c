/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x86-64: CFI that compilers do not write, and names as other languages mangle them. */
        .text

        .globl  by_expression
        .type   by_expression, @function
by_expression:
        .cfi_startproc
        push    %rbx
        /* CFA: rsp + 16, by breg7 16 plus_uconst 0; rbx in memory at the CFA - 16 */
        .cfi_escape 0x0f, 4, 0x77, 16, 0x23, 0
        .cfi_escape 0x10, 3, 2, 0x48, 0x1c
        nop
.Lvalue:
        /* r12: the value of breg7 8 lit3 shl, with a branch over a nop */
        .cfi_escape 0x16, 12, 8, 0x77, 8, 0x33, 0x24, 0x2f, 1, 0, 0x96
        nop
        /* r13 is in rax; r14 is CFA + 32 */
        .cfi_register r13, rax
        .cfi_escape 0x15, 14, 0x7c
        nop
        .cfi_undefined rip
        nop
        ret
        .cfi_endproc
        .size   by_expression, .-by_expression

        .globl  by_signal
        .type   by_signal, @function
by_signal:
        .cfi_startproc
        .cfi_signal_frame
        .cfi_def_cfa rbp, 1234567
        .cfi_same_value rax
        nop
        ret
        .cfi_endproc
        .size   by_signal, .-by_signal

        /* An operation that has no place in CFI: DW_OP_call2. */
        .globl  by_nonsense
        .type   by_nonsense, @function
by_nonsense:
        .cfi_startproc
        .cfi_escape 0x0f, 3, 0x98, 0, 0
        ret
        .cfi_endproc
        .size   by_nonsense, .-by_nonsense

        /* An instruction that does not exist. */
        .globl  by_nobody
        .type   by_nobody, @function
by_nobody:
        .cfi_startproc
        .cfi_escape 0x3f
        ret
        .cfi_endproc
        .size   by_nobody, .-by_nobody

        .globl  without_cfi
        .type   without_cfi, @function
without_cfi:
        nop
        ret
        .size   without_cfi, .-without_cfi

        .globl  label_without_size
label_without_size:
        nop
        nop
        ret

.macro named name
        .globl  "\name"
        .type   "\name", @function
"\name":
        nop
        ret
        .size   "\name", .-"\name"
.endm
        named   _ZN4core3fmt5Write9write_fmt17h0123456789abcdefE
        named   _RNvCs15kBYyAo9fc_7mycrate7example
        named   _RINvNtC3std3mem8align_ofNtNtC3std3mem12DiscriminantE
        named   _ZNSt6vectorIiSaIiEE9push_backEOi
        named   _ZN3foo3barEv
        named   _Znot_a_mangled_name

        /* One place, several names. */
        .globl  __alias_inner, alias
        .weak   weak_alias
        .type   __alias_inner, @function
        .type   alias, @function
        .type   weak_alias, @function
        .type   local_alias, @function
local_alias:
weak_alias:
__alias_inner:
alias:
        nop
        ret
        .size   local_alias, .-local_alias
        .size   weak_alias, .-weak_alias
        .size   __alias_inner, .-__alias_inner
        .size   alias, .-alias

        .section .note.GNU-stack, "", @progbits
