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
/* The last of them are for faults alone. */
#define SPARES_LAST 8
/* After a turn of the program, what is free is looked at so much later. */
#define LATER_MS 400
/* Garbage is collected when so much, and a quarter, has come to the heap since the last time. */
#define MORE_FRAMES 256
#define MORE_BLOCKS 2048

/*
 * What a full heap leaves to the guest's turns, and to the program until it has collected garbage.
 * It may lie in pieces, none too small to be of use.
 */
#define GUEST_RESERVE_BYTES 0x10000
#define PROGRAM_RESERVE_BYTES 0x8000
#define RESERVE_BLOCK_BYTES_MIN 0x400
/* To have no block as large is an error of JavaScript's; for a smaller one, it is the end. */
#define LARGE_BYTES 0x10000

typedef u32 calloc_t(void* instance, u32 opaque, u32 count, u32 bytes);
typedef u32 realloc_t(void* instance, u32 opaque, u32 address, u32 bytes);

static calloc_t* engine_calloc;
static realloc_t* engine_realloc;
/* Pages of the heap without a frame. */
static uint32_t holes;
static uint64_t spares[SPARES];
static uint32_t spare_count;
static js_t runtime_of_program, context_of_program;
static const struct heap_events* program_events;
/* Lists of blocks; 0: it is in use. */
static js_t guest_reserve, program_reserve;
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

/* Blocks are listed by a word at the start of each. */
static js_t listed(js_t block, js_t before) {
  *(js_t*)window(block) = before;
  return block;
}

static void free_all(js_t blocks) {
  while (blocks) {
    js_t next = *(const js_t*)window(blocks);
    ENGINE_free(blocks);
    blocks = next;
  }
}

/* False: there is nothing to give. */
static bool give_back(void) {
  js_t blocks = 0;
  uint32_t growth = engine_growth(0), before = holes;
  for (uint32_t bytes = LARGEST_BLOCK_BYTES; bytes >= SMALLEST_BLOCK_BYTES; bytes /= 2) {
    for (js_t block = ENGINE_malloc(bytes); block; block = ENGINE_malloc(bytes)) {
      blocks = listed(block, blocks);
      make_holes(block, bytes);
    }
  }
  free_all(blocks);
  give_run();
  engine_growth(growth + FRAME_BYTES * (holes - before));
  fill_spares();
  return holes > before;
}

/* ---- taking ---------------------------------------------------------------------------------- */

/*
 * Backs what is in holes; `amid` shortage, also with spare frames. False: there are too few, or the
 * allocator has too few left.
 */
static bool have(uint32_t start, uint32_t bytes, bool amid) {
  for (uint32_t page = start & ~(FRAME_BYTES - 1); page < start + bytes; page += FRAME_BYTES) {
    if (page < heap_base() || window_used(page)) continue;
    bool by_spare = amid && spare_count > SPARES_LAST;
    if (!engine_back_more(page) && !(by_spare && engine_back(page, spares[--spare_count]))) {
      return false;
    }
    holes--;
  }
  return fill_spares() || amid;
}

static js_t allocate_once(uint32_t bytes, bool amid, bool* lacks_frames) {
  js_t taken = ENGINE_malloc(bytes);
  *lacks_frames = taken && holes && !have(taken, bytes, amid);
  if (!*lacks_frames) return taken;
  ENGINE_free(taken);
  return 0;
}

/* The allocator may choose a block in a hole while others have frames and are free. */
static js_t allocate(uint32_t bytes, bool amid) {
  bool lacks_frames;
  js_t taken = allocate_once(bytes, amid, &lacks_frames);
  return lacks_frames && give_back() ? allocate_once(bytes, amid, &lacks_frames) : taken;
}

/* False: there is none to use. */
static bool use_reserve(js_t* reserve) {
  if (!*reserve) return false;
  free_all(*reserve);
  *reserve = 0;
  return true;
}

/*
 * One block, or several where what is free lies in pieces; none where there are too few. Returns
 * whether there is one.
 */
static bool make_reserve(js_t* reserve, uint32_t total) {
  if (*reserve) return true;
  uint32_t had = 0;
  for (uint32_t bytes = total; bytes >= RESERVE_BLOCK_BYTES_MIN; bytes /= 2) {
    while (had + bytes <= total) {
      js_t block = allocate(bytes, false);
      if (!block) break;
      *reserve = listed(block, *reserve);
      had += bytes;
    }
  }
  if (had == total) return true;
  use_reserve(reserve);
  return false;
}

static bool make_guest_reserve(void) {
  return !runtime_of_program || make_reserve(&guest_reserve, GUEST_RESERVE_BYTES);
}

void heap_reserve(void) {
  bool before = engine_foreign(true);
  if (make_guest_reserve()) make_reserve(&program_reserve, PROGRAM_RESERVE_BYTES);
  engine_foreign(before);
}

static js_t take_for_guest(uint32_t bytes) {
  js_t taken = allocate(bytes, true);
  return !taken && use_reserve(&guest_reserve) ? allocate(bytes, true) : taken;
}

/* What the guest may need goes before. */
static js_t allocate_for_foreign(uint32_t bytes, bool amid) {
  return make_guest_reserve() ? allocate(bytes, amid) : 0;
}

/* First garbage is collected, when the next object is made; then the balloon gives what it can. */
static js_t take_for_foreign(uint32_t bytes) {
  js_t taken = allocate_for_foreign(bytes, false), runtime = contained_runtime();
  if (taken) return taken;
  bool is_small = bytes < LARGE_BYTES;
  bool is_programs = runtime && runtime == runtime_of_program;
  if (runtime) engine_collect_soon(runtime);
  if (is_small && use_reserve(&program_reserve)) taken = allocate_for_foreign(bytes, true);
  if (!taken && is_programs && program_events->lacks()) taken = allocate_for_foreign(bytes, true);
  if (taken || !is_small) return taken;
  if (is_programs) {
    runtime_of_program = 0;
    use_reserve(&guest_reserve);
    program_events->ends();
  }
  contained_cut(CUT_MEMORY);
  return 0;
}

js_t heap_take(uint32_t bytes) {
  return engine_runs_foreign() ? take_for_foreign(bytes) : take_for_guest(bytes);
}

/* ---- in the place of the engine's functions -------------------------------------------------- */

static u32 take(void* instance, u32 opaque, u32 bytes) {
  (void)instance, (void)opaque;
  return heap_take(bytes);
}

static u32 take_zeros(void* instance, u32 opaque, u32 count, u32 bytes) {
  /* The guest's turn may make holes: not between the look for one and the call. */
  bool are_let_in = interrupts_let_in(false);
  js_t taken = holes ? 0 : engine_calloc(instance, opaque, count, bytes);
  interrupts_let_in(are_let_in);
  if (taken) return taken;
  taken = heap_take(count * bytes);
  if (taken) memset(window(taken), 0, count * bytes);
  return taken;
}

/* A block that grows where it lies would grow into a hole. */
static u32 take_again(void* instance, u32 opaque, u32 address, u32 bytes) {
  if (!address) return heap_take(bytes);
  uint32_t usable = (*(const uint32_t*)window(address - SIZE_BYTES) & ~SIZE_FLAGS) - SIZE_BYTES;
  bool stays = bytes <= usable;
  js_t taken = holes && !stays ? 0 : engine_realloc(instance, opaque, address, bytes);
  if (taken || stays) return taken;
  taken = heap_take(bytes);
  if (!taken) return 0;
  memcpy(window(taken), window(address), usable);
  ENGINE_free(address);
  return taken;
}

static wasm_rt_function_ptr_t replace(uint32_t which, wasm_rt_function_ptr_t by) {
  return engine_replace(((const uint32_t*)window(snapshot_runtime))[which], by);
}

void heap_start(void) {
  engine_on_take(heap_take);
  replace(MALLOC, (wasm_rt_function_ptr_t)take);
  engine_calloc = (calloc_t*)replace(CALLOC, (wasm_rt_function_ptr_t)take_zeros);
  engine_realloc = (realloc_t*)replace(REALLOC, (wasm_rt_function_ptr_t)take_again);
}

bool heap_fault(uintptr_t offset) {
  if (offset >= engine_bytes()) return false;
  return back_hole((uint32_t)offset & ~(FRAME_BYTES - 1u)) || engine_fault(offset);
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

void heap_of_program(js_t runtime, js_t context, const struct heap_events* events) {
  runtime_of_program = runtime;
  context_of_program = context;
  program_events = events;
  heap_reserve();
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
