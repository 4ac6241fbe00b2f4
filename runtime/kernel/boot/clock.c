/*
 * clock.c: time since boot from the processor's time-stamp counter, and waiting for interrupts.
 *
 * clock_now never goes back, even when a saved machine is restored where the counter is behind.
 */
#include "kernel.h"

#define TIMER_HZ 1193182.0
enum { TIMER_CHANNEL0 = 0x40, TIMER_CONTROL = 0x43 };
/* Long enough for an error below 0.1 %, short enough for a quick boot. */
#define CALIBRATE_TICKS 4772 /* 4 ms */
#define CALIBRATE_SPINS_MAX 1000000
/* A guess, for a machine without a timer to measure by. */
#define FALLBACK_TICKS_PER_MS 1000000.0
/* The timer counts 16 bits: 54.9 ms at most. */
#define SLICE_MS 50.0
#define TIMER_LINE 0
#define SERIAL2_LINE 3

static uint64_t base;
static double milliseconds_per_tick;
static double latest;
/* Lines that end a wait, a bit each. */
static uint32_t listened;

static inline uint64_t counter(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}

static uint16_t timer_read(void) {
  out8(TIMER_CONTROL, 0x00); /* latch channel 0 */
  uint8_t low = in8(TIMER_CHANNEL0);
  return (uint16_t)(low | in8(TIMER_CHANNEL0) << 8);
}

static void timer_set(uint8_t mode, uint16_t ticks) {
  out8(TIMER_CONTROL, mode);
  out8(TIMER_CHANNEL0, (uint8_t)ticks);
  out8(TIMER_CHANNEL0, (uint8_t)(ticks >> 8));
}

void clock_start(void) {
  timer_set(0x34, 0); /* channel 0, rate generator, 65536 */
  uint16_t first = timer_read();
  uint64_t start = counter();
  uint16_t passed = 0;
  for (uint32_t spins = 0; passed < CALIBRATE_TICKS && spins < CALIBRATE_SPINS_MAX; spins++) {
    passed = (uint16_t)(first - timer_read());
  }
  uint64_t end = counter();
  base = start;
  milliseconds_per_tick = passed < CALIBRATE_TICKS || end <= start
                              ? 1 / FALLBACK_TICKS_PER_MS
                              : passed * 1000.0 / TIMER_HZ / (double)(end - start);
}

double clock_now(void) {
  uint64_t here = counter();
  double now = (double)(int64_t)(here - base) * milliseconds_per_tick;
  if (now < latest) {
    /* The counter was set back: go on from the latest time that was returned. */
    base = here - (uint64_t)(latest / milliseconds_per_tick);
    now = latest;
  }
  latest = now;
  return now;
}

void wait_listen(uint32_t line) { listened |= 1u << line; }

uint32_t wait_until(double until_ms) {
  uint32_t lines = listened, serial2 = 1u << SERIAL2_LINE;
  interrupt_unmask(lines | 1u << TIMER_LINE);
  for (;;) {
    if ((lines & serial2) && serial_waiting(2)) interrupts_pending |= serial2;
    if (interrupts_pending & lines) break;
    double left = until_ms - clock_now();
    if (!(left > 0)) break;
    if (left > SLICE_MS) left = SLICE_MS;
    timer_set(0x30, (uint16_t)(left * TIMER_HZ / 1000.0) + 1); /* channel 0, once */
    /* `sti` takes effect after the next instruction, so no interrupt comes before the `hlt`. */
    __asm__ volatile("sti; hlt; cli" : : : "memory");
    if (interrupts_pending & 1u << TIMER_LINE) {
      interrupts_pending &= ~(1u << TIMER_LINE);
      interrupt_unmask(lines | 1u << TIMER_LINE);
    }
  }
  interrupt_mask_all();
  uint32_t came = interrupts_pending & lines;
  interrupts_pending &= ~lines;
  return came;
}
