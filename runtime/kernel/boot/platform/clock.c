/*
 * clock.c: time since boot from the processor's time-stamp counter.
 *
 * clock_now never goes back, even when a saved machine is restored where the counter is behind.
 */
#include "../kernel.h"

static uint64_t base;
static double milliseconds_per_tick;
static double latest;

void clock_start(double counter_hz) {
  milliseconds_per_tick = 1000 / counter_hz;
  base = counter();
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
