/*
 * apic.c: the processor's local APIC, by memory or, where firmware chose that, by MSR (x2APIC): the
 * end of an interrupt, and a timer (Intel SDM 3, 11.4 and 11.12).
 */
#include "../kernel.h"

enum { CPUID_MSR = 1 << 5, CPUID_APIC = 1 << 9 };
enum { MSR_APIC_BASE = 0x1b, MSR_REGISTERS = 0x800, MSR_DEADLINE = 0x6e0 };
enum { APIC_ON = 1 << 11, APIC_BY_MSR = 1 << 10 };
enum { ID = 0x20, END = 0xb0, SPURIOUS = 0xf0, LINE_TIMER = 0x320, LINE_0 = 0x350,
       TIMER_START = 0x380, TIMER_LEFT = 0x390, TIMER_DIVIDE = 0x3e0 };
enum { ENABLED = 0x100, FROM_PIC = 0x700, MASKED = 0x10000, DEADLINE = 0x40000 };
#define DIVIDE_BY_16 3

/* The address of its registers. */
static uint64_t base;
static bool present, by_msr;

static uint32_t get(uint32_t which) {
  if (by_msr) return (uint32_t)msr_read(MSR_REGISTERS + which / 16);
  return *(volatile uint32_t*)physical(base + which);
}

static void set(uint32_t which, uint32_t value) {
  if (by_msr) msr_write(MSR_REGISTERS + which / 16, value);
  else *(volatile uint32_t*)physical(base + which) = value;
}

bool apic_start(void) {
  uint32_t features = cpuid(1, 0).d;
  if (!(features & CPUID_MSR) || !(features & CPUID_APIC)) return false;
  uint64_t where = msr_read(MSR_APIC_BASE);
  if (!(where & APIC_ON)) return false;
  base = where & ~0xfffull;
  by_msr = where & APIC_BY_MSR;
  present = true;
  set(SPURIOUS, ENABLED | SPURIOUS_VECTOR);
  set(LINE_TIMER, MASKED);
  set(TIMER_DIVIDE, DIVIDE_BY_16);
  return true;
}

bool apic_present(void) { return present; }

/*
 * Firmware opens this path; a machine without such firmware does not (Intel SDM 3, 11.5.1). With an
 * I/O APIC it is closed, so that no interrupt comes twice.
 */
void apic_pass_pic(bool pass) { set(LINE_0, pass ? FROM_PIC : MASKED); }

uint32_t apic_number(void) { return by_msr ? get(ID) : get(ID) >> 24; }

bool apic_end(uint32_t vector) {
  /* A spurious interrupt is not in service, and must not be ended (Intel SDM 3, 11.9). */
  if (vector == SPURIOUS_VECTOR) return false;
  set(END, 0);
  return true;
}

void apic_timer_start(uint32_t ticks) { set(TIMER_START, ticks); }

uint32_t apic_timer_left(void) { return get(TIMER_LEFT); }

void apic_timer_vector(uint32_t vector, bool deadline) {
  set(LINE_TIMER, vector | (deadline ? DEADLINE : 0));
  /* The deadline must not be written before the mode is (Intel SDM 3, 11.5.4.1). */
  __asm__ volatile("mfence" : : : "memory");
}

void apic_deadline(uint64_t at) { msr_write(MSR_DEADLINE, at); }
