/*
 * kernel.h: what the units of the boot code offer to each other, the lowest first. A unit calls
 * only units that stand before it.
 *
 * Interrupts are off everywhere except inside wait_until, so no code here needs a lock.
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

/* ---- panic.c: the end ------------------------------------------------------------------------ */

/*
 * What isa-debug-exit gets; QEMU's exit status is twice this plus 1. runtime/kernel/exit-codes.ts
 * has the same list.
 */
enum stop_code {
  STOP_WASM_TRAP = 0x41,
  STOP_EXCEPTION = 0x42,
  STOP_UNCAUGHT = 0x43,
  STOP_NO_MEMORY = 0x44,
  STOP_ENGINE = 0x45,
  STOP_LOADER = 0x46,
};

/* From now on a panic line ends with what `report` prints. */
void panic_on_report(void (*report)(void));
/*
 * Prints one line, `ballonet: panic: KIND: WHAT at WHERE REPORT`, and stops the machine. WHERE is
 * the caller's address, or the one given.
 */
NORETURN void panic(enum stop_code code, const char* kind, const char* what);
NORETURN void panic_at(enum stop_code code, const char* kind, const char* what, uintptr_t where);
/* Without a report, for a stack that is too small to make one. */
NORETURN void panic_alone(enum stop_code code, const char* kind, const char* what,
                          uintptr_t where);
/* Without an address and a report, for a WHAT that names its place. */
NORETURN void panic_text(enum stop_code code, const char* kind, const char* what);
/* Ends the machine with this code where a device for it exists, otherwise halts for ever. */
NORETURN void stop(uint8_t code);

/* ---- loader.c: what the loader said ---------------------------------------------------------- */

enum { REGIONS_MAX = 64, COMMAND_LINE_MAX = 4096 };
enum region_kind { REGION_AVAILABLE, REGION_RESERVED, REGION_KERNEL };

struct region {
  uint64_t base;
  uint64_t bytes;
  enum region_kind kind;
};

extern struct region regions[REGIONS_MAX];
extern uint32_t region_count;
/* The start of the command line, and the length of all of it. */
extern char command_line[COMMAND_LINE_MAX + 1];
extern uint32_t command_line_bytes;
/* `loader` is LOADER_PVH or LOADER_MULTIBOOT, `start_info` the address of what it left. */
void loader_read(uint32_t loader, uint32_t start_info);
/* Stops the machine unless the whole range lies in one available region. */
void region_need(uint64_t base, uint64_t bytes);
/* The same; from now on the range is the kernel's. */
void region_carve(uint64_t base, uint64_t bytes);

/* ---- memory.c: frames and page tables -------------------------------------------------------- */

/* Takes a run of at most `most` frames from the guest's ledger; false: it has none. */
typedef bool (*ledger_take_t)(uint32_t most, uint32_t* first, uint32_t* length);

/* Sets `promised` frames aside for pages that the engine has not touched yet. */
void memory_start(uint32_t promised, ledger_take_t take);
/* From now on frames come from the guest's ledger, while it has some. */
void frames_from_ledger(void);
/* A frame from the ledger or the kernel's pool. 0: none is left. */
uint64_t frame_take(void);
/* One of the frames that were set aside. */
uint64_t frame_take_promised(void);
/* Where the processor sees a physical address; on i386 valid until the next call. */
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

/* ---- trap.c: exceptions and interrupts ------------------------------------------------------- */

/* Lines 0 to 15 are those of the interrupt controllers; lines 16 to 30 are messages. */
enum { FIRST_MESSAGE = 16, LINES = 31 };

/* `on_page_fault` gets an offset into the engine's window; true when it backed the page. */
void trap_start(bool (*on_page_fault)(uintptr_t offset));
/* A device writes FIRST_LINE + line to this address to raise a message; 0: none can be taken. */
uint32_t message_address(void);
/* Lines that asked and were not taken yet, a bit each. */
extern volatile uint32_t interrupts_pending;
void interrupt_unmask(uint32_t lines);
void interrupt_mask_all(void);

/* ---- clock.c: time --------------------------------------------------------------------------- */

void clock_start(void);
/* Milliseconds since boot; never goes back. */
double clock_now(void);
/* From now on this line ends waits. */
void wait_listen(uint32_t line);
/* Halts until a line asks that is listened to, or the time has come. Returns the lines that asked,
 * a bit each. */
uint32_t wait_until(double until_ms);

/* ---- engine.c: the JavaScript engine --------------------------------------------------------- */

/* Unpacks the snapshot. Call it before anything else uses the memory behind the image. */
void engine_unpack(void);
NORETURN void engine_run(void);
/* Backs the page at this offset of the window; false when the engine has no such page. */
bool engine_fault(uintptr_t offset);
/* Prints " in JavaScript " and the stack, if JavaScript waits for the boot code. */
void engine_print_stack(void);
uint32_t engine_bytes(void);
uint32_t engine_frames(void);
/* Pages of the snapshot that are all zero: it holds no frames for them. */
uint32_t engine_frames_promised(void);

/* ---- core-glue.c (generated): the core ------------------------------------------------------- */

void core_start(void);
/* A ledger_take_t. */
bool core_ledger_take(uint32_t most, uint32_t* first, uint32_t* length);

#endif
