/*
 * rate.c: how fast the time-stamp counter counts.
 *
 * A host may tell the rate, and timers measure it. A measurement gives bounds, because each reading
 * of a timer lies between two looks at the counter. What most of all that agrees is taken, so one
 * host that tells nonsense or one timer that runs wrong does no harm.
 */
#include "../kernel.h"

/* A longer measurement is better; it ends when its bounds are this close, or it took too long. */
#define LEAST_S 0.003
#define MOST_S 0.045
#define CLOSE 0.002
/* With a rate that the host told, measuring is just a check. */
#define CHECK_S 0.0005
/* How far what a host tells may be from what is true. */
#define TOLD_ERROR 0.0005
#define MEASURED_ERROR 0.001
/* In ticks of the counter: all may take so long. The rounds bound a counter that stands still. */
#define ALL_TICKS 500000000
#define ROUNDS_MAX 1000000
/* A guess, for a machine that has nothing to measure by. */
#define FALLBACK_HZ 1e9

/* ---- what the host tells --------------------------------------------------------------------- */

enum { LEAF_CRYSTAL = 0x15, LEAF_HOST = 0x40000000, LEAF_KVM = 0x40000001,
       LEAF_RATES = 0x40000010 };
enum { HYPERVISOR = 1u << 31, KVM_HAS_CLOCK = 1 << 3, MSR_KVM_CLOCK = 0x4b564d01 };

static double crystal_hz(void) {
  if (cpuid(0, 0).a < LEAF_CRYSTAL) return 0;
  struct cpuid leaf = cpuid(LEAF_CRYSTAL, 0);
  return leaf.a && leaf.b && leaf.c ? (double)leaf.c * leaf.b / leaf.a : 0;
}

static uint32_t host_leaf_max(void) {
  if (!(cpuid(1, 0).c & HYPERVISOR)) return 0;
  uint32_t most = cpuid(LEAF_HOST, 0).a;
  return most >= LEAF_HOST && most < LEAF_HOST + 0x10000 ? most : 0;
}

static double host_hz(void) {
  return host_leaf_max() >= LEAF_RATES ? cpuid(LEAF_RATES, 0).a * 1000.0 : 0;
}

/* KVM writes here how it makes nanoseconds of the counter (Linux, virt/kvm/x86/msr.rst). */
static volatile struct {
  uint32_t version, reserved;
  uint64_t counter, nanoseconds;
  uint32_t multiplier;
  int8_t shift;
  uint8_t flags, padding[2];
} kvm_clock __attribute__((aligned(64)));

static double kvm_hz(void) {
  struct cpuid name = cpuid(LEAF_HOST, 0);
  /* "KVMKVMKVM" */
  if (host_leaf_max() < LEAF_KVM || name.b != 0x4b4d564b || name.c != 0x564b4d56 || name.d != 0x4d)
    return 0;
  if (!(cpuid(LEAF_KVM, 0).a & KVM_HAS_CLOCK)) return 0;
  msr_write(MSR_KVM_CLOCK, (uintptr_t)&kvm_clock | 1);
  bool valid = kvm_clock.version && !(kvm_clock.version & 1) && kvm_clock.multiplier;
  double hz = valid ? 1e9 * 4294967296.0 / kvm_clock.multiplier : 0;
  for (int8_t shift = kvm_clock.shift; shift > 0 && shift < 32; shift--) hz /= 2;
  for (int8_t shift = kvm_clock.shift; shift < 0 && shift > -32; shift++) hz *= 2;
  msr_write(MSR_KVM_CLOCK, 0);
  return hz;
}

/* ---- what timers measure --------------------------------------------------------------------- */

/* Bounds of the time that passed from the first reading to the last; and of the rate. */
struct measure {
  double seconds;
  struct bounds hz;
};

static struct measure measure(const struct timer* timer, const struct reading* last) {
  uint32_t ticks = (last->ticks - timer->first.ticks) & timer->mask;
  double most = (double)(last->after - timer->first.before);
  double least = (double)(last->before - timer->first.after);
  struct measure result = {0, {0, 0}};
  if (ticks < 2 || !(timer->hz > 0)) return result;
  result.seconds = ticks / timer->hz;
  result.hz.low = (least > 0 ? least : 0) / (ticks + 1) * timer->hz * (1 - MEASURED_ERROR);
  result.hz.high = most / (ticks - 1) * timer->hz * (1 + MEASURED_ERROR);
  return result;
}

static bool is_close(const struct measure* of) {
  return of->hz.high - of->hz.low < (CLOSE + 2 * MEASURED_ERROR) * of->hz.high;
}

/* Reads the timers until one has said enough, or none moves. */
static void measure_all(const struct timer* timers, uint32_t count, bool check,
                        struct measure* found) {
  uint64_t start = counter();
  bool moved = false, done = false;
  for (uint32_t rounds = 0; count && !done && rounds < ROUNDS_MAX; rounds++) {
    for (uint32_t at = 0; at < count; at++) {
      struct reading last;
      timer_read(&timers[at], &last);
      found[at] = measure(&timers[at], &last);
      double seconds = found[at].seconds;
      if (seconds > 0) moved = true;
      if (seconds > (check ? CHECK_S : MOST_S)) done = true;
      if (seconds > LEAST_S && is_close(&found[at])) done = true;
    }
    if (counter() - start > (moved ? ALL_TICKS : TIMER_STILL_TICKS)) done = true;
  }
}

/* ---- the choice ------------------------------------------------------------------------------ */

double rate_choose(const struct bounds* all, uint32_t count) {
  double best = 0, best_width = 0;
  uint32_t best_votes = 0;
  for (uint32_t at = 0; at < count; at++) {
    double hz = (all[at].low + all[at].high) / 2;
    double width = all[at].high - all[at].low;
    uint32_t votes = 0;
    for (uint32_t other = 0; other < count; other++) {
      if (all[other].low <= hz && hz <= all[other].high) votes++;
    }
    if (!(hz > 0) || votes < best_votes) continue;
    if (votes == best_votes && !(width < best_width)) continue;
    best = hz;
    best_width = width;
    best_votes = votes;
  }
  return best;
}

static struct bounds told(double hz) {
  return (struct bounds){hz * (1 - TOLD_ERROR), hz * (1 + TOLD_ERROR)};
}

/* Ticks of the APIC's timer for one of the counter. */
static double apic_ticks_of(const struct timer* apic, const struct bounds* by_it, double hz) {
  /* At the usual rate it agrees with the counter's; measuring is worse where the host is busy. */
  if (by_it->low <= hz && hz <= by_it->high) return apic->hz / hz;
  struct reading last;
  timer_read(apic, &last);
  double ticks = (last.ticks - apic->first.ticks) & apic->mask;
  return ticks / (double)(last.after - apic->first.after);
}

double rate_find(double* apic_ticks) {
  struct bounds all[3 + TIMERS];
  double tells[3] = {crystal_hz(), host_hz(), kvm_hz()};
  uint32_t known = 0, count = 0;
  for (uint32_t at = 0; at < 3; at++) {
    if (tells[at] > 0) all[known++] = told(tells[at]);
  }
  struct timer timers[TIMERS];
  struct measure found[TIMERS];
  /* The PIT is the slowest to read, and an unanswered port costs a host much: it comes last. */
  for (uint32_t kind = 0; kind < TIMERS; kind++) {
    if (kind == TIMER_PIT && (count || known)) continue;
    if (timer_start(&timers[count], kind)) count++;
  }
  measure_all(timers, count, known > 0, found);
  uint32_t bounds = known;
  for (uint32_t at = 0; at < count; at++) {
    if (found[at].hz.high > 0) all[bounds++] = found[at].hz;
    timer_stop(&timers[at]);
  }
  double hz = rate_choose(all, bounds);
  if (!(hz > 0)) hz = FALLBACK_HZ;
  if (count && timers[count - 1].kind == TIMER_APIC) {
    *apic_ticks = apic_ticks_of(&timers[count - 1], &found[count - 1].hz, hz);
  }
  return hz;
}
