/*
 * buffers.c: ArrayBuffers of the user's program whose bytes lie in frames of the guest's ledger.
 *
 *   the engine's window   its memory, up to ENGINE_BYTES_MAX · buffers, in whole pages
 *
 * A buffer ends before the next page that has no frame or that is marked: the first page of each is
 * marked. So the page tables are all that is kept of them.
 */
#include "engine.h"

#define BUFFERS_BASE ENGINE_BYTES_MAX
#define BUFFERS_END WASM_RT_ENGINE_END
/* What a buffer never takes: with it, the program can still handle that there is no more. */
#define KEPT_FRAMES 64
/* Frames between two pauses: below 1 ms, but in an emulator. */
#define PAUSE_FRAMES 512

extern const uint32_t snapshot_free_buffer;

static uint32_t frames;
/* Below it, each page has a frame. */
static uint32_t first_gap = BUFFERS_BASE;
static bool gave;

uint32_t buffer_frames(void) { return frames; }

bool buffers_gave(bool forget) {
  bool before = gave;
  if (forget) gave = false;
  return before;
}

void buffers_tell_gave(void) { gave = true; }

/* The offset of so many pages in a row without frames; 0: there are none. */
static uint32_t find_gap(uint32_t pages) {
  uint32_t run = 0;
  for (uint32_t at = first_gap; at < BUFFERS_END; at += FRAME_BYTES) {
    run = window_used(at) ? 0 : run + 1;
    if (run == pages) return at - FRAME_BYTES * (pages - 1);
  }
  return 0;
}

/* Takes the frames of all pages from `start` on, up to `end`, or to the end of the buffer. */
static void give_back(uint32_t start, uint32_t end) {
  uint32_t first = 0, length = 0;
  for (uint32_t at = start; at < end; at += FRAME_BYTES) {
    if (at > start && window_marked(at)) break;
    uint64_t frame = window_used(at) ? window_unmap(at) : 0;
    if (!frame) break;
    frames--;
    uint32_t number = (uint32_t)(frame / FRAME_BYTES);
    if (length && number == first + length) {
      length++;
      continue;
    }
    if (length) frames_give(first, length);
    first = number;
    length = 1;
  }
  if (length) frames_give(first, length);
  if (start < first_gap) first_gap = start;
  gave = true;
}

/* Backs one page with a frame of zeros. */
static bool back(uint32_t at, uint32_t frame) {
  if (!window_map(at, (uint64_t)frame * FRAME_BYTES)) return false;
  memset(window(at), 0, FRAME_BYTES);
  frames++;
  return true;
}

/* Backs pages from `start` on. False: there were too few frames, and none is taken. */
static bool back_all(uint32_t start, uint32_t pages, void (*pause)(void)) {
  uint32_t first = 0, length = 0;
  for (uint32_t done = 0; done < pages; done++) {
    if (done % PAUSE_FRAMES == PAUSE_FRAMES - 1) pause();
    uint32_t at = start + FRAME_BYTES * done, rest = pages - done;
    bool taken = length || frames_take(rest, &first, &length);
    if (!taken || !back(at, first)) {
      if (length) frames_give(first, length);
      if (done) give_back(start, at);
      return false;
    }
    if (done == 0) window_mark(at);
    first++;
    length--;
  }
  return true;
}

js_t buffer_make(js_t context, uint32_t bytes, void (*pause)(void)) {
  uint32_t pages = (bytes + FRAME_BYTES - 1) / FRAME_BYTES;
  if (frames_count(FRAMES_FREE) < pages + KEPT_FRAMES) return 0;
  uint32_t start = find_gap(pages);
  if (!start || !back_all(start, pages, pause)) return 0;
  if (start == first_gap) first_gap = start + FRAME_BYTES * pages;
  js_t buffer = QTS_NewArrayBuffer(context, start, bytes);
  js_t error = QTS_ResolveException(context, buffer);
  if (!error) return buffer;
  QTS_FreeValuePointer(context, error);
  give_back(start, start + FRAME_BYTES * pages);
  return 0;
}

/* In the place of the engine's own function, which frees what is in its heap. */
static void free_bytes(void* instance, u32 runtime, u32 opaque, u32 address) {
  (void)instance, (void)runtime, (void)opaque;
  if (address < BUFFERS_BASE) ENGINE_free(address);
  else give_back(address, BUFFERS_END);
}

void buffers_start(void) {
  engine_replace(snapshot_free_buffer, (wasm_rt_function_ptr_t)free_bytes);
}
