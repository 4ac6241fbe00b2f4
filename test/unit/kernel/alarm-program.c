/*
 * The boot code's alarm as a program, over a local APIC whose interrupts come when they are told to.
 *
 *   in    `set now until`: the alarm is wanted; `ring`: its interrupt comes
 *   out   for each `set`: `started` if that started the timer, else `kept`
 */
#include "../../../runtime/kernel/boot/kernel.h"

int printf(const char* format, ...);
int scanf(const char* format, ...);

static bool rings;
static bool started;

bool apic_present(void) { return true; }
void apic_timer_vector(uint32_t vector, bool deadline) { (void)vector, (void)deadline; }
void apic_timer_start(uint32_t ticks) { (void)ticks, started = true; }
void apic_deadline(uint64_t at) { (void)at, started = true; }
bool lines_reach(void) { return true; }
bool pit_counts(void) { return false; }
void pit_ring(uint16_t ticks) { (void)ticks; }

bool lines_rang(void) {
  bool did = rings;
  rings = false;
  return did;
}

int main(void) {
  char word[8];
  double now, until;
  alarm_start(1e6, 1);
  while (scanf("%7s", word) == 1) {
    if (word[0] == 'r') {
      rings = true;
      continue;
    }
    if (scanf("%lf %lf", &now, &until) != 2) return 1;
    started = false;
    alarm_set(now, until);
    printf(started ? "started\n" : "kept\n");
  }
  return 0;
}
