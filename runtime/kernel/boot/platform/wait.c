/*
 * wait.c: halts the processor until a line asks or some time has come.
 */
#include "../kernel.h"

/* Where no line reaches the processor, so often each of them may have asked. */
#define LOOK_MS 50.0

/*
 * Moves the bytes of the serial ports, and forgets interrupts that were for that alone. Where
 * another device has the same line and asks too, its level asks again.
 */
static void serve_ports(void) {
  for (int port = 1; port <= 2; port++) {
    uint32_t line = serial_line(port);
    if (serial_serve(port)) line_forget(line);
    if (serial_waits(port)) line_listen(line);
    if (serial_asks(port)) line_raise(line);
  }
}

uint32_t wait_not(void) {
  lines_open(0);
  serve_ports();
  if (!lines_ask()) __asm__ volatile("sti; nop; cli" : : : "memory");
  return lines_take();
}

uint32_t wait_until(double until_ms, double latest_ms) {
  double now = clock_now();
  bool is_blind = !lines_reach() && until_ms > now + LOOK_MS;
  double end = is_blind ? now + LOOK_MS : until_ms;
  for (bool looks = true;; looks = lines_ask() || !lines_reach(), now = clock_now()) {
    lines_open(alarm_lines()); /* whatever came closed its line */
    /* An alarm alone is no reason to look at the ports: that costs an exit to the host. */
    if (looks) serve_ports();
    if (lines_ask()) break;
    if (!(now < end)) {
      if (is_blind) lines_raise_all();
      break;
    }
    if (alarm_set(now, end, latest_ms)) {
      halt();
    } else {
      /* Nothing rings here: interrupts are let in between two looks at the clock. */
      __asm__ volatile("sti; pause; cli" : : : "memory");
    }
  }
  return lines_take();
}

void wait_amid(double until_ms) {
  lines_close(alarm_lines());
  alarm_set(clock_now(), until_ms, until_ms);
}
