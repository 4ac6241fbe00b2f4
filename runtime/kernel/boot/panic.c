/*
 * panic.c: how the machine ends, wanted or not. A panic prints one line and stops the processor. It
 * never restarts it: a fault must not become a boot loop.
 */
#include "kernel.h"

#define DEBUG_EXIT_PORT 0x501
/* Where QEMU's `pc` and `q35` have the ACPI power management control; 0x2000 is soft-off (S5). */
#define ACPI_CONTROL_PORT 0x604
#define ACPI_SOFT_OFF 0x2000

static void (*print_report)(void);
static bool panicking;
static enum stop_code first_code;

NORETURN void stop(uint8_t code) {
  out8(DEBUG_EXIT_PORT, code);
  /* Without that device: a wanted end switches off, after a panic the machine stays to be seen. */
  if (!panicking && code == 0) out16(ACPI_CONTROL_PORT, ACPI_SOFT_OFF);
  for (;;) __asm__ volatile("cli; hlt");
}

static void begin(enum stop_code code, const char* kind, const char* what) {
  if (panicking) {
    /* The report failed as well: the line ends with what is known. */
    print("\n");
    stop(first_code);
  }
  panicking = true;
  first_code = code;
  print("ballonet: panic: ");
  print(kind);
  print(": ");
  print(what);
}

void panic_on_report(void (*report)(void)) { print_report = report; }

NORETURN void panic_text(enum stop_code code, const char* kind, const char* what) {
  begin(code, kind, what);
  print("\n");
  stop(code);
}

NORETURN void panic_alone(enum stop_code code, const char* kind, const char* what,
                          uintptr_t where) {
  begin(code, kind, what);
  print(" at ");
  print_hex(where);
  print("\n");
  stop(code);
}

NORETURN void panic_at(enum stop_code code, const char* kind, const char* what, uintptr_t where) {
  begin(code, kind, what);
  print(" at ");
  print_hex(where);
  if (print_report) print_report();
  print("\n");
  stop(code);
}

NORETURN void panic(enum stop_code code, const char* kind, const char* what) {
  panic_at(code, kind, what, (uintptr_t)__builtin_return_address(0));
}
