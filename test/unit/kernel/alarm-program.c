/*
 * The boot code's alarm as a program, over timers whose interrupts come when they are told to: a
 * local APIC's, or with the argument `pit` the PIT and the clock of the date.
 *
 *   in    `set now until latest`: the alarm is wanted; `ring`: its interrupt comes; `other`: one for
 *         an alarm before it comes; `tick`: a second of the date has ended
 *   out   for each `set`: `started` and the ticks if that started the timer, `second` if the next
 *         second of the date will do, else `kept`
 */
#include "../../../runtime/kernel/boot/kernel.h"

/* A processor whose timer takes no deadline, whatever this one has. */
static struct cpuid no_cpuid(uint32_t leaf, uint32_t part) {
  (void)leaf, (void)part;
  return (struct cpuid){0};
}
#define cpuid no_cpuid
#include "../../../runtime/kernel/boot/platform/alarm.c"

int printf(const char* format, ...);
int scanf(const char* format, ...);

static bool by_pit, rings, ticked;
static bool started, is_second_wanted;
static uint32_t left;

bool apic_present(void) { return !by_pit; }
void apic_timer_vector(uint32_t vector, bool deadline) { (void)vector, (void)deadline; }
void apic_timer_start(uint32_t ticks) { left = ticks, started = true; }
uint32_t apic_timer_left(void) { return left; }
void apic_deadline(uint64_t at) { (void)at; }
bool lines_reach(void) { return true; }
bool pit_counts(void) { return by_pit; }
void pit_ring(uint16_t ticks) { left = ticks, started = true; }
bool date_ring(void) { return is_second_wanted = true; }
bool line_asked(uint32_t line) { return line == DATE_LINE && ticked; }

bool lines_rang(void) {
  bool did = rings;
  rings = false;
  return did;
}

int main(int count, char** words) {
  char word[8];
  double now, until, latest;
  by_pit = count > 1 && words[1][0] == 'p';
  alarm_start(1e6, 1);
  while (scanf("%7s", word) == 1) {
    if (word[0] == 'r' || word[0] == 'o') {
      rings = true;
      if (word[0] == 'r') left = 0;
    } else if (word[0] == 't') {
      ticked = true;
    } else {
      if (scanf("%lf %lf %lf", &now, &until, &latest) != 3) return 1;
      started = is_second_wanted = false;
      alarm_set(now, until, latest);
      if (started) printf("started %u\n", left);
      else printf(is_second_wanted ? "second\n" : "kept\n");
    }
  }
  return 0;
}
