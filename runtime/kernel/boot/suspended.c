/*
 * suspended.c: keeps what closures use of functions that wait.
 *
 * The variables of a function that waits, at an `await` or `yield`, lie in a frame on the heap. A
 * closure reaches them by a reference into the frame, which the engine's garbage collector does
 * not follow: it would free a frame that closures alone can still reach. It has a function for each
 * kind of object, which tells it what an object refers to. Here they tell it nothing of a frame
 * with such references, so that what the frame refers to stays, until the function has ended or
 * nothing refers to it.
 *
 * src/image/engine/marks.ts finds these functions, and checks the offsets below.
 */
#include "engine.h"

extern const uint32_t snapshot_mark_resolve, snapshot_mark_generator;
extern const uint32_t snapshot_mark_async_generator, snapshot_mark_arguments;

/* In an object: its own data; of the `arguments` of a call: its references, and how many. */
enum { OBJECT_DATA = 32, ARGUMENTS_REFERENCES = 36, ARGUMENTS_COUNT = 40 };
/* In the data of an async function, a generator and an async generator: its state, its frame. */
enum { ASYNC_ACTIVE = 32, ASYNC_FRAME = 56, GENERATOR_STATE = 0, ASYNC_GENERATOR_STATE = 4 };
enum { GENERATOR_FRAME = 24 };
/* The first state of generators, and of async ones, in which there is no frame; another such. */
enum { ENDED = 4, ASYNC_ENDED = 5 };
/* In a frame: its list of references, and how many there can be. In a reference: if it has left. */
enum { FRAME_REFERENCES = 24, FRAME_COUNT = 32, REFERENCE_LEFT = 5 };

/* Tells the collector of what `object`, a value, refers to: it calls function `tell` with each. */
typedef void mark_t(void* instance, u32 runtime, u64 object, u32 tell);

static mark_t *mark_resolve, *mark_generator, *mark_async_generator;

static uint32_t* word(js_t address) { return window(address); }

static bool is_used(js_t frame) {
  js_t references = *word(frame + FRAME_REFERENCES);
  uint32_t count = *(const uint16_t*)window(frame + FRAME_COUNT);
  for (uint32_t at = 0; at < count; at++) {
    if (*word(references + 4 * at)) return true;
  }
  return false;
}

/* What goes on with an async function refers to it. */
static void tell_resolve(void* instance, u32 runtime, u64 object, u32 tell) {
  js_t data = *word((js_t)object + OBJECT_DATA);
  bool is_active = data && *(const uint8_t*)window(data + ASYNC_ACTIVE);
  if (is_active && is_used(data + ASYNC_FRAME)) return;
  mark_resolve(instance, runtime, object, tell);
}

static void tell_generator(void* instance, u32 runtime, u64 object, u32 tell) {
  js_t data = *word((js_t)object + OBJECT_DATA);
  bool is_active = data && *word(data + GENERATOR_STATE) < ENDED;
  if (is_active && is_used(data + GENERATOR_FRAME)) return;
  mark_generator(instance, runtime, object, tell);
}

/* It refers to what asked for its next values as well. */
static void tell_async_generator(void* instance, u32 runtime, u64 object, u32 tell) {
  js_t data = *word((js_t)object + OBJECT_DATA);
  uint32_t state = data ? *word(data + ASYNC_GENERATOR_STATE) : ENDED;
  bool hides = state < ENDED && is_used(data + GENERATOR_FRAME);
  if (hides) *word(data + ASYNC_GENERATOR_STATE) = ASYNC_ENDED;
  mark_async_generator(instance, runtime, object, tell);
  if (hides) *word(data + ASYNC_GENERATOR_STATE) = state;
}

/* The engine's own tells of references into frames, too, which are nothing to collect. */
static void tell_arguments(void* instance, u32 runtime, u64 object, u32 tell) {
  (void)instance;
  js_t references = *word((js_t)object + ARGUMENTS_REFERENCES);
  uint32_t count = *word((js_t)object + ARGUMENTS_COUNT);
  const wasm_rt_funcref_t* told = &engine.w2c_T0.data[tell];
  for (uint32_t at = 0; references && at < count; at++) {
    js_t reference = *word(references + 4 * at);
    if (!reference || !*(const uint8_t*)window(reference + REFERENCE_LEFT)) continue;
    ((void (*)(void*, u32, u32))told->func)(told->module_instance, runtime, reference);
  }
}

static mark_t* replace(uint32_t index, mark_t* by) {
  return (mark_t*)engine_replace(index, (wasm_rt_function_ptr_t)by);
}

void suspended_start(void) {
  mark_resolve = replace(snapshot_mark_resolve, tell_resolve);
  mark_generator = replace(snapshot_mark_generator, tell_generator);
  mark_async_generator = replace(snapshot_mark_async_generator, tell_async_generator);
  replace(snapshot_mark_arguments, tell_arguments);
}
