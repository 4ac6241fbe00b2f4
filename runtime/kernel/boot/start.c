/*
 * start.c: the order in which the machine comes up. The log is first, so that it shows each later
 * failure. What a lower unit needs of a higher one is passed to it here.
 */
#include "engine.h"

NORETURN void boot_start(uint32_t loader, uint32_t start_info) {
  serial_start();
  trap_start();
  panic_on_report(engine_print_stack);
  loader_read(loader, start_info);
  engine_unpack();
  memory_start(engine_frames_promised(), program_pool_frames(), &core_ledger, program_own());
  trap_on_page_fault(heap_fault);
  acpi_start(loader_root_pointer);
  power_start();
  stop_on_end(power_end);
  lines_start();
  double apic_ticks = 0;
  double counter_hz = rate_find(&apic_ticks);
  clock_start(counter_hz);
  alarm_start(counter_hz, apic_ticks);
  core_start();
  engine_start(callees, callee_count);
  script_start(callee_names, callee_count, machine_callees);
  suspended_start();
  heap_start();
  program_run();
}
