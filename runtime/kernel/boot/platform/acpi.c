/*
 * acpi.c: finds the tables in which a host describes its machine (ACPI 6.5, 5.2).
 *
 * A machine without firmware has anything there: a table counts only when its signature, its length
 * and its checksum are right. Hosts put tables below 4 GiB; nothing above is looked at.
 */
#include "../kernel.h"

enum { ROOT_BYTES = 20, ROOT_BYTES_2 = 36, HEADER_BYTES = 36 };
enum { ROOT_REVISION = 15, ROOT_RSDT = 16, ROOT_XSDT = 24 };
/* A table of description blocks is a dozen KiB, at most. */
#define TABLE_BYTES_MAX 0x100000
#define TABLES_MAX 256
#define TABLES_END 0x100000000

static uint64_t root;

uint64_t acpi_read(uint64_t address, uint32_t bytes) {
  uint64_t value = 0;
  for (uint32_t at = 0; at < bytes; at++) {
    value |= (uint64_t)*(volatile uint8_t*)physical(address + at) << (8 * at);
  }
  return value;
}

/* The first page is left out: nothing is mapped there, to catch null pointers. */
static bool reachable(uint64_t address, uint32_t bytes) {
  return address >= FRAME_BYTES && address + bytes <= TABLES_END;
}

static bool sums_up(uint64_t address, uint32_t bytes) {
  uint8_t sum = 0;
  for (uint32_t at = 0; at < bytes; at++) sum += (uint8_t)acpi_read(address + at, 1);
  return sum == 0;
}

static bool is(uint64_t address, const char* signature) {
  for (uint32_t at = 0; signature[at]; at++) {
    if ((uint8_t)acpi_read(address + at, 1) != (uint8_t)signature[at]) return false;
  }
  return true;
}

static bool is_root(uint64_t address) {
  return reachable(address, ROOT_BYTES) && is(address, "RSD PTR ") && sums_up(address, ROOT_BYTES);
}

bool acpi_is_table(uint64_t address, const char* signature) {
  if (!reachable(address, HEADER_BYTES) || !is(address, signature)) return false;
  uint32_t bytes = acpi_bytes(address);
  return bytes >= HEADER_BYTES && bytes <= TABLE_BYTES_MAX && reachable(address, bytes) &&
         sums_up(address, bytes);
}

uint32_t acpi_bytes(uint64_t table) { return (uint32_t)acpi_read(table + 4, 4); }

static uint64_t search(uint64_t from, uint64_t to) {
  for (uint64_t at = from; at + ROOT_BYTES <= to; at += 16) {
    if (is_root(at)) return at;
  }
  return 0;
}

void acpi_start(uint64_t told) {
  root = is_root(told) ? told : 0;
  if (!root) root = search(0xe0000, 0x100000);
  /* Where the extended data area of the BIOS lies. Between the two is a display's memory. */
  if (!root) root = search(0x80000, 0xa0000);
}

uint64_t acpi_root(void) { return root; }

static uint64_t find(uint64_t list, uint32_t width, const char* signature) {
  uint64_t end = list + acpi_bytes(list);
  uint32_t seen = 0;
  for (uint64_t at = list + HEADER_BYTES; at + width <= end && seen < TABLES_MAX; at += width) {
    uint64_t table = acpi_read(at, width);
    if (acpi_is_table(table, signature)) return table;
    seen++;
  }
  return 0;
}

uint64_t acpi_table(const char* signature) {
  if (!root) return 0;
  bool wide = acpi_read(root + ROOT_REVISION, 1) >= 2 && sums_up(root, ROOT_BYTES_2);
  uint64_t list = wide ? acpi_read(root + ROOT_XSDT, 8) : 0;
  if (acpi_is_table(list, "XSDT")) return find(list, 8, signature);
  list = acpi_read(root + ROOT_RSDT, 4);
  return acpi_is_table(list, "RSDT") ? find(list, 4, signature) : 0;
}
