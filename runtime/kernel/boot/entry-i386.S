/*
 * entry-i386.S: the first instructions on a 32-bit machine, and the doors for traps.
 *
 * It must not know who the loader is beyond the register it leaves its word in. Invariant: C code
 * is entered with flat segments, a cleared .bss, an aligned stack, SSE on and interrupts off.
 */
#include "layout.h"

#define MULTIBOOT_MAGIC 0x1badb002
/* Align modules, and give us the memory map. */
#define MULTIBOOT_FLAGS 3

  .section .multiboot, "a"
  .balign 4
  .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

  .section .note.pvh, "a", @note
  .balign 4
  .long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
  .asciz "Xen"
  .long entry_pvh

  .text
  .globl entry
entry:
  movl $LOADER_MULTIBOOT, %ebp
  jmp 1f
entry_pvh:
  movl $LOADER_PVH, %ebp
1:
  cli
  cld
  movl %ebx, %esi
  movl $stack_top, %esp
  lgdt gdt_pointer
  ljmp $SELECTOR_CODE, $2f
2:
  movl $SELECTOR_DATA, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %fs
  movl %eax, %gs
  movl %eax, %ss

  movl $bss_start, %edi
  movl $bss_end, %ecx
  subl %edi, %ecx
  shrl $2, %ecx
  xorl %eax, %eax
  rep stosl

  /* CR0: no emulation, monitor coprocessor. CR4: FXSAVE and SSE exceptions. */
  movl %cr0, %eax
  andl $~0x4, %eax
  orl $0x2, %eax
  movl %eax, %cr0
  movl %cr4, %eax
  orl $0x600, %eax
  movl %eax, %cr4
  fninit

  subl $8, %esp
  pushl %esi
  pushl %ebp
  call boot_start
3:
  cli
  hlt
  jmp 3b

  /* Loads the page directory and turns paging on, with 4 MiB pages. */
  .globl paging_start
paging_start:
  movl 4(%esp), %eax
  movl %eax, %cr3
  movl %cr4, %eax
  orl $0x10, %eax
  movl %eax, %cr4
  movl %cr0, %eax
  orl $0x80010000, %eax
  movl %eax, %cr0
  jmp 1f
1:
  ret

  /* Every door pushes an error code (its own or a 0) and its number. */
  .altmacro
  .macro door number
  .balign 16
  .if !(\number == 8 || (\number >= 10 && \number <= 14) || \number == 17)
  pushl $0
  .endif
  pushl $\number
  jmp trap_common
  .endm

  .balign 16
  .globl trap_doors
trap_doors:
  .set number, 0
  .rept 64
  door %number
  .set number, number + 1
  .endr

  .noaltmacro
trap_common:
  pushal
  cld
  movl %esp, %ebx
  subl $512, %esp
  andl $~15, %esp
  fxsave (%esp)
  movl %esp, %esi
  subl $12, %esp
  pushl %ebx
  call trap_enter
  fxrstor (%esi)
  movl %ebx, %esp
  popal
  addl $8, %esp
  iretl

  /* A double fault comes in on a task and a stack of its own: the old stack is gone. */
  .globl fault_task_entry
fault_task_entry:
  call trap_double_fault

  .data
  .balign 16
  .globl gdt
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff /* code */
  .quad 0x00cf93000000ffff /* data */
  .quad 0
  .quad 0, 0 /* task */
  .quad 0, 0 /* task of double faults */
gdt_end:
  .globl gdt_pointer
gdt_pointer:
  .word gdt_end - gdt - 1
  .long gdt
