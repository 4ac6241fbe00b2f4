/*
 * wait.c: halts the processor until a line asks or some time has come.
 */
#include "../kernel.h"

#define SERIAL2_LINE 3

uint32_t wait_until(double until_ms) {
  for (;;) {
    lines_open(alarm_by_pit());
    if (line_listened(SERIAL2_LINE) && serial_waiting(2)) line_raise(SERIAL2_LINE);
    if (lines_ask()) break;
    double now = clock_now();
    if (!(now < until_ms)) break;
    if (alarm_set(now, until_ms)) {
      /* `sti` takes effect after the next instruction: no interrupt comes before the `hlt`. */
      __asm__ volatile("sti; hlt; cli" : : : "memory");
    } else {
      /* Nothing rings here: interrupts are let in between two looks at the clock. */
      __asm__ volatile("sti; pause; cli" : : : "memory");
    }
  }
  lines_close();
  return lines_take();
}
