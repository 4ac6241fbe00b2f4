/*
 * The boot code's I/O APICs, by any bytes in ACPI's table MADT: each line of the old PC can be
 * connected, masked and let through, and nothing is touched that may be memory.
 *
 *   input   four bytes, what an I/O APIC says of itself, then the body of the MADT
 */
#include <stdlib.h>
#include <string.h>

#include "../../../runtime/kernel/boot/platform/ioapic.c"

/* The root pointer, the list of tables and the MADT; all but the first page below DEVICES is memory. */
#define ROOT 0xe0000
#define LIST (ROOT + 0x40)
#define MADT (ROOT + 0x80)
#define MADT_BYTES_MAX 0x1000
#define DEVICES 0xf0000000

static uint8_t tables[MADT - ROOT + MADT_BYTES_MAX];
static uint32_t version, selected, window, nothing;
static uint64_t accesses;

uint32_t apic_number(void) { return 0; }
bool memory_at(uint64_t address) { return address >= FRAME_BYTES && address < DEVICES; }

volatile void* physical(uint64_t address) {
  if (address < FRAME_BYTES || address >= (uint64_t)1 << 32) abort();
  /* Each of 8 controllers has 256 inputs at most, and is looked at before it is known. */
  if (++accesses > 1 << 20) abort();
  if (address >= ROOT && address - ROOT < sizeof(tables)) return tables + (address - ROOT);
  if (address >= DEVICES && address % 32 == 16) {
    window = (uint8_t)selected == VERSION ? version : 0;
    return &window;
  }
  nothing = 0;
  return address >= DEVICES ? &selected : &nothing;
}

static void put(uint32_t at, uint64_t value, uint32_t bytes) { memcpy(tables + at, &value, bytes); }

static void sum_up(uint32_t at, uint32_t bytes, uint32_t sum_at) {
  uint8_t sum = 0;
  for (uint32_t byte = 0; byte < bytes; byte++) sum += tables[at + byte];
  tables[at + sum_at] = (uint8_t)-sum;
}

static void describe(const uint8_t* body, uint32_t bytes) {
  memset(tables, 0, sizeof(tables));
  memcpy(tables, "RSD PTR ", 8);
  put(16, LIST, 4);
  sum_up(0, 20, 8);
  memcpy(tables + (LIST - ROOT), "RSDT", 4);
  put(LIST - ROOT + 4, 40, 4);
  put(LIST - ROOT + 36, MADT, 4);
  sum_up(LIST - ROOT, 40, 9);
  memcpy(tables + (MADT - ROOT), "APIC", 4);
  put(MADT - ROOT + 4, MADT_FIRST + bytes, 4);
  memcpy(tables + (MADT - ROOT) + MADT_FIRST, body, bytes);
  sum_up(MADT - ROOT, MADT_FIRST + bytes, 9);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4 || size - 4 > MADT_BYTES_MAX - MADT_FIRST) return 0;
  memcpy(&version, data, 4);
  accesses = selected = controller_count = 0;
  memset(overrides, 0, sizeof(overrides));
  describe(data + 4, size - 4);
  acpi_start(ROOT);
  if (!acpi_table("APIC")) abort();
  bool has_any = ioapic_start();
  if (has_any != (controller_count > 0) || controller_count > CONTROLLERS_MAX) abort();
  for (uint32_t line = 0; line < PIC_LINES; line++) {
    struct input input = ioapic_input(line);
    if (!ioapic_connect(&input, 0x40 + line)) continue;
    if (!has_any) abort();
    ioapic_mask(input.number, true);
    ioapic_mask(input.number, false);
  }
  return 0;
}
