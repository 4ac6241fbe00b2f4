/*
 * start.c: the order in which the machine comes up.
 *
 * It must not do anything itself. Invariant: what each step needs was started before it, the log
 * first, so that every later failure can be told.
 */
#include "kernel.h"

NORETURN void boot_start(uint32_t loader, uint32_t word) {
  serial_start();
  loader_read(loader, word);
  engine_unpack();
  memory_start();
  trap_start();
  clock_start();
  core_start();
  engine_start();
  engine_run();
}
