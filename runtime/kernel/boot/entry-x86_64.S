/*
 * entry-x86_64.S: from the entries of the boot protocols to long mode, and the entry of traps.
 *
 * C code is entered in long mode with the first 4 GiB identity mapped, a cleared .bss, an aligned
 * stack, SSE on and interrupts off.
 */
#include "entry-common.inc"

  multiboot2_header
  pvh_note entry_pvh

  .section .bss.pages, "aw", @nobits
  .balign 4096
  .globl root_table, identity_table, identity_directory
root_table:
  .skip 4096
identity_table:
  .skip 4096
identity_directory:
  .skip 4096

#include "entry-check.inc"

  /*
   * Multiboot 2 enters in 32-bit mode, the Linux protocol in either. 0x48 is `dec %eax` in 32-bit
   * mode; in 64-bit mode it belongs to the `nop` and does nothing.
   */
  .text
  .globl entry
entry:
  cli
  cld
  xchgl %eax, %ecx
  xorl %eax, %eax
  .byte 0x48
  nop
  testl %eax, %eax
  jz entry_linux64
  movl %ecx, %eax
  tell_loader
  jmp entry_known
entry_pvh:
  movl $LOADER_PVH, %eax
entry_known:
  cli
  cld
  memory_check
  movl $stack_top, %esp
  pushl %ebx
  pushl %eax
  lgdt gdt_pointer
  ljmp $SELECTOR_CODE, $2f
2:
  load_segments
  call early_traps
  call processor_check
  clear_bss

  /*
   * Large pages: present, writable. Those from 1 GiB on are for loader.c alone; their directories
   * lie where the stack does not reach yet.
   */
  movl $identity_table + 3, root_table
  movl $identity_directory + 3, identity_table
  movl $stack_bottom + 3, identity_table + 8
  movl $stack_bottom + FRAME_BYTES + 3, identity_table + 16
  movl $stack_bottom + 2 * FRAME_BYTES + 3, identity_table + 24
  movl $0x83, %eax
  movl $identity_directory, %edi
  movl $512, %ecx
  call fill_directories
  movl $stack_bottom, %edi
  movl $3 * 512, %ecx
  call fill_directories

  movl $root_table, %eax
  movl %eax, %cr3
  /* CR4: PAE, FXSAVE and SSE exceptions. */
  movl $0x620, %eax
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
  ljmp $SELECTOR_CODE64, $entry64

/* ecx entries at edi, the first is eax. */
fill_directories:
  movl %eax, (%edi)
  movl $0, 4(%edi)
  addl $8, %edi
  addl $LARGE_PAGE_BYTES, %eax
  decl %ecx
  jnz fill_directories
  ret

  .code64
/* Leaves long mode: the tables and the mode of paging are the loader's. */
entry_linux64:
  lgdt gdt_pointer
  ljmpl *1f(%rip)
1:
  .long entry_linux
  .word SELECTOR_CODE

  .code32
entry_linux:
  load_segments
  movl %cr0, %eax
  andl $0x7fffffff, %eax
  movl %eax, %cr0
  movl $0xc0000080, %ecx
  rdmsr
  andl $~0x100, %eax
  wrmsr
  xorl %eax, %eax
  movl %eax, %cr4
  movl $LOADER_LINUX, %eax
  movl %esi, %ebx
  jmp entry_known

  .code64
entry64:
  outermost rip
  load_segments
  movl (%rsp), %edi
  movl 4(%rsp), %esi
  movl $stack_top, %esp
  fninit
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
