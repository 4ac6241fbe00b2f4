/*
 * layout.h: where everything lies in the address space. Read by C, assembly and linker scripts.
 *
 * It must not know what runs in the machine. Invariant: the three areas never overlap, and an
 * access that strays out of the engine's window finds no page.
 *
 *   i386                                        x86_64
 *   0          .. 1 GiB   physical memory       0          .. 1 GiB   physical memory
 *   1 GiB      .. 3 GiB   the engine's window   1 GiB      .. 9 GiB   the engine's window
 *   3 GiB + 4M .. 4 GiB   slots onto any frame  -128 TiB   ..         all physical memory
 *
 * On i386 the engine's addresses are masked to the 2 GiB of its window. On x86_64 a 32-bit address
 * plus a 32-bit offset cannot leave the 8 GiB.
 */
#ifndef BOOT_LAYOUT_H_
#define BOOT_LAYOUT_H_

#define KERNEL_BASE 0x100000
/* The builder limits JavaScript's depth so that the compiled engine stays within this. */
#define STACK_BYTES 0x100000
#define FRAME_BYTES 4096
#define IDENTITY_BYTES 0x40000000
#define WINDOW_BASE 0x40000000

#ifdef __x86_64__
#define WINDOW_BYTES 0x200000000
#define LARGE_PAGE_BYTES 0x200000
#define DIRECT_BASE 0xffff800000000000
#else
#define WINDOW_BYTES 0x80000000
#define LARGE_PAGE_BYTES 0x400000
#define SLOT_BASE 0xc0400000
#define SLOT_COUNT 32
#endif

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_CODE64 0x18
#define SELECTOR_TASK 0x20
#define SELECTOR_FAULT_TASK 0x30

/* What the loader handed over. */
#define LOADER_PVH 0
#define LOADER_MULTIBOOT 1

#endif
