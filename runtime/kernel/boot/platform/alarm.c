/*
 * alarm.c: an interrupt after some time: by the local APIC's timer, which may take a deadline, or
 * where that is missing by the PIT, and long ones by the seconds of the real-time clock.
 *
 * An alarm that is set for an earlier time than the one wanted stays set: it costs one interrupt
 * more, but setting it anew costs two exits to the host.
 */
#include "../kernel.h"

#define CPUID_DEADLINE (1 << 24)
/* The PIT counts 16 bits: 54.9 ms at most. The APIC's timer counts 32. */
#define PIT_SLICE_MS 50.0
#define SECOND_MS 1000.0
#define APIC_TICKS_MAX 4e9
/* A ring that is too early by no more than this part of its wait was for this wait. */
#define EARLY_MOST 0.05
/* Longer waits are made of several. */
#define DEADLINE_SLICE_MS 3.6e6
static enum { BY_NOTHING, BY_PIT, BY_APIC, BY_DEADLINE } by;
static double counter_ticks_per_ms, apic_ticks_per_ms;
static bool is_set;
static double set_at, rings_at;

void alarm_start(double counter_hz, double apic_ticks) {
  counter_ticks_per_ms = counter_hz / 1000;
  apic_ticks_per_ms = counter_ticks_per_ms * apic_ticks;
  if (apic_present() && cpuid(1, 0).c & CPUID_DEADLINE) by = BY_DEADLINE;
  else if (apic_present() && apic_ticks > 0) by = BY_APIC;
  else if (pit_counts() && lines_reach()) by = BY_PIT;
  /* What firmware left is a clock that rings 18 times a second. */
  if (by == BY_PIT) pit_ring(1);
  if (by == BY_APIC || by == BY_DEADLINE) apic_timer_vector(ALARM_VECTOR, by == BY_DEADLINE);
}

static void set(double now, double ms) {
  switch (by) {
    case BY_DEADLINE: {
      if (ms > DEADLINE_SLICE_MS) ms = DEADLINE_SLICE_MS;
      apic_deadline(counter() + (uint64_t)(ms * counter_ticks_per_ms));
      break;
    }
    case BY_APIC: {
      double ticks = ms * apic_ticks_per_ms;
      if (ticks > APIC_TICKS_MAX) ticks = APIC_TICKS_MAX;
      ms = ticks / apic_ticks_per_ms;
      apic_timer_start((uint32_t)ticks + 1);
      break;
    }
    case BY_PIT:
      if (ms > PIT_SLICE_MS) ms = PIT_SLICE_MS;
      pit_ring((uint16_t)(ms * PIT_HZ / 1000) + 1);
      break;
    case BY_NOTHING: return;
  }
  is_set = true;
  set_at = now;
  rings_at = now + ms;
}

uint16_t alarm_lines(void) { return by == BY_PIT ? 1 << PIT_LINE | 1 << DATE_LINE : 0; }

/*
 * The timer's rate was measured in milliseconds, so it may ring too early, and one wait would cost
 * more alarms each time. A ring that is far too early may have been for another alarm; then the
 * timer still counts.
 */
static void rang(double now) {
  double was = rings_at - set_at;
  if (by == BY_APIC && is_set && set_at < now && now < rings_at) {
    bool is_near = now > rings_at - was * EARLY_MOST;
    if (is_near || !apic_timer_left()) apic_ticks_per_ms *= was / (now - set_at);
  }
  is_set = false;
}

bool alarm_set(double now, double until_ms, double latest_ms) {
  if (lines_rang()) rang(now);
  if (until_ms > 1e15) return true;
  /* The clock of the date is believed once it has rung. */
  bool is_long = by == BY_PIT && now + SECOND_MS <= latest_ms;
  if (is_long && date_ring() && line_asked(DATE_LINE)) return true;
  if (by == BY_NOTHING) return false;
  /* One that should have rung may be lost, as when a machine's state was saved and restored. */
  bool is_late = rings_at <= now;
  if (!is_set || is_late || rings_at > until_ms) set(now, until_ms - now);
  return true;
}
