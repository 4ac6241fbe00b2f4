/*
 * timers.c: timers of a known rate, to measure the time-stamp counter by: the power management
 * timer and the HPET where ACPI names them, the PIT of the old PC, and the local APIC's.
 *
 * Each is read between two looks at the time-stamp counter. The narrowest of some tries is kept: in
 * a wider one the host was busy with something else.
 */
#include "../kernel.h"

#define TRIES 4

/* ---- the power management timer (ACPI 6.5, 4.8.3.3) ------------------------------------------ */

enum { FADT_FLAGS = 112, FADT_TIMER = 76, FADT_TIMER_BYTES = 91 };
enum { FLAG_32_BITS = 1 << 8 };
static uint16_t pm_port;

static void pm_start(struct timer* timer) {
  uint64_t fadt = acpi_table("FACP");
  if (!fadt || acpi_bytes(fadt) < FADT_FLAGS + 4) return;
  uint32_t port = (uint32_t)acpi_read(fadt + FADT_TIMER, 4);
  if (!port || port > 0xffff || acpi_read(fadt + FADT_TIMER_BYTES, 1) != 4) return;
  pm_port = (uint16_t)port;
  timer->hz = 3579545;
  timer->mask = acpi_read(fadt + FADT_FLAGS, 4) & FLAG_32_BITS ? 0xffffffff : 0xffffff;
}

static void pm_read(struct reading* to) {
  to->before = counter();
  to->ticks = in32(pm_port);
  to->after = counter();
}

/* ---- the HPET (IA-PC HPET 1.0a, 2.3) --------------------------------------------------------- */

enum { HPET_ADDRESS = 44, HPET_PERIOD = 0x04, HPET_CONTROL = 0x10, HPET_COUNT = 0xf0 };
enum { HPET_ON = 1 };
#define PERIOD_FS_MAX 100000000
static uint64_t hpet;
static uint32_t hpet_control;

static volatile uint32_t* hpet_register(uint32_t which) { return physical(hpet + which); }

static void hpet_start(struct timer* timer) {
  uint64_t table = acpi_table("HPET");
  if (!table || acpi_bytes(table) < HPET_ADDRESS + 8) return;
  hpet = acpi_read(table + HPET_ADDRESS, 8);
  if (!hpet || hpet % 8 || hpet >> 32 || memory_at(hpet)) return;
  uint32_t period = *hpet_register(HPET_PERIOD);
  if (!period || period > PERIOD_FS_MAX) return;
  hpet_control = *hpet_register(HPET_CONTROL);
  *hpet_register(HPET_CONTROL) = hpet_control | HPET_ON;
  timer->hz = 1e15 / period;
  timer->mask = 0xffffffff;
}

static void hpet_stop(void) { *hpet_register(HPET_CONTROL) = hpet_control; }

static void hpet_read(struct reading* to) {
  to->before = counter();
  to->ticks = *hpet_register(HPET_COUNT);
  to->after = counter();
}

/* ---- the PIT (8254) -------------------------------------------------------------------------- */

enum { PIT_CHANNEL0 = 0x40, PIT_CONTROL = 0x43 };

static void pit_set(uint8_t mode, uint16_t ticks) {
  out8(PIT_CONTROL, mode);
  out8(PIT_CHANNEL0, (uint8_t)ticks);
  out8(PIT_CHANNEL0, (uint8_t)(ticks >> 8));
}

static void pit_start(struct timer* timer) {
  pit_set(0x34, 0); /* channel 0, rate generator, 65536 */
  timer->hz = PIT_HZ;
  timer->mask = 0xffff;
}

static void pit_read(struct reading* to) {
  to->before = counter();
  out8(PIT_CONTROL, 0x00); /* latch channel 0 */
  to->after = counter();
  uint8_t low = in8(PIT_CHANNEL0);
  to->ticks = (uint16_t)-(low | in8(PIT_CHANNEL0) << 8); /* it counts down */
}

bool pit_counts(void) {
  struct timer timer;
  struct reading last;
  pit_start(&timer);
  pit_read(&timer.first);
  uint64_t start = counter();
  do pit_read(&last);
  while (last.ticks == timer.first.ticks && counter() - start < TIMER_STILL_TICKS);
  return last.ticks != timer.first.ticks;
}

void pit_ring(uint16_t ticks) { pit_set(0x30, ticks); /* channel 0, once */ }

/* ---- the local APIC's ------------------------------------------------------------------------ */

enum { CPUID_HYPERVISOR = 1u << 31 };

static void apic_read(struct reading* to) {
  to->before = counter();
  to->ticks = 0 - apic_timer_left(); /* it counts down */
  to->after = counter();
}

static void apic_begin(struct timer* timer) {
  if (!apic_present()) return;
  apic_timer_start(0xffffffff);
  /* Hosts run it at 1 GHz; on hardware its rate can only be measured. */
  timer->hz = cpuid(1, 0).c & CPUID_HYPERVISOR ? 1e9 / APIC_DIVISOR : 0;
  timer->mask = 0xffffffff;
}

/* ---------------------------------------------------------------------------------------------- */

static const struct {
  void (*start)(struct timer*);
  void (*read)(struct reading*);
  void (*stop)(void);
} kinds[TIMERS] = {
    [TIMER_PM] = {pm_start, pm_read, NULL},
    [TIMER_HPET] = {hpet_start, hpet_read, hpet_stop},
    [TIMER_PIT] = {pit_start, pit_read, NULL},
    [TIMER_APIC] = {apic_begin, apic_read, NULL},
};

bool timer_start(struct timer* timer, enum timer_kind kind) {
  *timer = (struct timer){.kind = kind};
  kinds[kind].start(timer);
  if (timer->mask) timer_read(timer, &timer->first);
  return timer->mask;
}

void timer_read(const struct timer* timer, struct reading* to) {
  for (uint32_t tries = 0; tries < TRIES; tries++) {
    struct reading reading;
    kinds[timer->kind].read(&reading);
    if (!tries || reading.after - reading.before < to->after - to->before) *to = reading;
  }
}

void timer_stop(const struct timer* timer) {
  if (kinds[timer->kind].stop) kinds[timer->kind].stop();
}
