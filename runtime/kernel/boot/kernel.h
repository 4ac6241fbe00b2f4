/*
 * kernel.h: what the units of the boot code offer to each other, the lowest first. A unit calls
 * only units that stand before it.
 *
 * Interrupts are off everywhere except inside wait_until, and while what runs is not the guest's
 * own. Then they come amid the engine and what it calls of the heap: lines and the alarm take note
 * at once, all else waits until the engine's own code is interrupted. So nothing here needs a lock.
 */
#ifndef BOOT_KERNEL_H_
#define BOOT_KERNEL_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "include/string.h"
#include "layout.h"

#define NORETURN __attribute__((noreturn))

/* ---- x86 ------------------------------------------------------------------------------------- */

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
/* Moves bytes one after the other: a hypervisor does it in one exit. */
static inline void in8_all(uint16_t port, void* to, size_t count) {
  __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(port) : "memory");
}
static inline void out8_all(uint16_t port, const void* from, size_t count) {
  __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(port) : "memory");
}

struct cpuid {
  uint32_t a, b, c, d;
};
static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf) {
  struct cpuid it = {leaf, 0, subleaf, 0};
  __asm__ volatile("cpuid" : "+a"(it.a), "=b"(it.b), "+c"(it.c), "=d"(it.d));
  return it;
}
static inline uint64_t msr_read(uint32_t which) {
  uint32_t low, high;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(which));
  return (uint64_t)high << 32 | low;
}
static inline void msr_write(uint32_t which, uint64_t value) {
  __asm__ volatile("wrmsr"
                   :
                   : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(which)
                   : "memory");
}
/* The time-stamp counter. */
static inline uint64_t counter(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}

/* ---- serial.c: the two serial ports ---------------------------------------------------------- */

void serial_start(void);
/* Bit 0: the first, bit 1: the second. */
uint32_t serial_ports(void);
/* The interrupt line of a port, and from now on what arrives at the port with that line is kept. */
uint32_t serial_line(int port);
void serial_listen(uint32_t line);
/*
 * Sends a text, which has to stay as it is until serial_sent() returns it. False: it was dropped,
 * for there is no port or no place; a droppable one waits for a place until the port is stuck.
 */
bool serial_send(int port, const char* bytes, size_t count, bool droppable);
const char* serial_sent(int port);
/* Bytes that may still wait. 0: send no text now that is not droppable. */
uint32_t serial_room(int port);
/* Waits until everything was sent, or the port is stuck. */
void serial_flush(void);
/* Behind all that waits, and done when it returns. */
void serial_put(int port, const char* bytes, size_t count);
/* Takes what has arrived, up to a line end or `most` bytes. Returns how many. */
size_t serial_take(int port, char* bytes, size_t most);
/* Moves what can be moved. True: there was something. */
bool serial_serve(int port);
bool serial_waits(int port);
/* Whether a line or much of one has arrived, and a reply to it can be sent. */
bool serial_asks(int port);
void print(const char* text);
/* Prints both texts and a line end. */
void print_line(const char* label, const char* text);
void print_hex(uint64_t value);
void print_number(uint32_t value);

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
  STOP_PROCESSOR = 0x47,
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
/* Ends the machine with this code where a device takes it; else logs it, and calls what is set. */
NORETURN void stop(uint8_t code);
/* The same for the user's program: the log says first that it is the program's code. */
NORETURN void program_end(uint8_t code);
/* From now on a machine without that device ends by `end`; when it returns, the processor halts. */
void stop_on_end(void (*end)(uint8_t code));

/* ---- regions.c: the machine's memory --------------------------------------------------------- */

enum { REGIONS_MAX = 256 };
enum region_kind { REGION_AVAILABLE, REGION_RESERVED, REGION_KERNEL };

struct region {
  uint64_t base;
  uint64_t bytes;
  enum region_kind kind;
};

/* Sorted by base, without overlaps. */
extern struct region regions[REGIONS_MAX];
extern uint32_t region_count;
/* One past the last address that the processor reaches: a power of two. */
uint64_t address_end(void);
/*
 * Available memory shrinks to whole frames below that end, everything else grows to them. What is
 * told in several ways counts once, and reserved wins over available.
 */
void region_add(uint64_t base, uint64_t bytes, enum region_kind kind);
/* Stops the machine unless the whole range lies in one available region. */
void region_need(uint64_t base, uint64_t bytes);
/* The same; from now on the range is the kernel's. */
void region_carve(uint64_t base, uint64_t bytes);
/* One past the last byte of memory below `limit`. */
uint64_t memory_end_below(uint64_t limit);

/* ---- loader.c: what the loader said ---------------------------------------------------------- */

enum { COMMAND_LINE_MAX = 4096 };
/* The start of the command line, and the length of all of it. */
extern char command_line[COMMAND_LINE_MAX + 1];
extern uint32_t command_line_bytes;
/* Where the loader says that ACPI's root pointer is; 0: it says nothing. */
extern uint64_t loader_root_pointer;
/* `loader` is one of layout.h's LOADER_*, `start_info` the address of what it left. */
void loader_read(uint32_t loader, uint32_t start_info);

/* ---- memory.c: frames and page tables -------------------------------------------------------- */

/* The states of frames that the kernel asks for: FRAME_STATES in runtime/core/exports.ts. */
enum { FRAMES_FREE = 2, FRAMES_INFLATING = 3, FRAMES_HELD = 4, FRAMES_DEFLATING = 5 };
/* The guest's ledger. */
struct ledger {
  /* Takes a run of at most `most` free frames; false: it has none. */
  bool (*take)(uint32_t most, uint32_t* first, uint32_t* length);
  /* Gives a run back that was taken. */
  void (*give)(uint32_t first, uint32_t length);
  /* Frames in a state. */
  uint32_t (*count)(uint32_t state);
};

/*
 * Sets `promised` frames aside for pages that the engine has not touched yet, and `more` beyond
 * what a guest takes. The first `own` bytes behind the image, whole frames, are kept as they are.
 */
void memory_start(uint32_t promised, uint32_t more, const struct ledger* ledger, uint64_t own);
/* From now on an access of this frame faults. It lies in the first GiB. */
void memory_guard(uint64_t frame);
/* From now on frames come from the guest's ledger, while it has some. */
void frames_from_ledger(void);
/* The same as in a ledger. Before that, there is none. */
bool frames_take(uint32_t most, uint32_t* first, uint32_t* length);
void frames_give(uint32_t first, uint32_t length);
uint32_t frames_count(uint32_t state);
/*
 * A frame from the ledger or the kernel's pool; for what is not the guest's own, the pool is closed
 * once there is a ledger. 0: none is left.
 */
uint64_t frame_take(bool is_foreign);
/* Whether a frame that backs something is from the ledger. */
bool frame_is_ledgers(uint64_t frame);
/* One of the frames that were set aside. */
uint64_t frame_take_promised(void);
/* Where the processor sees a physical address; on i386 valid until the next call. */
volatile void* physical(uint64_t address);
/* Fills whole frames with a 32-bit value. */
void frames_fill(uint32_t first, uint32_t count, uint32_t value);
/* Backs one page of the engine's window. */
bool window_map(uint32_t offset, uint64_t frame);
bool window_mapped(uint32_t offset);
/* The same, but makes no page table to look. */
bool window_used(uint32_t offset);
/* A bit that stays with a page that is backed. */
void window_mark(uint32_t offset);
bool window_marked(uint32_t offset);
/* The address of a page's frame; 0: it has none. */
uint64_t window_frame(uint32_t offset);
/* Takes the frame of a page away and returns its address; 0: the page had none. */
uint64_t window_unmap(uint32_t offset);
/* Whether memory, and no device, answers at an address. */
bool memory_at(uint64_t address);
/* One past the last byte of memory that the core may touch. */
uint64_t core_memory_end(void);
uint32_t pool_frames(void);
uint32_t pool_frames_free(void);

/* ---- platform/acpi.c: tables that describe the machine --------------------------------------- */

/* Finds the root pointer: where the loader says, or where firmware has it. */
void acpi_start(uint64_t told);
uint64_t acpi_root(void);
/* The address of a table whose checksum is right; 0: there is none. */
uint64_t acpi_table(const char* signature);
bool acpi_is_table(uint64_t address, const char* signature);
uint32_t acpi_bytes(uint64_t table);
/* Up to 8 bytes, the lowest first; they need not be aligned. */
uint64_t acpi_read(uint64_t address, uint32_t bytes);

/* ---- platform/power.c: switching off --------------------------------------------------------- */

void power_start(void);
/* Switches off; returns on a machine that cannot. */
void power_end(uint8_t code);

/* ---- platform/apic.c: the processor's local APIC --------------------------------------------- */

/*
 * Lines 0 to 15 are those of the old PC, lines 16 to 30 are messages, and line 31 is any input of
 * the I/O APICs.
 */
enum { PIC_LINES = 16, INPUT_LINE = 31, LINES = 32, PIT_LINE = 0, DATE_LINE = 8 };
/* The vectors of lines, of the alarm and of spurious interrupts, which have the last gate. */
enum { FIRST_VECTOR = 0x20, ALARM_VECTOR = 0x40, SPURIOUS_VECTOR = GATES - 1 };
/* Its timer counts each 16th tick of its clock. */
#define APIC_DIVISOR 16

bool apic_start(void);
bool apic_present(void);
void apic_pass_pic(bool pass);
/* This processor's, by which interrupts are sent to it. */
uint32_t apic_number(void);
/* False: that interrupt was spurious. */
bool apic_end(uint32_t vector);
void apic_timer_start(uint32_t ticks);
uint32_t apic_timer_left(void);
/* From now on the timer interrupts: after its ticks, or when the counter has reached a deadline. */
void apic_timer_vector(uint32_t vector, bool deadline);
void apic_deadline(uint64_t at);

/* ---- platform/ioapic.c: inputs of the I/O APICs ---------------------------------------------- */

/* Told not: the bus decides, which is edge for all that is no PCI. */
enum trigger { TRIGGER_TOLD_NOT, TRIGGER_EDGE, TRIGGER_LEVEL };
struct input {
  /* ACPI's global system interrupt. */
  uint32_t number;
  enum trigger trigger;
  /* Active low. */
  bool low;
};

/* False: there is none. */
bool ioapic_start(void);
/* Where a line of the old PC arrives. */
struct input ioapic_input(uint32_t line);
/* From now on the input raises this vector. False: no I/O APIC has it. */
bool ioapic_connect(const struct input* input, uint32_t vector);
void ioapic_mask(uint32_t input, bool masked);

/* ---- platform/pic.c: the 8259s --------------------------------------------------------------- */

/* Silences them; false: there are none. */
bool pic_start(void);
/* The lines that are level-triggered, a bit each. */
uint16_t pic_level_lines(void);
/* Masks all other lines. */
void pic_unmask(uint16_t lines);

/* ---- platform/lines.c: lines and messages ---------------------------------------------------- */

void lines_start(void);
/* A device writes FIRST_VECTOR + line to this address to raise a message; 0: none can be taken. */
uint32_t message_address(void);
/* False: no line of the old PC ever arrives. */
bool lines_reach(void);
/* From now on this line ends waits. */
void line_listen(uint32_t line);
bool line_listened(uint32_t line);
/* Whether it asked since it was taken; what is not listened to is never taken. */
bool line_asked(uint32_t line);
/* The same for a line that an I/O APIC's input raises. False: there is no such input. */
bool line_connect(uint32_t line, const struct input* input);
/* As if the line had asked, and as if it had not. */
void line_raise(uint32_t line);
/* The same for all lines that are listened to. */
void lines_raise_all(void);
void line_forget(uint32_t line);
/* Before each halt: lets in what is listened to, and through the 8259s these alarms, a bit each. */
void lines_open(uint16_t alarms);
/* Lets nothing but these alarms in through the 8259s. */
void lines_close(uint16_t alarms);
/* Whether a line asked that is listened to; and which ones, a bit each, once. */
bool lines_ask(void);
uint32_t lines_take(void);
/* Whether the alarm rang, once. */
bool lines_rang(void);
void line_interrupt(uint32_t vector);

/* ---- trap.c: exceptions, and the halt that interrupts end ------------------------------------ */

/* From now on an exception is a panic. */
void trap_start(void);
/* Lets interrupts in until one has come; they are off before and after. */
void halt(void);
/* From now on `come` is called with where an interrupt has come, where they are let in. */
void trap_on_interrupt(void (*come)(uintptr_t where));
/* Whether interrupts come from now on, before any instruction. Returns what was. */
bool interrupts_let_in(bool now);
/*
 * With paging on: from now on `handle` gets the offset of a page fault in the engine's window; it
 * returns true when it backed the page.
 */
void trap_on_page_fault(bool (*handle)(uintptr_t offset));

/* ---- platform/timers.c: timers of a known rate ----------------------------------------------- */

#define PIT_HZ 1193182.0
/*
 * A timer that has not moved for this many ticks of the counter does not count: 10 ms at 5 GHz, and
 * no processor has less than 0.5 GHz.
 */
#define TIMER_STILL_TICKS 50000000

/* The APIC's is the last. */
enum timer_kind { TIMER_PM, TIMER_HPET, TIMER_PIT, TIMER_APIC, TIMERS };
/* What a timer showed, and the counter before and after. */
struct reading {
  uint64_t before, after;
  uint32_t ticks;
};
struct timer {
  enum timer_kind kind;
  /* 0: not known. */
  double hz;
  uint32_t mask;
  struct reading first;
};

/* False: this machine has no such timer. */
bool timer_start(struct timer* timer, enum timer_kind kind);
void timer_read(const struct timer* timer, struct reading* to);
void timer_stop(const struct timer* timer);
bool pit_counts(void);
void pit_ring(uint16_t ticks);

/* ---- platform/rate.c: how fast the time-stamp counter is ------------------------------------- */

struct bounds {
  double low, high;
};
/* The middle of the bounds whose middle lies in most of all; of several the narrowest. 0: none. */
double rate_choose(const struct bounds* all, uint32_t count);
/* Returns ticks a second. `apic_ticks` gets those of the APIC's timer for one of the counter. */
double rate_find(double* apic_ticks);

/* ---- platform/clock.c: time ------------------------------------------------------------------ */

void clock_start(double counter_hz);
/* Milliseconds since boot; never goes back. */
double clock_now(void);

/* ---- platform/date.c: the date --------------------------------------------------------------- */

/* DATE_LINE asks at the end of this second. False: there is no such clock. */
bool date_ring(void);
/* Milliseconds since 1970 by the machine's clock; without one, since boot. */
double wall_now(void);
bool wall_known(void);

/* ---- platform/alarm.c: an interrupt after some time ------------------------------------------ */

void alarm_start(double counter_hz, double apic_ticks);
/* The lines of 8259s that alarms come by, a bit each. */
uint16_t alarm_lines(void);
/* Rings at that time or before it, or at the latest. False: nothing rings on this machine. */
bool alarm_set(double now, double until_ms, double latest_ms);

/* ---- platform/wait.c: halting ---------------------------------------------------------------- */

/*
 * Halts until a line asks that is listened to, or the time has come: up to `latest_ms`, where that
 * saves alarms. Returns the lines that asked, a bit each.
 */
uint32_t wait_until(double until_ms, double latest_ms);
/* Does not halt. Returns the lines that ask. */
uint32_t wait_not(void);
/* An interrupt comes at that time or before it, whatever runs, unless nothing rings here. */
void wait_amid(double until_ms);

/* ---- engine.c: the JavaScript engine --------------------------------------------------------- */

/* Unpacks the snapshot. Call it before anything else uses the memory behind the image. */
void engine_unpack(void);
/* Backs the page at this offset of the window; false when the engine has no such page. */
bool engine_fault(uintptr_t offset);
/* Prints " in JavaScript " and the stack, if JavaScript waits for the boot code. */
void engine_print_stack(void);
uint32_t engine_bytes(void);
uint32_t engine_frames(void);
/* Pages of the snapshot that are all zero: it holds no frames for them. */
uint32_t engine_frames_promised(void);

/* ---- program.c: the user's program ----------------------------------------------------------- */

/* Bytes that the program needs at the image's end, before anything of it runs: see memory_start. */
uint64_t program_own(void);
/* Frames of the pool for a program that runs in the guest's place; 0: there is none. */
uint32_t program_pool_frames(void);
/* Runs the guest, and the program if the image has one. */
NORETURN void program_run(void);

/* ---- core-glue.c (generated): the core ------------------------------------------------------- */

void core_start(void);
extern const struct ledger core_ledger;

#endif
