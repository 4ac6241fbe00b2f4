/*
 * layout.h: where everything lies in the address space. C, assembly and the linker script read it.
 *
 *   i386                                        x86_64
 *   0          .. 1 GiB   physical memory       0          .. 1 GiB   physical memory
 *   1 GiB      .. 3 GiB   the engine's window   1 GiB      .. 9 GiB   the engine's window
 *   3 GiB + 4M .. 4 GiB   slots onto any frame  -128 TiB   ..         all physical memory
 *
 * No access of the engine leaves its window: i386 masks its addresses to 2 GiB, and on x86_64 a
 * 32-bit address plus a 32-bit offset stays below 8 GiB.
 */
#ifndef BOOT_LAYOUT_H_
#define BOOT_LAYOUT_H_

/* crosvm loads nothing below 2 MiB. */
#define KERNEL_BASE 0x200000
/* The builder limits JavaScript's depth so that the compiled engine stays within this. */
#define STACK_BYTES 0x100000
/* JavaScript that would go deeper gets a RangeError: this is for the engine's own functions. */
#define STACK_REST_BYTES 0x40000
/* The stack of the user's program in linear memory, and the processor's: see STACK_BYTES. */
#define PROGRAM_SHADOW_BYTES 0x40000
#ifdef __x86_64__
#define PROGRAM_STACK_BYTES 0x100000
#else
#define PROGRAM_STACK_BYTES 0x200000
#endif
#define FRAME_BYTES 4096
#define IDENTITY_BYTES 0x40000000
#define WINDOW_BASE 0x40000000

#ifdef __x86_64__
#define WINDOW_BYTES 0x200000000
#define LARGE_PAGE_BYTES 0x200000
/* Mapped while loader.c reads, in the window's place. */
#define LOADER_BYTES 0x100000000
#define DIRECT_BASE 0xffff800000000000
#define DIRECT_BITS 46
#else
#define WINDOW_BYTES 0x80000000
#define LARGE_PAGE_BYTES 0x400000
#define SLOT_BASE 0xc0400000
#define SLOT_COUNT 32
#endif

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_CODE64 0x18
/* Task state segments: the processor's own and, on i386, the one that a double fault changes to. */
#define SELECTOR_TSS 0x20
#define SELECTOR_FAULT_TSS 0x30

/* Interrupt gates, and the code that each leads to (trap_stubs, entry-common.inc). */
#define GATES 80
#define STUB_BYTES 16

/* The protocol by which the loader started the image; Multiboot's are what a loader has in eax. */
#define LOADER_PVH 0
#define LOADER_MULTIBOOT 0x2badb002
#define LOADER_MULTIBOOT2 0x36d76289
/* "HdrS", which stands in Linux's boot parameters. */
#define LOADER_LINUX 0x53726448

#endif
