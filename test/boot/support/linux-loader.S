/*
 * linux-loader.S: starts an image as VMMs start Linux, for the tests: with boot_params, in long
 * mode with 4 GiB mapped (as crosvm and Firecracker do it) or, with FLAT, in 32-bit mode without
 * paging. With X2APIC the local APIC's registers are MSRs by then, and ACPI is to be searched for.
 *
 * QEMU loads it by Multiboot, with the image in it as that lies in memory. ENTRY, IMAGE_BYTES,
 * MEMORY_BYTES and IMAGE (the image's bytes) are defined by the caller, and where
 * `.data` lies, which begins with ACPI's root pointer.
 */
  .text
  .balign 4
  .long 0x1badb002, 0, -0x1badb002

  .code32
  .globl _start
_start:
  movl $0x90000, %esp
#ifdef X2APIC
  movl $0x1b, %ecx
  rdmsr
  orl $0x400, %eax
  wrmsr
  /* A machine that does not do it is never heard of. */
  rdmsr
  testl $0x400, %eax
1:
  jz 1b
#endif
#ifndef FLAT
  /* 4 GiB in pages of 2 MiB. */
  movl $tables + 0x1003, tables
  movl $0x83, %eax
  movl $tables + 0x2000, %edi
1:
  movl %eax, (%edi)
  movl $0, 4(%edi)
  addl $8, %edi
  addl $0x200000, %eax
  jnc 1b
  movl $tables + 0x2003, tables + 0x1000
  movl $tables + 0x3003, tables + 0x1008
  movl $tables + 0x4003, tables + 0x1010
  movl $tables + 0x5003, tables + 0x1018
  movl $tables, %eax
  movl %eax, %cr3
  movl $0x20, %eax
  movl %eax, %cr4
  movl $0xc0000080, %ecx
  rdmsr
  orl $0x100, %eax
  wrmsr
  movl $0x80000001, %eax
  movl %eax, %cr0
#endif
  lgdt gdt_pointer
  movl $0x18, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  movl $boot_params, %esi
  xorl %ebp, %ebp
  xorl %edi, %edi
  xorl %ebx, %ebx
#ifndef FLAT
  /* The 64-bit protocol promises nothing of these, nor of the upper halves. */
  movl $0x2badb002, %eax
  movl $boot_params, %ebx
#endif
  ljmp $0x10, $ENTRY

  .data
/* ACPI's, of revision 0, where nobody looks for one. It names no table. */
root_pointer:
  .ascii "RSD PTR \xe1"
  .org root_pointer + 20
  .balign 8
gdt:
  .quad 0, 0
#ifdef FLAT
  .quad 0x00cf9b000000ffff
#else
  .quad 0x00af9b000000ffff
#endif
  .quad 0x00cf93000000ffff
gdt_pointer:
  .word . - gdt - 1
  .long gdt

command_line:
  .asciz "first=1 second=two"

  .balign 16
boot_params:
#ifndef X2APIC
  .org boot_params + 0x070
  .long root_pointer, 0
#endif
  .org boot_params + 0x1e8
  .byte 3
  .org boot_params + 0x1fe
  .word 0xaa55
  .org boot_params + 0x202
  .ascii "HdrS"
  .org boot_params + 0x228
  .long command_line
  .org boot_params + 0x2d0
  .quad 0, 0x9fc00
  .long 1
  .quad 0x9fc00, 0x60400
  .long 2
  .quad 0x100000, MEMORY_BYTES - 0x100000
  .long 1
  .org boot_params + 0x1000

  .bss
  .balign 4096
tables:
  .skip 0x6000

  .section .image, "a"
  .incbin IMAGE
