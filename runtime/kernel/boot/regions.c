/*
 * regions.c: the machine's memory as one sorted list, of whole frames.
 */
#include "kernel.h"

#define ADDRESS_END 0x100000000
/* EXIT.tooLittleMemory of runtime/kernel/exit-codes.ts. */
#define TOO_LITTLE_MEMORY 11

struct region regions[REGIONS_MAX];
uint32_t region_count;

static void insert(uint32_t at, uint64_t base, uint64_t bytes, enum region_kind kind) {
  if (region_count == REGIONS_MAX) panic(STOP_LOADER, "loader", "too many memory regions");
  for (uint32_t from = region_count++; from > at; from--) regions[from] = regions[from - 1];
  regions[at] = (struct region){base, bytes, kind};
}

void region_add(uint64_t base, uint64_t bytes, enum region_kind kind) {
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

/* Stops the machine if its memory ends before this address, as the guest program does it. */
static void too_little_below(uint64_t needed_end) {
  uint64_t available = 0, missing = needed_end;
  for (uint32_t at = 0; at < region_count; at++) {
    if (regions[at].kind != REGION_AVAILABLE) continue;
    uint64_t end = regions[at].base + regions[at].bytes;
    if (end >= needed_end) return;
    available += regions[at].bytes;
    missing = needed_end - end;
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
    const struct region* here = &regions[at];
    if (here->kind == REGION_AVAILABLE && here->base <= base &&
        base + bytes <= here->base + here->bytes) {
      return at;
    }
  }
  too_little_below(base + bytes);
  panic(STOP_LOADER, "loader", "the image does not lie in available memory");
}

void region_need(uint64_t base, uint64_t bytes) { holder(base, bytes); }

void region_carve(uint64_t base, uint64_t bytes) {
  carve(holder(base, bytes), base, bytes, REGION_KERNEL);
}

void regions_settle(void) {
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
