/*
 * trap.c: the interrupt descriptor table, exceptions, and when interrupts come. They go to lines.c.
 */
#include "kernel.h"

/* Almost always the stack's guard page: the page fault found no room on the stack. */
#define DOUBLE_FAULT_TEXT "double fault (stack overflow?)"

enum { EXCEPTION_DOUBLE_FAULT = 8, EXCEPTION_PAGE_FAULT = 14 };
#define INTERRUPTS_ON 0x200

struct trap_frame {
#ifdef __x86_64__
  uintptr_t registers[15];
#else
  uintptr_t registers[8];
#endif
  uintptr_t number, error, where, selector, flags;
};

struct pointer {
  uint16_t limit;
  uintptr_t base;
} __attribute__((packed));

extern char trap_stubs[], stack_guard[], halt_instruction[];
extern uint64_t gdt[];
static bool (*page_fault)(uintptr_t offset);
static void (*come_amid)(uintptr_t where);
static volatile bool let_in;

/* entry-check.inc uses them, too. */
const char* const trap_names[] = {
    "divide error", "debug", "non-maskable interrupt", "breakpoint", "overflow", "bound range",
    "invalid opcode", "no coprocessor", "double fault", "coprocessor overrun", "invalid task",
    "segment not present", "stack fault", "general protection", "page fault", "reserved",
    "x87 error", "alignment check", "machine check", "SIMD error",
};

static NORETURN void exception(const struct trap_frame* frame, uintptr_t address) {
  const char* name = "unknown";
  if (frame->number < sizeof(trap_names) / sizeof(*trap_names)) name = trap_names[frame->number];
  if (frame->number == EXCEPTION_PAGE_FAULT) {
    static char text[48] = "page fault on 0x";
    size_t at = strlen(text);
    for (int shift = (int)sizeof(address) * 8 - 4; shift >= 0; shift -= 4) {
      text[at++] = "0123456789abcdef"[address >> shift & 15];
    }
    name = text;
    uintptr_t guard = (uintptr_t)stack_guard;
    if (address >= guard && address < guard + FRAME_BYTES) name = "stack overflow";
  }
  panic_at(STOP_EXCEPTION, "exception", name, frame->where);
}

/* `sti` takes effect after the next instruction: no interrupt comes before the `hlt`. */
__asm__(
    ".text; .globl halt; .type halt, @function;"
    "halt: sti;"
    "halt_instruction: hlt;"
    "cli; ret");

void trap_enter(struct trap_frame* frame) {
  if (frame->number >= FIRST_VECTOR) {
    line_interrupt((uint32_t)frame->number);
    if (let_in) {
      let_in = false;
      come_amid(frame->where);
      let_in = true;
      return;
    }
    /* One at a time: the wait that it ends looks at it before the next one comes. */
    frame->flags &= ~(uintptr_t)INTERRUPTS_ON;
    /*
     * Where a hypervisor forgot the `sti` before, as one that is emulated itself may, the interrupt
     * did come before the `hlt`, which would now halt for ever.
     */
    if (frame->where == (uintptr_t)halt_instruction) frame->where++;
    return;
  }
  uintptr_t address = 0;
  if (frame->number == EXCEPTION_PAGE_FAULT) {
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    uintptr_t offset = address - (uintptr_t)WINDOW_BASE;
    if (page_fault && offset < (uintptr_t)WINDOW_BYTES && page_fault(offset)) return;
  }
  if (frame->number == EXCEPTION_DOUBLE_FAULT) {
    panic_alone(STOP_EXCEPTION, "exception", DOUBLE_FAULT_TEXT, frame->where);
  }
  exception(frame, address);
}

static char fault_stack[8192] __attribute__((aligned(16)));

#ifdef __x86_64__

static struct {
  uint32_t reserved0;
  uint64_t stacks[3];
  uint64_t reserved1;
  uint64_t fault_stacks[7];
  uint64_t reserved2;
  uint16_t reserved3, ports;
} __attribute__((packed)) tss;

static struct {
  uint16_t low, selector, type, middle;
  uint32_t high, reserved;
} idt[GATES];

static void idt_start(void) {
  for (uint32_t at = 0; at < GATES; at++) {
    uint64_t stub = (uintptr_t)trap_stubs + STUB_BYTES * at;
    idt[at].low = (uint16_t)stub;
    idt[at].selector = SELECTOR_CODE64;
    /* An interrupt gate; a double fault changes to a stack of its own. */
    idt[at].type = at == EXCEPTION_DOUBLE_FAULT ? 0x8e01 : 0x8e00;
    idt[at].middle = (uint16_t)(stub >> 16);
    idt[at].high = (uint32_t)(stub >> 32);
  }
  uint64_t base = (uintptr_t)&tss;
  tss.fault_stacks[0] = (uintptr_t)fault_stack + sizeof(fault_stack);
  tss.ports = sizeof(tss);
  gdt[SELECTOR_TSS / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
                          (base >> 24 & 0xff) << 56;
  gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
  __asm__ volatile("ltr %0" : : "r"((uint16_t)SELECTOR_TSS));
}

#else

struct tss {
  uint32_t link;
  uint32_t stacks[6];
  uint32_t root, where, flags;
  uint32_t ax, cx, dx, bx, sp, bp, si, di;
  uint32_t es, cs, ss, ds, fs, gs, ldt;
  uint16_t trap, ports;
};
static struct tss tss, fault_tss;

static struct {
  uint16_t low, selector, type, high;
} idt[GATES];

void double_fault_entry(void);

NORETURN void trap_double_fault(void) {
  /* After a change of task the next floating-point instruction faults, unless this is done. */
  __asm__ volatile("clts");
  panic_alone(STOP_EXCEPTION, "exception", DOUBLE_FAULT_TEXT, tss.where);
}

static uint64_t tss_descriptor(const struct tss* which) {
  uint64_t base = (uintptr_t)which;
  return (sizeof(*which) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
}

static void idt_start(void) {
  for (uint32_t at = 0; at < GATES; at++) {
    uint32_t stub = (uintptr_t)trap_stubs + STUB_BYTES * at;
    idt[at].low = (uint16_t)stub;
    idt[at].selector = SELECTOR_CODE;
    idt[at].type = 0x8e00; /* an interrupt gate */
    idt[at].high = (uint16_t)(stub >> 16);
  }
  idt[EXCEPTION_DOUBLE_FAULT].low = idt[EXCEPTION_DOUBLE_FAULT].high = 0;
  idt[EXCEPTION_DOUBLE_FAULT].selector = SELECTOR_FAULT_TSS;
  idt[EXCEPTION_DOUBLE_FAULT].type = 0x8500; /* a task gate */

  fault_tss.where = (uintptr_t)double_fault_entry;
  fault_tss.flags = 2;
  fault_tss.sp = (uintptr_t)fault_stack + sizeof(fault_stack) - 16;
  fault_tss.cs = SELECTOR_CODE;
  fault_tss.ss = fault_tss.ds = fault_tss.es = SELECTOR_DATA;
  fault_tss.fs = fault_tss.gs = SELECTOR_DATA;
  tss.ports = fault_tss.ports = sizeof(struct tss);
  gdt[SELECTOR_TSS / 8] = tss_descriptor(&tss);
  gdt[SELECTOR_FAULT_TSS / 8] = tss_descriptor(&fault_tss);
  __asm__ volatile("ltr %0" : : "r"((uint16_t)SELECTOR_TSS));
}

#endif

void trap_on_page_fault(bool (*handle)(uintptr_t offset)) {
  page_fault = handle;
#ifndef __x86_64__
  __asm__ volatile("mov %%cr3, %0" : "=r"(fault_tss.root));
#endif
}

void trap_on_interrupt(void (*come)(uintptr_t where)) { come_amid = come; }

bool interrupts_let_in(bool now) {
  bool before = let_in;
  if (before == now) return before;
  if (before) __asm__ volatile("cli" : : : "memory");
  let_in = now;
  if (now) __asm__ volatile("sti" : : : "memory");
  return before;
}

void trap_start(void) {
  idt_start();
  struct pointer pointer = {sizeof(idt) - 1, (uintptr_t)idt};
  __asm__ volatile("lidt %0" : : "m"(pointer));
}
