/*
 * loader.c: the memory map, the command line and ACPI's root pointer, from whichever loader started
 * the image: PVH, Multiboot 1 and 2, or Linux's boot parameters.
 *
 * It copies all that it keeps: the memory that the loader left is handed out later. All that it
 * reads must lie below 4 GiB.
 */
#include "kernel.h"

#define PVH_MAGIC 0x336ec578
#define E820_AVAILABLE 1
#define ADDRESS_END 0x100000000
#define ROOT_POINTER_BYTES 36
/* More entries or tags than any machine has: a list that names more has no end. */
#define ENTRIES_MAX 4096
/* How far the end of a command line is looked for. */
#define TEXT_BYTES_MAX 0x100000

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

enum {
  TAG_END = 0,
  TAG_COMMAND_LINE = 1,
  TAG_MAP = 6,
  TAG_ROOT_POINTER = 14,
  TAG_ROOT_POINTER_2 = 15,
  TAG_ALIGN = 8,
};
struct multiboot2_start {
  uint32_t bytes; /* of all tags, and this */
  uint32_t reserved;
};
struct multiboot2_tag {
  uint32_t kind;
  uint32_t bytes; /* with these two words */
  union {
    char text[1];
    struct {
      uint32_t entry_bytes, entry_version;
    } map;
  };
};
struct multiboot2_entry {
  uint64_t base;
  uint64_t bytes;
  uint32_t kind;
  uint32_t reserved;
};

/* Offsets in boot_params (Linux, Documentation/arch/x86/zero-page.rst). */
enum {
  LINUX_ROOT_POINTER = 0x070,
  LINUX_COMMAND_LINE_HIGH = 0x0c8,
  LINUX_MAP_ENTRIES = 0x1e8,
  LINUX_MAGIC = 0x202,
  LINUX_COMMAND_LINE = 0x228,
  LINUX_MAP = 0x2d0,
  LINUX_MAP_MAX = 128,
};
struct linux_entry {
  uint64_t base;
  uint64_t bytes;
  uint32_t kind;
} __attribute__((packed));

char command_line[COMMAND_LINE_MAX + 1];
uint32_t command_line_bytes;
uint64_t loader_root_pointer;

static const void* told(uint64_t address) {
  if (address >= ADDRESS_END) panic(STOP_LOADER, "loader", "something lies above 4 GiB");
  if (!address) panic(STOP_LOADER, "loader", "something that has to be there lies nowhere");
  return (const void*)(uintptr_t)address;
}

static void check_entries(uint64_t entries) {
  if (entries > ENTRIES_MAX) panic(STOP_LOADER, "loader", "the memory map has no end");
}

static void add(uint64_t base, uint64_t bytes, uint32_t kind) {
  region_add(base, bytes, kind == E820_AVAILABLE ? REGION_AVAILABLE : REGION_RESERVED);
}

static void copy_command_line(const char* from) {
  uint32_t bytes = 0;
  while (bytes < TEXT_BYTES_MAX && from[bytes]) bytes++;
  command_line_bytes = bytes;
  uint32_t kept = bytes < COMMAND_LINE_MAX ? bytes : COMMAND_LINE_MAX;
  memcpy(command_line, from, kept);
  command_line[kept] = 0;
}

/*
 * QEMU puts the image's path and a blank before the words; it may be any path, also one that looks
 * like an option. GRUB and v86 put nothing before them, or a path that starts with `/` or `(`.
 */
static const char* multiboot_words(const struct multiboot_start* start) {
  if (!(start->flags & MULTIBOOT_HAS_COMMAND_LINE)) return "";
  const char* words = told(start->command_line);
  if (!(start->flags & MULTIBOOT_HAS_LOADER)) return words;
  const char* loader = told(start->loader);
  if (memcmp(loader, "qemu", sizeof("qemu"))) return words;
  const char* path_end = words + TEXT_BYTES_MAX;
  while (words < path_end && *words && *words != ' ') words++;
  return *words ? words + 1 : words;
}

static void read_pvh(const struct pvh_start* start) {
  if (start->magic != PVH_MAGIC) panic(STOP_LOADER, "loader", "no PVH start information");
  if (start->version < 1 || !start->map) panic(STOP_LOADER, "loader", "no memory map");
  copy_command_line(start->command_line ? told(start->command_line) : "");
  loader_root_pointer = start->root_pointer;
  check_entries(start->map_entries);
  const struct pvh_entry* map = told(start->map);
  for (uint32_t at = 0; at < start->map_entries; at++) {
    add(map[at].base, map[at].bytes, map[at].kind);
  }
}

static void read_multiboot(const struct multiboot_start* start) {
  copy_command_line(multiboot_words(start));
  if (!(start->flags & MULTIBOOT_HAS_MAP)) panic(STOP_LOADER, "loader", "no memory map");
  /* In 64 bits, so that no size leads back to an entry that was read. */
  uint64_t at = 0;
  for (uint64_t seen = 1; at + sizeof(struct multiboot_entry) <= start->map_bytes; seen++) {
    check_entries(seen);
    const struct multiboot_entry* entry = told((uint64_t)start->map + at);
    add(entry->base, entry->bytes, entry->kind);
    at += (uint64_t)entry->size + sizeof(entry->size);
  }
}

static void read_multiboot2_map(const struct multiboot2_tag* tag) {
  uint64_t step = tag->map.entry_bytes;
  if (step < sizeof(struct multiboot2_entry)) panic(STOP_LOADER, "loader", "no memory map");
  check_entries(tag->bytes / step);
  for (uint64_t at = 16; at + step <= tag->bytes; at += step) {
    const struct multiboot2_entry* entry = (const void*)((uintptr_t)tag + at);
    add(entry->base, entry->bytes, entry->kind);
  }
}

/* What tells of ACPI is a copy of the root pointer, so it is copied again. */
static void keep_root_pointer(const struct multiboot2_tag* tag) {
  static char kept[ROOT_POINTER_BYTES];
  uint32_t bytes = tag->bytes - 8;
  memcpy(kept, tag->text, bytes < sizeof(kept) ? bytes : sizeof(kept));
  loader_root_pointer = (uintptr_t)kept;
}

static void read_multiboot2(const struct multiboot2_start* start) {
  bool has_map = false;
  uint64_t at = sizeof(*start);
  for (uint64_t seen = 1; at + 8 <= start->bytes; seen++) {
    check_entries(seen);
    const struct multiboot2_tag* tag = told((uintptr_t)start + at);
    if (tag->kind == TAG_END || tag->bytes < 8 || tag->bytes > start->bytes - at) break;
    if (tag->kind == TAG_COMMAND_LINE) copy_command_line(tag->text);
    if (tag->kind == TAG_MAP) {
      has_map = true;
      read_multiboot2_map(tag);
    }
    /* The newer one comes with the older, before it or after it. */
    bool older = tag->kind == TAG_ROOT_POINTER && !loader_root_pointer;
    if (older || tag->kind == TAG_ROOT_POINTER_2) keep_root_pointer(tag);
    at += ((uint64_t)tag->bytes + TAG_ALIGN - 1) & ~(uint64_t)(TAG_ALIGN - 1);
  }
  if (!has_map) panic(STOP_LOADER, "loader", "no memory map");
}

static uint32_t word_at(const char* place) {
  uint32_t word;
  memcpy(&word, place, sizeof(word));
  return word;
}

static void read_linux(const char* start) {
  if (word_at(start + LINUX_MAGIC) != LOADER_LINUX) {
    panic(STOP_LOADER, "loader", "no protocol that the image knows");
  }
  uint64_t high = word_at(start + LINUX_COMMAND_LINE_HIGH);
  uint64_t words = high << 32 | word_at(start + LINUX_COMMAND_LINE);
  copy_command_line(words ? told(words) : "");
  memcpy(&loader_root_pointer, start + LINUX_ROOT_POINTER, sizeof(loader_root_pointer));
  uint32_t entries = (uint8_t)start[LINUX_MAP_ENTRIES];
  if (!entries || entries > LINUX_MAP_MAX) panic(STOP_LOADER, "loader", "no memory map");
  const struct linux_entry* map = (const void*)(start + LINUX_MAP);
  for (uint32_t at = 0; at < entries; at++) add(map[at].base, map[at].bytes, map[at].kind);
}

void loader_read(uint32_t loader, uint32_t start_info) {
  const void* start = told(start_info);
  switch (loader) {
    case LOADER_MULTIBOOT: read_multiboot(start); break;
    case LOADER_MULTIBOOT2: read_multiboot2(start); break;
    case LOADER_LINUX: read_linux(start); break;
    case LOADER_PVH: read_pvh(start); break;
    default: panic(STOP_LOADER, "loader", "no protocol that the image knows");
  }
}
