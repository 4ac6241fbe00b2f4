/*
 * setup.S: how a loader that takes only a bzImage gets to the image: in real mode, with the BIOS
 * (Linux, Documentation/arch/x86/boot.rst). It asks for the memory map, goes to 32-bit mode, moves
 * the image from 1 MiB to where it runs, and enters it as Linux is entered.
 *
 *   0x0000  the ELF header, in the file as in memory      0x01f1  the setup header
 *   0x1000  the image; a loader puts it at 1 MiB          0x2000  boot_params, in memory alone
 *
 * It lies in the gap between the headers of the image's file and its first segment. All places are
 * relative to the file's start, which is where the loader has the segment registers point to. The
 * image becomes a bzImage by what src/image/bz-image.ts writes into the setup header.
 */
#include "layout.h"

#define ELF_ENTRY 0x18
#define HEADER 0x1f1
#define SIZE 0x1f4
#define MAP_ENTRIES 0x1e8
#define MAP 0x2d0
#define MAP_MAX 128
#define MAP_ENTRY_BYTES 20
#define BOOT_PARAMS 0x2000
#define STACK 0x8000
#define LOADED_AT 0x100000
#define E820_MAGIC 0x534d4150

  .code16
  .text
  .globl _start
_start:
  .org HEADER
  .byte 7 /* sectors of 512 bytes behind the first, up to the image */
  .word 0
  .long 0 /* size of the image in units of 16 bytes: filled in */
  .word 0, 0xffff, 0
  .word 0xaa55
  .byte 0xeb, 1f - 0f /* a short jump */
0:
  .long 0 /* "HdrS": filled in */
  .word 0x206 /* version of the protocol */
  .long 0
  .word 0, 0
  .byte 0
  .byte 1 /* loaded at 1 MiB */
  .word 0
  .long LOADED_AT
  .long 0, 0, 0
  .word 0
  .byte 0, 0
  .long 0 /* the command line: the loader's */
  .long 0x7fffffff, FRAME_BYTES, 0
  .long 4095 /* bytes of the command line */
header_end:
1:
  cli
  cld
  movw %ds, %ax
  movw %ax, %es
  movw %ax, %ss
  movl $STACK, %esp
  /* Loaders differ in the segment of the code. */
  pushw %ax
  pushw $2f
  lretw
2:
  movw $BOOT_PARAMS, %di
  movw $1024, %cx
  xorl %eax, %eax
  rep stosl
  movw $HEADER, %si
  movw $BOOT_PARAMS + HEADER, %di
  movw $header_end - _start - HEADER, %cx
  rep movsb

  xorl %ebx, %ebx
  movw $BOOT_PARAMS + MAP, %di
3:
  movl $0xe820, %eax
  movl $MAP_ENTRY_BYTES, %ecx
  movl $E820_MAGIC, %edx
  int $0x15
  jc 4f
  cmpl $E820_MAGIC, %eax
  jne 4f
  addw $MAP_ENTRY_BYTES, %di
  incb BOOT_PARAMS + MAP_ENTRIES
  cmpb $MAP_MAX, BOOT_PARAMS + MAP_ENTRIES
  jae 4f
  testl %ebx, %ebx
  jnz 3b
4:
  /* Address line 20. */
  inb $0x92, %al
  orb $2, %al
  andb $0xfe, %al
  outb %al, $0x92

  cli
  xorl %ebp, %ebp
  movw %ds, %bp
  shll $4, %ebp
  leal gdt(%ebp), %eax
  movl %eax, gdt_pointer + 2
  leal 5f(%ebp), %eax
  movl %eax, target
  lgdtl gdt_pointer
  movl %cr0, %eax
  orb $1, %al
  movl %eax, %cr0
  ljmpl *target

  .code32
5:
  movl $0x18, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  /* From its end on: the two places may overlap. */
  movl SIZE(%ebp), %ecx
  shll $4, %ecx
  leal LOADED_AT - 4(%ecx), %esi
  leal KERNEL_BASE - 4(%ecx), %edi
  shrl $2, %ecx
  std
  rep movsl
  cld
  movl ELF_ENTRY(%ebp), %eax
  leal BOOT_PARAMS(%ebp), %esi
  xorl %ebx, %ebx
  xorl %edi, %edi
  xorl %ebp, %ebp
  jmp *%eax

  .balign 8
gdt:
  .quad 0, 0
  .quad 0x00cf9b000000ffff /* code, 32 bits */
  .quad 0x00cf93000000ffff /* data */
gdt_pointer:
  .word gdt_pointer - gdt - 1
  .long 0
target:
  .long 0
  .word 0x10
