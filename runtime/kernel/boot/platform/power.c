/*
 * power.c: switches the machine off, as ACPI's tables say it (ACPI 6.5, 4.8.3.2, 4.8.3.6, 4.8.3.7).
 *
 * All is read and checked at the start: when a guest cannot go on, its end must not depend on much.
 * Where nothing switches off, a reset ends the machine on hosts that do not start it again. QEMU
 * does, so there an error is never followed by a reset: it would be a loop.
 */
#include "../kernel.h"

enum { FADT_DSDT = 40, FADT_PM1A = 64, FADT_PM1B = 68, FADT_FLAGS = 112, FADT_RESET = 116,
       FADT_RESET_VALUE = 128, FADT_DSDT_2 = 140, FADT_PM1A_2 = 172, FADT_PM1B_2 = 184,
       FADT_SLEEP = 244 };
enum { FLAG_RESET = 1 << 10, FLAG_REDUCED = 1 << 20 };
enum { PM1_SLEEP = 1 << 13, PM1_TYPE = 10, PM1_TYPE_MASK = 7 << 10 };
enum { SLEEP = 1 << 5, SLEEP_TYPE = 2 };
enum { AML_ZERO = 0x00, AML_ONE = 0x01, AML_BYTE = 0x0a, AML_PACKAGE = 0x12 };
enum { I8042 = 0x64, I8042_RESET = 0xfe, I8042_BUSY = 0x02 };
enum { HOST_SELECT = 0x510, HOST_DATA = 0x511 };
#define CPUID_HYPERVISOR (1u << 31)
/* After each way the machine may take a moment to end: so many ticks of the counter. */
#define END_TICKS 500000000

/* A generic address (ACPI 6.5, 5.2.3.2): memory or ports; 0: none. */
struct place {
  uint64_t address;
  bool is_port;
};

static struct place sleep_control, pm1a, pm1b, reset;
static uint8_t reset_value, types[2];
static bool can_sleep;

static struct place place_at(uint64_t fadt, uint32_t offset) {
  struct place none = {0, false};
  if (offset + 12 > acpi_bytes(fadt)) return none;
  uint64_t space = acpi_read(fadt + offset, 1);
  struct place found = {acpi_read(fadt + offset + 4, 8), space == 1};
  bool valid = space == 1 ? found.address < 0x10000 : !space && !(found.address >> 32);
  return valid && !memory_at(found.address) ? found : none;
}

static struct place pm1_at(uint64_t fadt, uint32_t old, uint32_t wide) {
  struct place found = place_at(fadt, wide);
  if (found.address) return found;
  found.address = acpi_read(fadt + old, 4);
  found.is_port = found.address < 0x10000;
  return found.is_port ? found : (struct place){0, false};
}

/* A number of one byte, as AML writes it; *at moves behind it. */
static bool number(uint64_t* at, uint64_t end, uint8_t* value) {
  if (*at + 2 > end) return false;
  uint8_t code = (uint8_t)acpi_read((*at)++, 1);
  *value = code == AML_BYTE ? (uint8_t)acpi_read((*at)++, 1) : code;
  return code == AML_ZERO || code == AML_ONE || code == AML_BYTE;
}

/*
 * Name (_S5_, Package { type a, type b, .. }) is the bytes 08 "_S5_" 12 length count numbers. No
 * other object of a table has these bytes, so the rest of it need not be understood.
 */
static bool read_types(uint64_t dsdt) {
  uint64_t end = dsdt + acpi_bytes(dsdt);
  for (uint64_t at = dsdt + 36; at + 12 <= end; at++) {
    if (acpi_read(at, 4) != 0x5f35535f || acpi_read(at + 4, 1) != AML_PACKAGE) continue;
    at += 5;
    at += 2 + (acpi_read(at, 1) >> 6);
    return number(&at, end, &types[0]) && number(&at, end, &types[1]);
  }
  return false;
}

void power_start(void) {
  uint64_t fadt = acpi_table("FACP");
  if (!fadt || acpi_bytes(fadt) < FADT_FLAGS + 4) return;
  uint32_t flags = (uint32_t)acpi_read(fadt + FADT_FLAGS, 4);
  uint64_t dsdt = acpi_bytes(fadt) >= FADT_DSDT_2 + 8 ? acpi_read(fadt + FADT_DSDT_2, 8) : 0;
  if (!dsdt) dsdt = acpi_read(fadt + FADT_DSDT, 4);
  can_sleep = acpi_is_table(dsdt, "DSDT") && read_types(dsdt);
  if (flags & FLAG_REDUCED) {
    sleep_control = place_at(fadt, FADT_SLEEP);
  } else {
    pm1a = pm1_at(fadt, FADT_PM1A, FADT_PM1A_2);
    pm1b = pm1_at(fadt, FADT_PM1B, FADT_PM1B_2);
  }
  if (flags & FLAG_RESET) {
    reset = place_at(fadt, FADT_RESET);
    reset_value = (uint8_t)acpi_read(fadt + FADT_RESET_VALUE, 1);
  }
}

static void put8(struct place to, uint8_t value) {
  if (to.is_port) out8((uint16_t)to.address, value);
  else *(volatile uint8_t*)physical(to.address) = value;
}

static void put_type(struct place to, uint8_t type) {
  if (!to.address) return;
  uint16_t sleep = (uint16_t)((type & 7) << PM1_TYPE | PM1_SLEEP);
  if (to.is_port) {
    uint16_t port = (uint16_t)to.address;
    out16(port, (uint16_t)((in16(port) & ~PM1_TYPE_MASK) | sleep));
  } else {
    volatile uint16_t* control = physical(to.address);
    *control = (uint16_t)((*control & ~PM1_TYPE_MASK) | sleep);
  }
}

static void linger(void) {
  for (uint64_t start = counter(); counter() - start < END_TICKS;) __asm__ volatile("pause");
}

static void switch_off(void) {
  if (!can_sleep) return;
  put_type(pm1a, types[0]);
  put_type(pm1b, types[1]);
  if (sleep_control.address) put8(sleep_control, (uint8_t)((types[0] & 7) << SLEEP_TYPE | SLEEP));
  if (pm1a.address || sleep_control.address) linger();
}

/* QEMU's configuration device says its name. */
static bool on_qemu(void) {
  out16(HOST_SELECT, 0);
  for (const char* name = "QEMU"; *name; name++) {
    if (in8(HOST_DATA) != (uint8_t)*name) return false;
  }
  return true;
}

void power_end(uint8_t code) {
  switch_off();
  if (!(cpuid(1, 0).c & CPUID_HYPERVISOR) || (code != 0 && on_qemu())) return;
  if (reset.address) {
    put8(reset, reset_value);
    linger();
  }
  for (uint64_t start = counter(); in8(I8042) & I8042_BUSY && counter() - start < END_TICKS;) {
  }
  out8(I8042, I8042_RESET);
  linger();
}
