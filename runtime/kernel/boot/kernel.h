/*
 * kernel.h: what the rooms of the boot code offer to each other.
 *
 * It must not know what the guest program does. Invariant: interrupts are off everywhere except
 * inside wait_until, so no code here needs a lock.
 */
#ifndef BOOT_KERNEL_H_
#define BOOT_KERNEL_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "include/string.h"
#include "layout.h"

#define NORETURN __attribute__((noreturn))

/* ---- x86 ---------------------------------------------------------------------------------- */

static inline uint8_t in8(uint16_t port) {
  uint8_t value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline uint16_t in16(uint16_t port) {
  uint16_t value;
  __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline uint32_t in32(uint16_t port) {
  uint32_t value;
  __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline void out8(uint16_t port, uint8_t value) {
  __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
static inline void out16(uint16_t port, uint16_t value) {
  __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
static inline void out32(uint16_t port, uint32_t value) {
  __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* ---- serial.c: the two serial ports -------------------------------------------------------- */

void serial_start(void);
void serial_put(int port, const char* bytes, size_t count);
/* Takes what has arrived, at most `most` bytes. Returns how many. */
size_t serial_take(int port, uint8_t* bytes, size_t most);
bool serial_waiting(int port);
void print(const char* text);
void print_hex(uint64_t value);
void print_decimal(uint64_t value);

/* ---- panic.c: the end ------------------------------------------------------------------------ */

/* What isa-debug-exit gets; QEMU's exit status is twice this plus 1. */
enum stop_code {
  STOP_WASM_TRAP = 0x41,
  STOP_EXCEPTION = 0x42,
  STOP_UNCAUGHT = 0x43,
  STOP_NO_MEMORY = 0x44,
  STOP_ENGINE = 0x45,
  STOP_LOADER = 0x46,
};

/*
 * Print one line, `ballonet: panic: KIND: WHAT at WHERE`, and stop. WHERE is the caller's address,
 * or the one given, and then what JavaScript was doing, if it waits for us.
 */
NORETURN void panic(enum stop_code code, const char* kind, const char* what);
NORETURN void panic_at(enum stop_code code, const char* kind, const char* what, uintptr_t where);
/* On a stack too small for JavaScript. */
NORETURN void panic_alone(enum stop_code code, const char* kind, const char* what,
                          uintptr_t where);
/* For an end whose place is part of the text. */
NORETURN void panic_text(enum stop_code code, const char* kind, const char* what);
/* Leaves the machine with a code where it can be left, halts for ever where not. */
NORETURN void stop(uint8_t code);

/* ---- loader.c: what the loader said ---------------------------------------------------------- */

enum { REGIONS_MAX = 64, COMMAND_LINE_MAX = 1024 };
enum region_kind { REGION_AVAILABLE, REGION_RESERVED, REGION_KERNEL };

struct region {
  uint64_t base;
  uint64_t bytes;
  enum region_kind kind;
};

extern struct region regions[REGIONS_MAX];
extern uint32_t region_count;
extern char command_line[COMMAND_LINE_MAX];
void loader_read(uint32_t loader, uint32_t word);
/* All of it lies in one available region, or the machine stops. */
void region_need(uint64_t base, uint64_t bytes);
/* The same, and from now on it is the kernel's. */
void region_carve(uint64_t base, uint64_t bytes);

/* ---- memory.c: frames and page tables -------------------------------------------------------- */

void memory_start(void);
/* A frame from the kernel's pool, or from the guest's allocator once there is one. 0: none left. */
uint64_t frame_take(void);
/* One of the frames that were set aside for the engine's pages that are not backed yet. */
uint64_t frame_take_promised(void);
/* Where the processor sees a physical address; valid until the next call on i386. */
volatile void* physical(uint64_t address);
/* Fills whole frames with a 32-bit value. */
void frames_fill(uint32_t first, uint32_t count, uint32_t value);
/* Backs one page of the engine's window. */
bool window_map(uint32_t offset, uint64_t frame);
bool window_mapped(uint32_t offset);
/* One past the last byte of memory that the core may touch. */
uint64_t core_memory_end(void);
uint32_t pool_frames(void);
uint32_t pool_frames_free(void);
/* From now on frames come from the guest's ledger. */
void frames_from_ledger(void);

/* ---- trap.c: exceptions and interrupts ------------------------------------------------------- */

/* Lines 0 to 15 are the interrupt controllers'; from 16 to 30 they are messages. */
enum { FIRST_MESSAGE = 16, LINES = 31 };

void trap_start(void);
/* Where devices write FIRST_LINE + line to ask on a line that is a message; 0: nowhere. */
uint32_t message_address(void);
/* Interrupt lines that ended the last wait, since they were last taken. */
extern volatile uint32_t interrupts_pending;
void interrupt_unmask(uint32_t lines);
void interrupt_mask_all(void);

/* ---- clock.c: time --------------------------------------------------------------------------- */

void clock_start(void);
/* Milliseconds since boot; never goes back. */
double clock_now(void);
/* Halts until one of `lines` (a bit each) asks or the time has come. Returns the lines that
 * asked. */
uint32_t wait_until(double until_ms, uint32_t lines);

/* ---- engine.c: the JavaScript engine --------------------------------------------------------- */

/* Before anything else uses the memory behind the image. */
void engine_unpack(void);
void engine_start(void);
NORETURN void engine_run(void);
/* A page fault at this address of the window: true when it was served. */
bool engine_fault(uintptr_t offset);
/* Prints " in FUNCTION (FILE:LINE) ..." of the JavaScript that runs, if any does. */
void engine_print_stack(void);
uint32_t engine_bytes(void);
uint32_t engine_frames(void);
/* Pages that the snapshot has, but that are all zero: frames for them are set aside at start. */
uint32_t engine_frames_promised(void);

/* ---- glue.c (generated): the core ------------------------------------------------------------ */

void core_start(void);
/* A run of at most `most` frames from the guest's ledger: its first frame and length. */
bool core_ledger_take(uint32_t most, uint32_t* first, uint32_t* length);

#endif
