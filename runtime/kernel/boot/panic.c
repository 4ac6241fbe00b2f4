/*
 * panic.c: how the machine ends, wanted or not. A panic prints one line, and the machine ends: a
 * fault must not become a boot loop.
 */
#include "kernel.h"

#define DEBUG_EXIT_PORT 0x501

static void (*print_report)(void);
static void (*end_machine)(uint8_t code);
static bool panicking, ending;
static enum stop_code first_code;

void stop_on_end(void (*end)(uint8_t code)) { end_machine = end; }

NORETURN void stop(uint8_t code) {
  serial_flush();
  out8(DEBUG_EXIT_PORT, code);
  /* Without that device the code can only be read. */
  if (!ending) {
    ending = true;
    print("ballonet: the guest has ended with code ");
    print_number(code);
    print("\n");
    if (end_machine) end_machine(code);
  }
  for (;;) __asm__ volatile("cli; hlt");
}

NORETURN void program_end(uint8_t code) {
  print("ballonet: the program has ended with code ");
  print_number(code);
  print("\n");
  stop(code);
}

static void begin(enum stop_code code, const char* kind, const char* what) {
  __asm__ volatile("cli" : : : "memory");
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
