/*
 * regions.c: the machine's memory as one list of ranges, sorted and without overlaps.
 *
 * Whatever a loader tells, in whatever order: what is told twice counts once, and where one entry
 * calls reserved what another calls available, it is reserved. Where the list is full, the smallest
 * piece of available memory is left unused.
 */
#include "kernel.h"

/* EXIT.tooLittleMemory of runtime/kernel/exit-codes.ts. */
#define TOO_LITTLE_MEMORY 11

struct region regions[REGIONS_MAX];
uint32_t region_count;

static uint64_t end_of(uint32_t at) { return regions[at].base + regions[at].bytes; }

#ifdef __x86_64__
/* A page table with a bit beyond the address bits of CPUID 0x80000008 is a fault. */
uint64_t address_end(void) {
  static uint32_t bits;
  if (!bits) {
    bits = cpuid(0x80000000, 0).a >= 0x80000008 ? cpuid(0x80000008, 0).a & 0xff : 36;
    if (bits > DIRECT_BITS) bits = DIRECT_BITS;
  }
  return (uint64_t)1 << bits;
}
#else
/* Page table entries have 32 bits here: memory above cannot be mapped. */
uint64_t address_end(void) { return (uint64_t)1 << 32; }
#endif

static void drop(uint32_t at) {
  region_count--;
  for (; at < region_count; at++) regions[at] = regions[at + 1];
}

/* Leaves the smallest piece of available memory unused; false: that is what has to be added. */
static bool make_room(uint64_t bytes, enum region_kind kind) {
  uint32_t smallest = REGIONS_MAX;
  for (uint32_t at = 0; at < region_count; at++) {
    if (regions[at].kind != REGION_AVAILABLE) continue;
    if (smallest == REGIONS_MAX || regions[at].bytes < regions[smallest].bytes) smallest = at;
  }
  if (smallest == REGIONS_MAX) panic(STOP_LOADER, "loader", "too many memory regions");
  if (kind == REGION_AVAILABLE && bytes <= regions[smallest].bytes) return false;
  drop(smallest);
  return true;
}

/* The first region that ends beyond an address. */
static uint32_t region_beyond(uint64_t address) {
  uint32_t at = 0;
  while (at < region_count && end_of(at) <= address) at++;
  return at;
}

/* Adds what overlaps nothing. */
static void put(uint64_t base, uint64_t end, enum region_kind kind) {
  uint32_t at = region_beyond(base);
  bool joins_below = at > 0 && regions[at - 1].kind == kind && end_of(at - 1) == base;
  bool joins_above = at < region_count && regions[at].kind == kind && regions[at].base == end;
  if (joins_below) {
    regions[at - 1].bytes += end - base;
    if (!joins_above) return;
    regions[at - 1].bytes += regions[at].bytes;
    drop(at);
  } else if (joins_above) {
    regions[at].base = base;
    regions[at].bytes += end - base;
  } else {
    if (region_count == REGIONS_MAX && !make_room(end - base, kind)) return;
    at = region_beyond(base);
    for (uint32_t from = region_count++; from > at; from--) regions[from] = regions[from - 1];
    regions[at] = (struct region){base, end - base, kind};
  }
}

/* Takes [base, end) out of region `at`, which holds all of it. */
static void cut(uint32_t at, uint64_t base, uint64_t end) {
  struct region whole = regions[at];
  uint64_t whole_end = end_of(at);
  drop(at);
  if (whole.base < base) put(whole.base, base, whole.kind);
  if (end < whole_end) put(end, whole_end, whole.kind);
}

void region_add(uint64_t base, uint64_t bytes, enum region_kind kind) {
  const uint64_t mask = FRAME_BYTES - 1, last = ~mask;
  uint64_t end = bytes < last - base ? base + bytes : last;
  if (bytes == 0 || base >= last) return;
  if (kind == REGION_AVAILABLE) {
    base = (base + mask) & ~mask;
    if (end > address_end()) end = address_end();
    end &= ~mask;
    /* Frame 0 is never handed out: its number would look like "none". */
    if (base == 0) base = FRAME_BYTES;
  } else {
    base &= ~mask;
    end = (end + mask) & ~mask;
  }
  while (base < end) {
    uint32_t at = region_beyond(base);
    bool none = at == region_count || regions[at].base >= end;
    uint64_t next = none ? end : regions[at].base;
    if (next > base) {
      put(base, next, kind);
    } else {
      next = end_of(at) < end ? end_of(at) : end;
      if (regions[at].kind == REGION_AVAILABLE && kind != REGION_AVAILABLE) {
        cut(at, base, next);
        put(base, next, kind);
      }
    }
    base = next;
  }
}

/* Stops the machine if its memory ends before this address, as the guest program does it. */
static void too_little_below(uint64_t needed_end) {
  uint64_t available = 0, missing = needed_end;
  for (uint32_t at = 0; at < region_count; at++) {
    if (regions[at].kind != REGION_AVAILABLE) continue;
    if (end_of(at) >= needed_end) return;
    available += regions[at].bytes;
    missing = needed_end - end_of(at);
  }
  print("ballonet: error: too little memory: ");
  print_number((uint32_t)available);
  print(" bytes are available, ");
  print_number((uint32_t)(available + missing));
  print(" needed; add some\n");
  stop(TOO_LITTLE_MEMORY);
}

/* The available region that holds [base, base + bytes); without one the machine stops. */
static uint32_t holder(uint64_t base, uint64_t bytes) {
  for (uint32_t at = 0; at < region_count; at++) {
    bool is_free = regions[at].kind == REGION_AVAILABLE;
    if (is_free && regions[at].base <= base && base + bytes <= end_of(at)) return at;
  }
  too_little_below(base + bytes);
  panic(STOP_LOADER, "loader", "the image does not lie in available memory");
}

void region_need(uint64_t base, uint64_t bytes) { holder(base, bytes); }

void region_carve(uint64_t base, uint64_t bytes) {
  cut(holder(base, bytes), base, base + bytes);
  put(base, base + bytes, REGION_KERNEL);
}

uint64_t memory_end_below(uint64_t limit) {
  uint64_t end = 0;
  for (uint32_t at = 0; at < region_count && regions[at].base < limit; at++) {
    if (regions[at].kind != REGION_RESERVED) end = end_of(at);
  }
  return end < limit ? end : limit;
}
