/*
 * The core as shipped, as C, between a driver that keeps to its contract and a device that writes
 * anything: no trap, no access outside of its memory, and the ledger's sums hold.
 *
 *   input   a byte that chooses the rings, then operations of one byte and their arguments
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core-module.h"

enum { FRAMES = 2048, SIZE = 8, BUFFERS = 4, PFNS = 64, ARENA = 4096, QUEUES = 5, STATES = 8 };
enum { EVENT_INDEX = 1, PACKED = 2, IN_ORDER = 4, INDIRECT = 8, STATS = 2, HINTS = 3, REPORTS = 4 };
enum { FREE = 2, MEMORY_BYTES = 1 << 20 };

uint8_t fuzz_memory[MEMORY_BYTES];
static wasm_rt_memory_t memory = {fuzz_memory, MEMORY_BYTES >> 16, MEMORY_BYTES >> 16, 65536,
                                  MEMORY_BYTES, false};
static w2c_core core;
static const uint8_t* at;
static const uint8_t* end;
static uint16_t used[QUEUES];
static int features;
static int has_fault;

WASM_RT_NO_RETURN void wasm_rt_trap(wasm_rt_trap_t trap) {
  fprintf(stderr, "the core trapped: %d\n", (int)trap);
  abort();
}
wasm_rt_memory_t* w2c_env_memory(struct w2c_env* env) {
  (void)env;
  return &memory;
}
void w2c_hal_fence(struct w2c_hal* hal) { (void)hal; }
void w2c_hal_fill(struct w2c_hal* hal, u32 first, u32 length, u32 value) {
  (void)hal, (void)value;
  if (first >= FRAMES || length > FRAMES - first) abort();
  /* It is filled while it is the guest's: before it is posted, or when it is back. */
  if (!w2c_core_ledger_uniform(&core, first, length, FREE)) abort();
}

static uint8_t next(void) { return at < end ? *at++ : 0; }
static uint32_t next_word(void) { return next() | (uint32_t)next() << 8; }

static uint16_t half(uint32_t address) {
  uint16_t value;
  memcpy(&value, fuzz_memory + address, 2);
  return value;
}
static void put(uint32_t address, uint32_t value, int bytes) {
  memcpy(fuzz_memory + address, &value, bytes);
}

/* The device returns the oldest buffers that it has not returned, as it should. */
static void complete(uint32_t queue, uint32_t count) {
  if (features & PACKED) {
    /* Marks a descriptor used with an id that may be in flight. */
    uint32_t ring = w2c_core_queue_descriptor_area(&core, queue);
    for (; count; count--, used[queue]++) {
      uint32_t entry = ring + 16 * (used[queue] % SIZE);
      int wrap = !((used[queue] / SIZE) & 1);
      if (((half(entry + 14) >> 7) & 1) != wrap || ((half(entry + 14) >> 15) & 1) == wrap) return;
      put(entry + 14, wrap ? 0x8080 : 0, 2);
    }
    return;
  }
  uint32_t driver = w2c_core_queue_driver_area(&core, queue);
  uint32_t device = w2c_core_queue_device_area(&core, queue);
  for (; count && used[queue] != half(driver + 2); count--, used[queue]++) {
    put(device + 4 + 8 * (used[queue] % SIZE), half(driver + 4 + 2 * (used[queue] % SIZE)), 4);
  }
  put(device + 2, used[queue], 2);
}

/* The device writes what it likes into what it shares with the driver. */
static void scribble(uint32_t queue) {
  uint32_t place = next_word() % 256;
  uint32_t value = next_word();
  uint32_t area = next() & 1 ? w2c_core_queue_descriptor_area(&core, queue)
                             : w2c_core_queue_device_area(&core, queue);
  put(area + place % (16 * SIZE - 2), value, 2);
}

static void settle(uint32_t queue) {
  int32_t result = queue == STATS     ? (int32_t)w2c_core_stats_take(&core)
                   : queue == HINTS   ? (int32_t)w2c_core_hint_settle(&core)
                   : queue == REPORTS ? (int32_t)w2c_core_report_settle(&core)
                                      : (int32_t)w2c_core_balloon_settle(&core, queue);
  if (result < 0) has_fault = 1;
}

static void open_queues(void) {
  for (uint32_t queue = 0; queue < QUEUES; queue++) {
    w2c_core_queue_open(&core, queue, SIZE, features, 4);
    used[queue] = 0;
  }
}

/* What a driver does after a completed reset. */
static void reset(void) {
  w2c_core_ledger_reclaim(&core);
  has_fault = 0;
  open_queues();
}

static void act(uint8_t operation, uint32_t queue) {
  switch (operation) {
    case 0: w2c_core_balloon_inflate(&core, next_word() % 600); break;
    case 1: w2c_core_balloon_deflate(&core, next_word() % 600); break;
    case 2: w2c_core_balloon_deflate_untold(&core, next_word() % 600); break;
    case 3: w2c_core_balloon_deflate_silently(&core, next_word() % 600); break;
    case 4: w2c_core_queue_publish(&core, queue); break;
    case 5: w2c_core_queue_arm(&core, queue, next() % 4); break;
    case 6: case 7: settle(queue); break;
    case 8: complete(queue, next() % 4 + 1); break;
    case 9: scribble(queue); break;
    case 10: w2c_core_hint_post(&core, next_word() % 600); break;
    case 11: w2c_core_hint_command(&core, next()); break;
    case 12: w2c_core_report_post(&core, next_word() % 2048); break;
    case 13:
      if (w2c_core_queue_buffers_in_flight(&core, STATS)) break;
      w2c_core_stats_put(&core, next() % 24, next(), next_word());
      w2c_core_stats_post(&core, next() % 24 * 10);
      break;
    case 14:
      if (!w2c_core_queue_buffers_in_flight(&core, HINTS)) w2c_core_hint_release(&core);
      break;
    default: {
      uint32_t first = w2c_core_ledger_allocate(&core, next() % 64 + 1);
      if (first != UINT32_MAX) w2c_core_ledger_release(&core, first, w2c_core_ledger_run(&core));
    }
  }
}

static void check_sums(void) {
  uint32_t sum = 0;
  for (uint32_t state = 0; state < STATES; state++) sum += w2c_core_ledger_count(&core, state);
  if (sum != FRAMES) abort();
  for (uint32_t queue = 0; queue < QUEUES; queue++) {
    if (w2c_core_queue_buffers_in_flight(&core, queue) > SIZE) abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static int is_made;
  if (!is_made) wasm2c_core_instantiate(&core, NULL, NULL);
  is_made = 1;
  at = data;
  end = data + size;
  if (w2c_core_arena_bytes(&core, FRAMES, SIZE, BUFFERS, PFNS) > MEMORY_BYTES - ARENA) abort();
  w2c_core_arena_open(&core, ARENA, FRAMES, SIZE, BUFFERS, PFNS);
  w2c_core_ledger_add(&core, 1, FRAMES - 1);
  uint8_t choice = next();
  features = choice & 15;
  w2c_core_ledger_unit(&core, choice & 16 ? 1 : choice & 32 ? 64 : 512);
  w2c_core_scrub_set(&core, choice >> 6 & 1, choice >> 7);
  reset();
  while (at < end) {
    uint8_t operation = next();
    if (has_fault) reset();
    act(operation & 15, (operation >> 4) % QUEUES);
    check_sums();
  }
  return 0;
}
