/*
 * memory.c: frames, page tables, and the two ways to see memory: the window and physical().
 *
 * Frames of the pool are given out once and never taken back. Those of the ledger go back to it.
 */
#include "kernel.h"

/*
 * Frames besides the promised ones: for page tables, and for the engine's growth until the guest's
 * ledger takes over.
 */
#define POOL_FRAMES 160
/* The last frames of the pool are for page tables alone: growth can then always be mapped. */
#define POOL_TABLE_RESERVE 24
#define POOL_DEVICE_RESERVE 8
/* Frames taken from the ledger at once. */
#define LEDGER_RUN_FRAMES 16

/* Of variables that are whole pages: link.ld keeps them together. */
#define PAGES __attribute__((aligned(FRAME_BYTES), section(".bss.pages")))

enum { PRESENT = 0x1, WRITABLE = 0x2, WRITE_THROUGH = 0x8, UNCACHED = 0x10, LARGE = 0x80 };
/* A bit that the processor leaves to the kernel. */
enum { MARKED = 0x200 };

extern char image_start[], image_end[], packed_start[], packed_end[], stack_guard[];

/* The pool: where the packed snapshot was, which is unpacked by now, and more behind the image. */
static uint64_t pool_total, pool_used, pool_behind, pool_end;
/* Frames for pages that the engine has not touched yet: they must never run out. */
static uint64_t pool_promised;
static const struct ledger* ledger;
static bool ledger_ready;
/* What is left of the run that was taken from the ledger last. */
static uint32_t run_first, run_left;

uint32_t pool_frames(void) { return (uint32_t)pool_total; }
uint32_t pool_frames_free(void) { return (uint32_t)(pool_total - pool_used); }
void frames_from_ledger(void) { ledger_ready = true; }

bool frames_take(uint32_t most, uint32_t* first, uint32_t* length) {
  return ledger_ready && ledger->take(most, first, length);
}
void frames_give(uint32_t first, uint32_t length) { ledger->give(first, length); }
uint32_t frames_count(uint32_t state) { return ledger_ready ? ledger->count(state) : 0; }

static uint64_t packed_frames(void) {
  return ((uintptr_t)packed_end - (uintptr_t)packed_start) / FRAME_BYTES;
}

static uint64_t pool_take(uint64_t keep) {
  if (pool_used + keep + 1 > pool_total) return 0;
  uint64_t at = pool_used++;
  if (at < packed_frames()) return (uintptr_t)packed_start + FRAME_BYTES * at;
  return pool_behind + FRAME_BYTES * (at - packed_frames());
}

bool frame_is_ledgers(uint64_t frame) {
  return frame < (uintptr_t)image_start || frame >= pool_end;
}

static uint64_t ledger_frame(void) {
  if (run_left == 0 && !frames_take(LEDGER_RUN_FRAMES, &run_first, &run_left)) return 0;
  run_left--;
  return (uint64_t)run_first++ * FRAME_BYTES;
}

uint64_t frame_take(bool is_foreign) {
  uint64_t frame = ledger_frame();
  if (!frame && is_foreign && ledger_ready) return 0;
  return frame ? frame : pool_take(POOL_TABLE_RESERVE + pool_promised);
}

uint64_t frame_take_promised(void) {
  if (!pool_promised) return frame_take(false);
  pool_promised--;
  return pool_take(0);
}

/*
 * A cleared page table; 0 when no frame is left that the identity mapping shows. Once there is a
 * ledger, the last frames of the pool are for devices: to see one must not fail.
 */
static uint64_t table_take(void) {
  uint64_t frame = pool_take(pool_promised + (ledger_ready ? POOL_DEVICE_RESERVE : 0));
  if (!frame) frame = ledger_frame();
  if (frame >= IDENTITY_BYTES) {
    frames_give((uint32_t)(frame / FRAME_BYTES), 1);
    frame = 0;
  }
  if (!frame) frame = pool_take(pool_promised);
  if (frame) memset((void*)(uintptr_t)frame, 0, FRAME_BYTES);
  return frame;
}

static bool is_memory(uint64_t base, uint64_t bytes) {
  for (uint32_t at = 0; at < region_count; at++) {
    if (regions[at].kind == REGION_RESERVED) continue;
    if (base < regions[at].base + regions[at].bytes && regions[at].base < base + bytes) return true;
  }
  return false;
}

static void flush(uintptr_t address) {
  __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

#ifdef __x86_64__

typedef uint64_t entry_t;
#define TABLE_ENTRIES 512
extern entry_t root_table[TABLE_ENTRIES], identity_table[TABLE_ENTRIES];
extern entry_t identity_directory[TABLE_ENTRIES];
static entry_t direct_table[TABLE_ENTRIES] PAGES;

static entry_t* below(entry_t* entry) {
  if (!(*entry & PRESENT)) {
    uint64_t table = table_take();
    if (!table) return NULL;
    *entry = table | PRESENT | WRITABLE;
  }
  return (entry_t*)(uintptr_t)(*entry & 0x000ffffffffff000);
}

static entry_t* leaf(uintptr_t address) {
  entry_t* table = below(&root_table[address >> 39 & 511]);
  if (table) table = below(&table[address >> 30 & 511]);
  entry_t* directory = table ? &table[address >> 21 & 511] : NULL;
  if (!directory) return NULL;
  if (*directory & LARGE) {
    uint64_t small = table_take();
    if (!small) return NULL;
    entry_t* entries = (entry_t*)(uintptr_t)small;
    for (uint32_t at = 0; at < TABLE_ENTRIES; at++) {
      entries[at] = (*directory & ~(uint64_t)LARGE) + FRAME_BYTES * at;
    }
    *directory = small | PRESENT | WRITABLE;
  }
  table = below(directory);
  return table ? &table[address >> 12 & 511] : NULL;
}

/* The same without making a table. */
static entry_t peek(uintptr_t address) {
  const entry_t* table = root_table;
  for (uint32_t shift = 39; shift > 12; shift -= 9) {
    entry_t entry = table[address >> shift & 511];
    if (!(entry & PRESENT) || (entry & LARGE)) return entry & PRESENT;
    table = (const entry_t*)(uintptr_t)(entry & 0x000ffffffffff000);
  }
  return table[address >> 12 & 511];
}

volatile void* physical(uint64_t address) {
  uintptr_t seen = DIRECT_BASE + address;
  entry_t* table = below(&root_table[seen >> 39 & 511]);
  if (table) table = below(&table[seen >> 30 & 511]);
  if (!table) panic(STOP_NO_MEMORY, "memory", "no frame for a page table");
  entry_t* entry = &table[seen >> 21 & 511];
  if (!(*entry & PRESENT)) {
    uint64_t base = address & ~(uint64_t)(LARGE_PAGE_BYTES - 1);
    /* Device memory must not be cached. */
    uint64_t how = is_memory(base, LARGE_PAGE_BYTES) ? 0 : WRITE_THROUGH | UNCACHED;
    *entry = base | PRESENT | WRITABLE | LARGE | how;
  }
  return (volatile void*)seen;
}

static void paging_setup(void) {
  /* What loader.c saw beyond the first GiB becomes the window. */
  for (uint32_t at = 1; at < LOADER_BYTES / IDENTITY_BYTES; at++) identity_table[at] = 0;
  __asm__ volatile("mov %0, %%cr3" : : "r"(root_table) : "memory");
  /* One directory shows the first GiB at both places. */
  root_table[DIRECT_BASE >> 39 & 511] = (uintptr_t)direct_table | PRESENT | WRITABLE;
  direct_table[0] = (uintptr_t)identity_directory | PRESENT | WRITABLE;
  for (uint32_t at = 0; at < region_count; at++) {
    uint64_t end = regions[at].base + regions[at].bytes;
    if (regions[at].kind == REGION_RESERVED || end <= IDENTITY_BYTES) continue;
    uint64_t page = regions[at].base & ~(uint64_t)(LARGE_PAGE_BYTES - 1);
    for (; page < end; page += LARGE_PAGE_BYTES) {
      if (page >= IDENTITY_BYTES) physical(page);
    }
  }
}

/* A directory for each GiB in which there is memory, and a table of them for each 512 GiB. */
static uint64_t tables_needed(void) {
  uint64_t tables = 0, directories_end = 0, roots_end = 0;
  for (uint32_t at = 0; at < region_count; at++) {
    if (regions[at].kind == REGION_RESERVED) continue;
    uint64_t last = regions[at].base + regions[at].bytes - 1;
    for (uint64_t it = regions[at].base >> 30; it <= last >> 30; it++) {
      if (it < directories_end) continue;
      directories_end = it + 1;
      tables++;
      if (it >> 9 < roots_end) continue;
      roots_end = (it >> 9) + 1;
      tables++;
    }
  }
  return tables;
}

uint64_t core_memory_end(void) { return memory_end_below((uint64_t)1 << 32); }

#else

typedef uint32_t entry_t;
#define TABLE_ENTRIES 1024
void paging_start(entry_t* directory);
static entry_t root_table[TABLE_ENTRIES] PAGES;

static entry_t* leaf(uintptr_t address) {
  entry_t* directory = &root_table[address >> 22];
  if (!(*directory & PRESENT) || (*directory & LARGE)) {
    uint64_t small = table_take();
    if (!small) return NULL;
    entry_t* entries = (entry_t*)(uintptr_t)small;
    if (*directory & LARGE) {
      for (uint32_t at = 0; at < TABLE_ENTRIES; at++) {
        entries[at] = (*directory & ~(uint32_t)LARGE) + FRAME_BYTES * at;
      }
    }
    *directory = (entry_t)small | PRESENT | WRITABLE;
  }
  return (entry_t*)(uintptr_t)(*directory & 0xfffff000) + (address >> 12 & 1023);
}

/* The same without making a table. */
static entry_t peek(uintptr_t address) {
  entry_t entry = root_table[address >> 22];
  if (!(entry & PRESENT) || (entry & LARGE)) return entry & PRESENT;
  return ((const entry_t*)(uintptr_t)(entry & 0xfffff000))[address >> 12 & 1023];
}

/* Beyond the identity mapping, each 4 MiB slot shows what was asked for last. */
volatile void* physical(uint64_t address) {
  if (address < IDENTITY_BYTES) return (volatile void*)(uintptr_t)address;
  if (address >> 32) panic(STOP_NO_MEMORY, "memory", "an address above 4 GiB on a 32-bit machine");
  uint32_t base = (uint32_t)address & ~(uint32_t)(LARGE_PAGE_BYTES - 1);
  uintptr_t seen = SLOT_BASE + (base / LARGE_PAGE_BYTES % SLOT_COUNT) * LARGE_PAGE_BYTES;
  entry_t* entry = &root_table[seen >> 22];
  if ((*entry & ~(uint32_t)(LARGE_PAGE_BYTES - 1)) != base || !(*entry & PRESENT)) {
    uint32_t how = is_memory(base, LARGE_PAGE_BYTES) ? 0 : WRITE_THROUGH | UNCACHED;
    *entry = base | PRESENT | WRITABLE | LARGE | how;
    flush(seen);
  }
  return (volatile void*)(seen + ((uint32_t)address & (LARGE_PAGE_BYTES - 1)));
}

static void paging_setup(void) {
  for (uint32_t at = 0; at < IDENTITY_BYTES / LARGE_PAGE_BYTES; at++) {
    root_table[at] = at * LARGE_PAGE_BYTES | PRESENT | WRITABLE | LARGE;
  }
  paging_start(root_table);
}

static uint64_t tables_needed(void) { return 2; }

uint64_t core_memory_end(void) { return memory_end_below(IDENTITY_BYTES); }

#endif

bool window_map(uint32_t offset, uint64_t frame) {
  uintptr_t address = (uintptr_t)WINDOW_BASE + offset;
  entry_t* entry = leaf(address);
  if (!entry) return false;
  *entry = (entry_t)(frame | PRESENT | WRITABLE);
  flush(address);
  return true;
}

bool window_mapped(uint32_t offset) {
  entry_t* entry = leaf((uintptr_t)WINDOW_BASE + offset);
  return entry && (*entry & PRESENT);
}

bool window_used(uint32_t offset) { return peek((uintptr_t)WINDOW_BASE + offset) & PRESENT; }

void window_mark(uint32_t offset) {
  entry_t* entry = leaf((uintptr_t)WINDOW_BASE + offset);
  if (entry) *entry |= MARKED;
}

bool window_marked(uint32_t offset) { return peek((uintptr_t)WINDOW_BASE + offset) & MARKED; }

uint64_t window_frame(uint32_t offset) {
  entry_t entry = peek((uintptr_t)WINDOW_BASE + offset);
  return entry & PRESENT ? entry & ~(entry_t)(FRAME_BYTES - 1) : 0;
}

uint64_t window_unmap(uint32_t offset) {
  uintptr_t address = (uintptr_t)WINDOW_BASE + offset;
  entry_t* entry = leaf(address);
  if (!entry || !(*entry & PRESENT)) return 0;
  uint64_t frame = *entry & ~(entry_t)(FRAME_BYTES - 1);
  *entry = 0;
  flush(address);
  return frame;
}

static void unmap(uintptr_t address) {
  entry_t* entry = leaf(address);
  if (!entry) panic(STOP_NO_MEMORY, "memory", "no frame for a page table");
  *entry = 0;
  flush(address);
}

void memory_start(uint32_t promised, uint32_t more, const struct ledger* given, uint64_t own) {
  ledger = given;
  pool_behind = (uintptr_t)image_end + own;
  pool_promised = promised;
  pool_total = POOL_FRAMES + more + tables_needed() + pool_promised;
  uint64_t behind = pool_total > packed_frames() ? pool_total - packed_frames() : 0;
  uint64_t end = pool_behind + FRAME_BYTES * behind;
  pool_end = end;
  region_carve((uintptr_t)image_start, end - (uintptr_t)image_start);
  paging_setup();
  /* A stack overflow and a null pointer must fault. */
  unmap((uintptr_t)stack_guard);
  unmap(0);
}

void memory_guard(uint64_t frame) { unmap((uintptr_t)frame); }

bool memory_at(uint64_t address) { return is_memory(address, 1); }

void frames_fill(uint32_t first, uint32_t count, uint32_t value) {
  for (uint32_t frame = first; frame != first + count; frame++) {
    volatile uint32_t* words = physical((uint64_t)frame * FRAME_BYTES);
    for (uint32_t at = 0; at < FRAME_BYTES / sizeof(uint32_t); at++) words[at] = value;
  }
}
