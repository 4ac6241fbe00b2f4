/*
 * entry-i386.S: the first instructions on a 32-bit machine, and the entry of traps.
 *
 * C code is entered with flat segments, a cleared .bss, an aligned stack, SSE on, interrupts off.
 */
#include "entry-common.inc"

#define MULTIBOOT_HEADER 0x1badb002
/* Modules are aligned, the loader passes the memory map, and addresses follow. */
#define MULTIBOOT_FLAGS 0x10003

  /* crosvm takes Multiboot only with addresses. */
  .section .multiboot, "a"
  .balign 4
multiboot_header:
  .long MULTIBOOT_HEADER, MULTIBOOT_FLAGS, -(MULTIBOOT_HEADER + MULTIBOOT_FLAGS)
  .long multiboot_header, image_start, packed_end, image_end, entry
  multiboot2_header

  pvh_note entry_pvh

#include "entry-check.inc"

  .text
  .globl entry
entry:
  tell_loader
  jmp 1f
entry_pvh:
  movl $LOADER_PVH, %eax
1:
  outermost eip
  cli
  cld
  memory_check
  movl $stack_top - 8, %esp
  pushl %ebx
  pushl %eax
  lgdt gdt_pointer
  ljmp $SELECTOR_CODE, $2f
2:
  load_segments
  call early_traps
  call processor_check
  clear_bss

  /* CR0: no emulation, monitor coprocessor. CR4: FXSAVE and SSE exceptions. */
  movl %cr0, %eax
  andl $~0x4, %eax
  orl $0x2, %eax
  movl %eax, %cr0
  movl $0x600, %eax
  movl %eax, %cr4
  fninit
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
