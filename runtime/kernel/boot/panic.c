/*
 * panic.c: how the machine ends, wanted or not.
 *
 * It must not need anything that can itself be broken: no heap, no interrupts. Invariant: one line
 * is printed and the processor stops; it never restarts, so a fault cannot become a boot loop.
 */
#include "kernel.h"

#define DEBUG_EXIT_PORT 0x501
/* Where QEMU's `pc` and `q35` have the ACPI power management control; 0x2000 is soft-off (S5). */
#define ACPI_CONTROL_PORT 0x604
#define ACPI_SOFT_OFF 0x2000

static bool panicking;
static enum stop_code first_code;

NORETURN void stop(uint8_t code) {
  out8(DEBUG_EXIT_PORT, code);
  /* Without that device a wanted end is a power-off; after a panic the machine stays, to be
   * seen. */
  if (!panicking && code == 0) out16(ACPI_CONTROL_PORT, ACPI_SOFT_OFF);
  for (;;) __asm__ volatile("cli; hlt");
}

static void begin(enum stop_code code, const char* kind, const char* what) {
  if (panicking) {
    /* Finding out more went wrong as well: the line ends here, with what is known. */
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
  engine_print_stack();
  print("\n");
  stop(code);
}

NORETURN void panic(enum stop_code code, const char* kind, const char* what) {
  panic_at(code, kind, what, (uintptr_t)__builtin_return_address(0));
}
