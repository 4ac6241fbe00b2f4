/*
 * heap.c: the free parts of the engine's heap give their frames back while nothing is to be done.
 *
 *   a free block   what the allocator writes there · whole pages without frames: holes · a rest
 *
 * The allocator does not know of it. It is asked for all that is free and large; pages in there
 * lose their frames, and it gets the blocks back. From then on an allocation's pages get frames
 * before anybody has it, or it fails as it does when memory is short. Where the allocator itself
 * writes into a hole, once or twice for each allocation, a fault takes a spare frame.
 */
#include "engine.h"

extern const uint32_t snapshot_pages;

/* What a runtime starts with: the numbers of functions for memory, then how many blocks it has. */
enum { CALLOC, MALLOC, FREE, REALLOC, USABLE_SIZE, BLOCKS };
/* Before each block the allocator keeps its size, this and three flags included. */
#define SIZE_BYTES 4
#define SIZE_FLAGS 7u
/* Sizes of the blocks that lose frames, and what the allocator writes at a block's start. */
#define LARGEST_BLOCK_BYTES 0x100000
#define SMALLEST_BLOCK_BYTES 0x2000
#define BLOCK_HEAD_BYTES 32
/* Fewer than half of the spare frames are out of memory, so that they never run out. */
#define SPARES 32
/* After a turn of the program, what is free is looked at so much later. */
#define LATER_MS 400
/* Garbage is collected when so much, and a quarter, has come to the heap since the last time. */
#define MORE_FRAMES 256
#define MORE_BLOCKS 2048

typedef u32 calloc_t(void* instance, u32 opaque, u32 count, u32 bytes);
typedef u32 malloc_t(void* instance, u32 opaque, u32 bytes);
typedef u32 realloc_t(void* instance, u32 opaque, u32 address, u32 bytes);

static calloc_t* engine_calloc;
static realloc_t* engine_realloc;
/* Pages of the heap without a frame. */
static uint32_t holes;
static uint64_t spares[SPARES];
static uint32_t spare_count;
static js_t runtime_of_program, context_of_program;
static double due = __builtin_inf();
/* What there was after the last time. */
static uint32_t frames_before, blocks_before;

static uint32_t heap_base(void) { return snapshot_pages << 16; }

static bool fill_spares(void) {
  while (spare_count < SPARES) {
    uint64_t frame = frame_take(true);
    if (!frame) break;
    spares[spare_count++] = frame;
  }
  return spare_count >= SPARES / 2;
}

static bool back_hole(uint32_t page) {
  if (page < heap_base() || !holes) return false;
  uint64_t frame = spare_count ? spares[--spare_count] : frame_take(false);
  if (!engine_back(page, frame)) return false;
  holes--;
  return true;
}

bool heap_fault(uintptr_t offset) {
  if (offset < engine_bytes() && back_hole((uint32_t)offset & ~(FRAME_BYTES - 1u))) return true;
  return engine_fault(offset);
}

/* Backs what is in holes. False: there are too few frames. */
static bool have(uint32_t start, uint32_t bytes) {
  for (uint32_t page = start & ~(FRAME_BYTES - 1); page < start + bytes; page += FRAME_BYTES) {
    if (page < heap_base() || window_used(page)) continue;
    if (!engine_back_more(page)) return false;
    holes--;
  }
  return fill_spares();
}

js_t heap_take(uint32_t bytes) {
  js_t taken = ENGINE_malloc(bytes);
  if (!taken || !holes || have(taken, bytes)) return taken;
  ENGINE_free(taken);
  return 0;
}

/* ---- in the place of the engine's functions -------------------------------------------------- */

static u32 take(void* instance, u32 opaque, u32 bytes) {
  (void)instance, (void)opaque;
  return heap_take(bytes);
}

static u32 take_zeros(void* instance, u32 opaque, u32 count, u32 bytes) {
  if (!holes) return engine_calloc(instance, opaque, count, bytes);
  js_t taken = heap_take(count * bytes);
  if (taken) memset(window(taken), 0, count * bytes);
  return taken;
}

/* A block that grows where it lies would grow into a hole. */
static u32 take_again(void* instance, u32 opaque, u32 address, u32 bytes) {
  if (!holes || !address) return engine_realloc(instance, opaque, address, bytes);
  uint32_t usable = (*(const uint32_t*)window(address - SIZE_BYTES) & ~SIZE_FLAGS) - SIZE_BYTES;
  if (bytes <= usable) return engine_realloc(instance, opaque, address, bytes);
  js_t taken = heap_take(bytes);
  if (!taken) return 0;
  memcpy(window(taken), window(address), usable);
  ENGINE_free(address);
  return taken;
}

static wasm_rt_function_ptr_t replace(uint32_t which, wasm_rt_function_ptr_t by) {
  uint32_t index = ((const uint32_t*)window(snapshot_runtime))[which];
  wasm_rt_function_ptr_t before = engine.w2c_T0.data[index].func;
  engine.w2c_T0.data[index].func = by;
  return before;
}

void heap_start(void) {
  engine_on_take(heap_take);
  replace(MALLOC, (wasm_rt_function_ptr_t)take);
  engine_calloc = (calloc_t*)replace(CALLOC, (wasm_rt_function_ptr_t)take_zeros);
  engine_realloc = (realloc_t*)replace(REALLOC, (wasm_rt_function_ptr_t)take_again);
}

/* ---- giving back ----------------------------------------------------------------------------- */

/* A run of frames that is given back at once. */
static uint32_t run_first, run_length;

static void give_run(void) {
  if (run_length) frames_give(run_first, run_length);
  run_length = 0;
}

static void give(uint64_t frame) {
  uint32_t number = (uint32_t)(frame / FRAME_BYTES);
  if (run_length && number != run_first + run_length) give_run();
  if (!run_length) run_first = number;
  run_length++;
}

/* Takes the frames of whole pages within a block, but not those that were never the ledger's. */
static void make_holes(uint32_t block, uint32_t bytes) {
  uint32_t page = (block + BLOCK_HEAD_BYTES + FRAME_BYTES - 1) & ~(FRAME_BYTES - 1);
  for (; page + FRAME_BYTES <= block + bytes; page += FRAME_BYTES) {
    uint64_t frame = page < heap_base() ? 0 : window_frame(page);
    if (!frame || !frame_is_ledgers(frame)) continue;
    engine_unback(page);
    holes++;
    give(frame);
  }
}

static void give_back(void) {
  js_t blocks = 0;
  uint32_t growth = engine_growth(0), before = holes;
  for (uint32_t bytes = LARGEST_BLOCK_BYTES; bytes >= SMALLEST_BLOCK_BYTES; bytes /= 2) {
    for (js_t block = ENGINE_malloc(bytes); block; block = ENGINE_malloc(bytes)) {
      *(js_t*)window(block) = blocks;
      blocks = block;
      make_holes(block, bytes);
    }
  }
  while (blocks) {
    js_t next = *(const js_t*)window(blocks);
    ENGINE_free(blocks);
    blocks = next;
  }
  give_run();
  engine_growth(growth + FRAME_BYTES * (holes - before));
  fill_spares();
}

/* ---- when ------------------------------------------------------------------------------------ */

static uint32_t blocks(void) {
  js_t program = runtime_of_program;
  return ((const uint32_t*)window(snapshot_runtime))[BLOCKS] +
         (program ? ((const uint32_t*)window(program))[BLOCKS] : 0);
}

static bool is_garbage_likely(void) {
  return engine_frames() > frames_before + frames_before / 4 + MORE_FRAMES ||
         blocks() > blocks_before + blocks_before / 4 + MORE_BLOCKS;
}

void heap_give_back(void) {
  give_back();
  frames_before = engine_frames();
  buffers_tell_gave();
}

void heap_of_program(js_t runtime, js_t context) {
  runtime_of_program = runtime;
  context_of_program = context;
}

void heap_used(double now) {
  if (due > now + LATER_MS) due = now + LATER_MS;
}

double heap_due(void) { return due; }

void heap_turn(double now) {
  if (now < due) return;
  due = __builtin_inf();
  if (is_garbage_likely() && context_of_program) {
    engine_collect(runtime_of_program, context_of_program);
    blocks_before = blocks();
  }
  heap_give_back();
}
