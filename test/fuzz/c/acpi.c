/*
 * ACPI's tables, found by the boot code: any bytes in memory give a table that is whole, or none.
 *
 *   input   two bytes, where the loader says the root pointer is, then memory from BASE on
 */
#include <stdlib.h>

#include "../../../runtime/kernel/boot/kernel.h"

/* Where the root pointer is searched for. */
#define BASE 0xe0000

static const uint8_t* memory;
static uint32_t memory_bytes;
static uint64_t reads;

volatile void* physical(uint64_t address) {
  static uint8_t nothing;
  nothing = 0;
  if (address < FRAME_BYTES || address >= (uint64_t)1 << 32) abort();
  /* Searching, summing up and looking at 256 tables, each of a MiB at most. */
  if (++reads > (uint64_t)1 << 30) abort();
  bool is_here = address >= BASE && address - BASE < memory_bytes;
  return is_here ? (volatile void*)(memory + (address - BASE)) : &nothing;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const char* const names[] = {"APIC", "FACP", "MCFG", "HPET", "SSDT"};
  if (size < 2) return 0;
  memory = data + 2;
  memory_bytes = size - 2;
  reads = 0;
  acpi_start(BASE + (data[0] | data[1] << 8));
  for (uint32_t at = 0; at < sizeof(names) / sizeof(*names); at++) {
    uint64_t table = acpi_table(names[at]);
    if (table && (!acpi_is_table(table, names[at]) || acpi_bytes(table) < 36)) abort();
  }
  return 0;
}
