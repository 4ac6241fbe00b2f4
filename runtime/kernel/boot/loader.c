/*
 * loader.c: the memory map and the command line, from PVH or Multiboot 1.
 *
 * It copies all that it keeps: the memory that the loader left is handed out later. After
 * loader_read, `regions` is sorted, without overlaps, and made of whole frames.
 */
#include "kernel.h"

#define PVH_MAGIC 0x336ec578
#define E820_AVAILABLE 1
#define ADDRESS_END 0x100000000

struct pvh_start {
  uint32_t magic;
  uint32_t version;
  uint32_t flags;
  uint32_t module_count;
  uint64_t modules;
  uint64_t command_line;
  uint64_t root_pointer;
  uint64_t map;
  uint32_t map_entries;
};
struct pvh_entry {
  uint64_t base;
  uint64_t bytes;
  uint32_t kind;
  uint32_t reserved;
};

enum {
  MULTIBOOT_HAS_COMMAND_LINE = 1 << 2,
  MULTIBOOT_HAS_MAP = 1 << 6,
  MULTIBOOT_HAS_LOADER = 1 << 9,
};
struct multiboot_start {
  uint32_t flags;
  uint32_t lower_kib, upper_kib;
  uint32_t boot_device;
  uint32_t command_line;
  uint32_t module_count, modules;
  uint32_t symbols[4];
  uint32_t map_bytes, map;
  uint32_t drives_bytes, drives;
  uint32_t config;
  uint32_t loader;
};
struct multiboot_entry {
  uint32_t size; /* of what follows */
  uint64_t base;
  uint64_t bytes;
  uint32_t kind;
} __attribute__((packed));

struct region regions[REGIONS_MAX];
uint32_t region_count;
char command_line[COMMAND_LINE_MAX + 1];
uint32_t command_line_bytes;
uint64_t loader_root_pointer;

static void insert(uint32_t at, uint64_t base, uint64_t bytes, enum region_kind kind) {
  if (region_count == REGIONS_MAX) panic(STOP_LOADER, "loader", "too many memory regions");
  for (uint32_t from = region_count++; from > at; from--) regions[from] = regions[from - 1];
  regions[at] = (struct region){base, bytes, kind};
}

/* Available memory shrinks to whole frames, everything else grows to them. */
static void add(uint64_t base, uint64_t bytes, enum region_kind kind) {
  uint64_t mask = FRAME_BYTES - 1;
  uint64_t end = base + bytes;
  if (kind == REGION_AVAILABLE) {
    base = (base + mask) & ~mask;
    end &= ~mask;
#ifndef __x86_64__
    /* Page table entries have 32 bits here: memory above cannot be mapped. */
    if (end > ADDRESS_END) end = ADDRESS_END;
#endif
    /* Frame 0 is never handed out: its number would look like "none". */
    if (base == 0) base = FRAME_BYTES;
  } else {
    base &= ~mask;
    end = (end + mask) & ~mask;
  }
  if (end <= base) return;
  uint32_t at = 0;
  while (at < region_count && regions[at].base < base) at++;
  insert(at, base, end - base, kind);
}

/* Cuts [base, base + bytes) out of available region `at`; what was cut out becomes `kind`. */
static void carve(uint32_t at, uint64_t base, uint64_t bytes, enum region_kind kind) {
  struct region whole = regions[at];
  uint64_t end = base + bytes;
  uint64_t whole_end = whole.base + whole.bytes;
  regions[at] = (struct region){base, bytes, kind};
  if (end < whole_end) insert(at + 1, end, whole_end - end, REGION_AVAILABLE);
  if (whole.base < base) insert(at, whole.base, base - whole.base, REGION_AVAILABLE);
}

/* The available region that holds [base, base + bytes); without one the machine stops. */
static uint32_t holder(uint64_t base, uint64_t bytes) {
  for (uint32_t at = 0; at < region_count; at++) {
    const struct region* here = &regions[at];
    if (here->kind == REGION_AVAILABLE && here->base <= base &&
        base + bytes <= here->base + here->bytes) {
      return at;
    }
  }
  panic(STOP_LOADER, "loader", "the image does not lie in available memory");
}

void region_need(uint64_t base, uint64_t bytes) { holder(base, bytes); }

void region_carve(uint64_t base, uint64_t bytes) {
  carve(holder(base, bytes), base, bytes, REGION_KERNEL);
}

/* Some firmware's maps overlap: where a reserved range covers available memory, reserved wins. */
static void settle(void) {
  for (uint32_t at = 0; at < region_count; at++) {
    if (regions[at].kind == REGION_AVAILABLE) continue;
    uint64_t base = regions[at].base, end = base + regions[at].bytes;
    for (uint32_t other = 0; other < region_count; other++) {
      struct region* here = &regions[other];
      uint64_t here_end = here->base + here->bytes;
      if (here->kind != REGION_AVAILABLE || here_end <= base || end <= here->base) continue;
      if (here->base < base && end < here_end) insert(other + 1, end, here_end - end, here->kind);
      here = &regions[other];
      if (here->base < base) here->bytes = base - here->base;
      else if (end < here_end) *here = (struct region){end, here_end - end, REGION_AVAILABLE};
      else here->bytes = 0;
    }
  }
}

static void copy_command_line(const char* from) {
  command_line_bytes = strlen(from);
  uint32_t kept = command_line_bytes;
  if (kept > COMMAND_LINE_MAX) kept = COMMAND_LINE_MAX;
  memcpy(command_line, from, kept);
}

/*
 * QEMU puts the image's path and a blank before the words; it may be any path, also one that looks
 * like an option. GRUB and v86 put nothing before them, or a path that starts with `/` or `(`.
 */
static const char* multiboot_words(const struct multiboot_start* start) {
  if (!(start->flags & MULTIBOOT_HAS_COMMAND_LINE)) return "";
  const char* words = (const char*)(uintptr_t)start->command_line;
  if (!(start->flags & MULTIBOOT_HAS_LOADER)) return words;
  if (strcmp((const char*)(uintptr_t)start->loader, "qemu")) return words;
  while (*words && *words != ' ') words++;
  return *words ? words + 1 : words;
}

static void read_pvh(const struct pvh_start* start) {
  if (start->magic != PVH_MAGIC) panic(STOP_LOADER, "loader", "no PVH start information");
  if (start->version < 1 || !start->map) panic(STOP_LOADER, "loader", "no memory map");
  copy_command_line(start->command_line ? (const char*)(uintptr_t)start->command_line : "");
  loader_root_pointer = start->root_pointer;
  const struct pvh_entry* map = (const struct pvh_entry*)(uintptr_t)start->map;
  for (uint32_t at = 0; at < start->map_entries; at++) {
    add(map[at].base, map[at].bytes,
        map[at].kind == E820_AVAILABLE ? REGION_AVAILABLE : REGION_RESERVED);
  }
}

static void read_multiboot(const struct multiboot_start* start) {
  copy_command_line(multiboot_words(start));
  if (!(start->flags & MULTIBOOT_HAS_MAP)) panic(STOP_LOADER, "loader", "no memory map");
  for (uint32_t at = 0; at + sizeof(struct multiboot_entry) <= start->map_bytes;) {
    const struct multiboot_entry* entry =
        (const struct multiboot_entry*)(uintptr_t)(start->map + at);
    add(entry->base, entry->bytes,
        entry->kind == E820_AVAILABLE ? REGION_AVAILABLE : REGION_RESERVED);
    at += entry->size + sizeof(entry->size);
  }
}

void loader_read(uint32_t loader, uint32_t start_info) {
  if (loader == LOADER_PVH) read_pvh((const struct pvh_start*)(uintptr_t)start_info);
  else read_multiboot((const struct multiboot_start*)(uintptr_t)start_info);
  settle();
}
