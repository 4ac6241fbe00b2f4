/*
 * entry-x86_64.S: from the 32-bit entry of PVH to long mode, and the entry of traps.
 *
 * C code is entered in long mode with the first GiB identity mapped, a cleared .bss, an aligned
 * stack, SSE on and interrupts off.
 */
#include "entry-common.inc"

  pvh_note entry

  .section .bss
  .balign 4096
  .globl root_table, identity_table, identity_directory
root_table:
  .skip 4096
identity_table:
  .skip 4096
identity_directory:
  .skip 4096

  .text
  .code32
  .globl entry
entry:
  cli
  cld
  movl %ebx, %esi /* the address of what the loader left */
  movl $stack_top, %esp
  clear_bss

  /* The first GiB in 2 MiB pages: present, writable, large. */
  movl $identity_table + 3, root_table
  movl $identity_directory + 3, identity_table
  movl $identity_directory, %edi
  movl $0x83, %eax
1:
  movl %eax, (%edi)
  addl $8, %edi
  addl $LARGE_PAGE_BYTES, %eax
  cmpl $IDENTITY_BYTES, %eax
  jb 1b

  movl $root_table, %eax
  movl %eax, %cr3
  /* CR4: PAE, FXSAVE and SSE exceptions. */
  movl %cr4, %eax
  orl $0x620, %eax
  movl %eax, %cr4
  /* EFER: long mode. */
  movl $0xc0000080, %ecx
  rdmsr
  orl $0x100, %eax
  wrmsr
  /* CR0: paging, write protection, monitor coprocessor, no emulation. */
  movl %cr0, %eax
  andl $~0x4, %eax
  orl $0x80010002, %eax
  movl %eax, %cr0
  lgdt gdt_pointer
  ljmp $SELECTOR_CODE64, $entry64

  .code64
entry64:
  outermost rip
  load_segments
  movl $stack_top, %esp
  fninit
  movl $LOADER_PVH, %edi
  movl %esi, %esi
  call boot_start
1:
  cli
  hlt
  jmp 1b
  .cfi_endproc

  stubs
trap_common:
  pushq %rax
  pushq %rcx
  pushq %rdx
  pushq %rbx
  pushq %rbp
  pushq %rsi
  pushq %rdi
  pushq %r8
  pushq %r9
  pushq %r10
  pushq %r11
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  cld
  movq %rsp, %rbx
  subq $512, %rsp
  andq $~15, %rsp
  fxsave64 (%rsp)
  movq %rsp, %r12
  movq %rbx, %rdi
  call trap_enter
  fxrstor64 (%r12)
  movq %rbx, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %r11
  popq %r10
  popq %r9
  popq %r8
  popq %rdi
  popq %rsi
  popq %rbp
  popq %rbx
  popq %rdx
  popq %rcx
  popq %rax
  addq $16, %rsp
  iretq

  descriptors 0x00af9b000000ffff /* code, 64 bits */
