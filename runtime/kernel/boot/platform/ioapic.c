/*
 * ioapic.c: the I/O APICs, which make an interrupt of a device's line (82093AA; ACPI 6.5, 5.2.12).
 *
 * The table MADT says where they are and which inputs they have. Where it is missing, one is looked
 * for where every PC has its first.
 */
#include "../kernel.h"

enum { MADT_FIRST = 44, MADT_IOAPIC = 1, MADT_OVERRIDE = 2 };
enum { SELECT = 0x00, WINDOW = 0x10 };
enum { VERSION = 1, ENTRIES = 0x10 };
enum { ENTRY_LOW = 1 << 13, ENTRY_LEVEL = 1 << 15, ENTRY_MASKED = 1 << 16 };
#define USUAL_ADDRESS 0xfec00000
/* The window, too, lies below 4 GiB. In the first page nothing is mapped. */
#define LAST_ADDRESS 0xffffffe0
#define CONTROLLERS_MAX 8

static struct {
  uint64_t address;
  uint32_t first, count;
} controllers[CONTROLLERS_MAX];
static uint32_t controller_count;

/* For each line of the old PC: the input it arrives at, and how. */
static struct {
  uint32_t input;
  uint16_t flags;
  bool told;
} overrides[PIC_LINES];

static uint32_t get(uint64_t address, uint32_t which) {
  *(volatile uint32_t*)physical(address + SELECT) = which;
  return *(volatile uint32_t*)physical(address + WINDOW);
}

static void set(uint64_t address, uint32_t which, uint32_t value) {
  *(volatile uint32_t*)physical(address + SELECT) = which;
  *(volatile uint32_t*)physical(address + WINDOW) = value;
}

static bool overlaps(uint32_t first, uint32_t count) {
  for (uint32_t at = 0; at < controller_count; at++) {
    uint32_t other = controllers[at].first;
    if (first < other + controllers[at].count && other < first + count) return true;
  }
  return false;
}

static void add(uint64_t address, uint32_t first) {
  if (controller_count == CONTROLLERS_MAX || address % 16 || memory_at(address)) return;
  if (address < FRAME_BYTES || address > LAST_ADDRESS) return;
  uint32_t version = get(address, VERSION);
  uint32_t count = (version >> 16 & 0xff) + 1;
  /* Nobody there reads as zeros or as ones. */
  if ((version & 0xff) < 0x10 || (version & 0xff) == 0xff || version >> 24) return;
  if (first > 0xffff || overlaps(first, count)) return;
  for (uint32_t input = 0; input < count; input++) {
    set(address, ENTRIES + 2 * input, ENTRY_MASKED);
  }
  controllers[controller_count].address = address;
  controllers[controller_count].first = first;
  controllers[controller_count++].count = count;
}

static void read_madt(uint64_t madt) {
  uint64_t end = madt + acpi_bytes(madt);
  uint32_t bytes = 0;
  for (uint64_t at = madt + MADT_FIRST; at + 2 <= end; at += bytes) {
    bytes = (uint32_t)acpi_read(at + 1, 1);
    if (bytes < 2 || at + bytes > end) return;
    uint32_t kind = (uint32_t)acpi_read(at, 1);
    uint32_t line = (uint32_t)acpi_read(at + 3, 1);
    if (kind == MADT_IOAPIC && bytes >= 12) {
      add(acpi_read(at + 4, 4), (uint32_t)acpi_read(at + 8, 4));
    }
    if (kind == MADT_OVERRIDE && bytes >= 10 && line < PIC_LINES) {
      overrides[line].input = (uint32_t)acpi_read(at + 4, 4);
      overrides[line].flags = (uint16_t)acpi_read(at + 8, 2);
      overrides[line].told = true;
    }
  }
}

bool ioapic_start(void) {
  for (uint32_t line = 0; line < PIC_LINES; line++) overrides[line].input = line;
  uint64_t madt = acpi_table("APIC");
  if (madt) read_madt(madt);
  else add(USUAL_ADDRESS, 0);
  return controller_count > 0;
}

struct input ioapic_input(uint32_t line) {
  struct input input = {overrides[line].input, TRIGGER_TOLD_NOT, false};
  uint16_t flags = overrides[line].flags;
  if (!overrides[line].told) return input;
  /* 1: active high, 3: active low; shifted by 2, 1: edge, 3: level. 0 is what the bus has: ISA. */
  input.low = (flags & 3) == 3;
  input.trigger = (flags >> 2 & 3) == 3 ? TRIGGER_LEVEL : TRIGGER_EDGE;
  return input;
}

static uint64_t holder(uint32_t input, uint32_t* entry) {
  for (uint32_t at = 0; at < controller_count; at++) {
    uint32_t offset = input - controllers[at].first;
    if (offset >= controllers[at].count) continue;
    *entry = ENTRIES + 2 * offset;
    return controllers[at].address;
  }
  return 0;
}

bool ioapic_connect(const struct input* input, uint32_t vector) {
  uint32_t entry;
  uint64_t address = holder(input->number, &entry);
  if (!address) return false;
  uint32_t how = (input->low ? ENTRY_LOW : 0) | (input->trigger == TRIGGER_LEVEL ? ENTRY_LEVEL : 0);
  set(address, entry, ENTRY_MASKED);
  set(address, entry + 1, apic_number() << 24);
  set(address, entry, vector | how);
  return true;
}

void ioapic_mask(uint32_t input, bool masked) {
  uint32_t entry;
  uint64_t address = holder(input, &entry);
  if (!address) return;
  uint32_t low = get(address, entry) & ~(uint32_t)ENTRY_MASKED;
  set(address, entry, low | (masked ? ENTRY_MASKED : 0));
}
