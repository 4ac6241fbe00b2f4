/*
 * entry-i386.S: the first instructions on a 32-bit machine, and the entry of traps.
 *
 * C code is entered with flat segments, a cleared .bss, an aligned stack, SSE on, interrupts off.
 */
#include "entry-common.inc"

#define MULTIBOOT_MAGIC 0x1badb002
/* Modules are aligned, and the loader passes the memory map. */
#define MULTIBOOT_FLAGS 3

  .section .multiboot, "a"
  .balign 4
  .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

  pvh_note entry_pvh

  .text
  .globl entry
entry:
  movl $LOADER_MULTIBOOT, %ebp
  jmp 1f
entry_pvh:
  movl $LOADER_PVH, %ebp
1:
  outermost eip
  cli
  cld
  movl %ebx, %esi /* the address of what the loader left */
  movl $stack_top, %esp
  lgdt gdt_pointer
  ljmp $SELECTOR_CODE, $2f
2:
  load_segments
  clear_bss

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
  .cfi_endproc

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

  stubs
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
  .globl double_fault_entry
double_fault_entry:
  call trap_double_fault

  descriptors 0
