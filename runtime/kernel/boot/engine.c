/*
 * engine.c: hosts the compiled JavaScript engine: its window, its imports, and the calls of the
 * guest program's `boot` and `wake`.
 *
 * Every page below the engine's size is backed, or a frame is set aside for it: see grow().
 */
#include "engine.h"

#define WASM_PAGE_BYTES 65536
/* The longest text from JavaScript in a panic line. */
#define LINE_MAX 1000
/* The engine's values for us lie in a few small blocks, which it takes by itself. */
#define READY_BYTES 0x400
/* How far JavaScript's limit is above wasm_rt_deep: DEEPER_BYTES of the snapshot. */
#define DEEPER_BYTES 0x1000
/* Promise jobs that run after one call; others wait for the next one: no job hangs it. */
#define JOBS_MAX 1000

extern const uint32_t snapshot_pages, snapshot_boot, snapshot_wake;
extern const uint32_t snapshot_promised, snapshot_frame_count, snapshot_numbers[];
extern const uint32_t snapshot_deep, snapshot_threshold;
extern char snapshot_frames[], image_start[], image_end[], stack_bottom[];
extern const uint32_t snapshot_packed[], snapshot_packed_end[];

w2c_engine engine;
/* The context of the JavaScript that runs, or that values are made for. */
js_t engine_context;
static wasm_rt_memory_t memory;
static uint32_t frames_backed;
static const callee_t *functions, *program_functions;
static uint32_t function_count, program_function_count;
/* Above 0 while JavaScript waits for a function of ours: only then a panic may enter the engine. */
static uint32_t call_depth;
static bool (*interrupt)(js_t runtime);
static js_t (*take)(uint32_t bytes);
/* Whether the heap grows for a program or a script: the pool is then closed. */
static bool is_foreign;
/* How much more the heap may grow by. */
static uint32_t growth = ENGINE_BYTES_MAX;

wasm_rt_memory_t* ENGINE_MEMORY(struct w2c_a* host) {
  (void)host;
  return &memory;
}

uint32_t engine_bytes(void) { return (uint32_t)memory.size; }
uint32_t engine_frames(void) { return frames_backed; }
uint32_t engine_frames_promised(void) { return snapshot_promised; }

static void set_size(uint32_t bytes) {
  memory.size = bytes;
  memory.pages = bytes / WASM_PAGE_BYTES;
}

static bool back(uint32_t offset, uint64_t frame) {
  if (!frame || !window_map(offset, frame)) return false;
  memset(window(offset), 0, FRAME_BYTES);
  frames_backed++;
  return true;
}

bool engine_back(uint32_t page, uint64_t frame) { return back(page, frame); }

bool engine_back_more(uint32_t page) {
  if (growth < FRAME_BYTES || !back(page, frame_take(is_foreign))) return false;
  growth -= FRAME_BYTES;
  return true;
}

void engine_unback(uint32_t page) {
  window_unmap(page);
  frames_backed--;
}

bool engine_fault(uintptr_t offset) {
  if (offset >= memory.size) return false;
  uint32_t page = (uint32_t)offset & ~(uint32_t)(FRAME_BYTES - 1);
  if (!back(page, frame_take_promised())) {
    panic(STOP_NO_MEMORY, "memory", "no frame left for the engine");
  }
  return true;
}

/* Backs a new part of the heap at once: a shortage is reported here, a later fault would panic. */
static bool grow(uint32_t wanted) {
  if (wanted > ENGINE_BYTES_MAX) return false;
  uint32_t end = (wanted + WASM_PAGE_BYTES - 1) & ~(uint32_t)(WASM_PAGE_BYTES - 1);
  uint32_t more = end > memory.size ? end - (uint32_t)memory.size : 0;
  if (more > growth) return false;
  for (uint32_t offset = (uint32_t)memory.size; offset < end; offset += FRAME_BYTES) {
    if (!window_mapped(offset) && !back(offset, frame_take(is_foreign))) return false;
  }
  growth -= more;
  if (more) set_size(end);
  return true;
}

/*
 * Only words that are not zero are packed; see src/image/pack.ts. region_need: where memory is
 * short, part of the image lies nowhere, or firmware has written over it.
 */
void engine_unpack(void) {
  uintptr_t end = (uintptr_t)image_end + program_bytes + policy_bytes;
  region_need((uintptr_t)image_start, end - (uintptr_t)image_start);
  uint32_t* to = (uint32_t*)snapshot_frames;
  for (const uint32_t* from = snapshot_packed; from < snapshot_packed_end;) {
    uint32_t kept = *from & 0xffff, zeros = *from++ >> 16;
    memset(to, 0, 4 * zeros);
    to += zeros;
    memcpy(to, from, 4 * kept);
    from += kept;
    to += kept;
  }
}

void engine_start(const callee_t* given, uint32_t count) {
  functions = given;
  function_count = count;
  memory.data = window(0);
  memory.max_pages = ENGINE_BYTES_MAX / WASM_PAGE_BYTES;
  memory.page_size = WASM_PAGE_BYTES;
  set_size(snapshot_pages * WASM_PAGE_BYTES);
  for (uint32_t at = 0; at < snapshot_frame_count; at++) {
    uint64_t frame = (uintptr_t)snapshot_frames + (uint64_t)FRAME_BYTES * at;
    if (!window_map(snapshot_numbers[at] * FRAME_BYTES, frame)) {
      panic(STOP_NO_MEMORY, "memory", "no frame for a page table");
    }
  }
  frames_backed = snapshot_frame_count;
  engine_context = snapshot_context;
  wasm_rt_stack_limit = (uintptr_t)stack_bottom + STACK_REST_BYTES;
  wasm_rt_deep = snapshot_deep;
  wasm2c_engine_instantiate(&engine, NULL);
}

wasm_rt_function_ptr_t engine_replace(uint32_t index, wasm_rt_function_ptr_t by) {
  wasm_rt_function_ptr_t before = engine.w2c_T0.data[index].func;
  engine.w2c_T0.data[index].func = by;
  return before;
}

void engine_collect_soon(js_t runtime) { *(uint32_t*)window(runtime + snapshot_threshold) = 0; }

void engine_collect(js_t runtime, js_t context) {
  engine_collect_soon(runtime);
  QTS_FreeValuePointer(context, QTS_NewObject(context));
}

/* ---- values ---------------------------------------------------------------------------------- */

double call_number(const struct call* call, uint32_t index) {
  if (index >= call->count) return __builtin_nan("");
  js_t value = QTS_ArgvGetJSValueConstPointer(call->arguments, index);
  return QTS_GetFloat64(engine_context, value);
}

uint32_t call_word(const struct call* call, uint32_t index) {
  double value = call_number(call, index);
  if (!(value > -9007199254740992.0 && value < 9007199254740992.0)) return 0;
  return (uint32_t)(int64_t)value;
}

js_t call_text(const struct call* call, uint32_t index) {
  if (index >= call->count) return 0;
  return QTS_GetString(engine_context, QTS_ArgvGetJSValueConstPointer(call->arguments, index));
}

js_t js_number(double value) { return QTS_NewFloat64(engine_context, value); }

js_t js_copy(const char* bytes, size_t length) {
  js_t copy = take((uint32_t)length + 1);
  if (!copy) panic(STOP_NO_MEMORY, "memory", "the engine's heap is full");
  memcpy(window(copy), bytes, length);
  ((char*)window(copy))[length] = 0;
  return copy;
}

js_t js_text(const char* text, size_t length) {
  js_t copy = js_copy(text, length);
  js_t value = QTS_NewString(engine_context, copy);
  ENGINE_free(copy);
  return value;
}

void js_set(js_t object, const char* name, js_t value) {
  js_t key = js_text(name, strlen(name));
  QTS_SetProp(engine_context, object, key, value);
  QTS_FreeValuePointer(engine_context, key);
  QTS_FreeValuePointer(engine_context, value);
}

void js_set_function(js_t object, const char* name, uint32_t number) {
  js_t text = js_copy(name, strlen(name));
  js_set(object, name, QTS_NewFunction(engine_context, text, 0, 0, number));
  ENGINE_free(text);
}

js_t js_throw(const char* message) {
  js_t error = QTS_NewError(engine_context);
  js_set(error, "message", js_text(message, strlen(message)));
  js_t thrown = QTS_Throw(engine_context, error);
  QTS_FreeValuePointer(engine_context, error);
  return thrown;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* Appends text as one line: each run of white space becomes one blank. Returns the length. */
static size_t append(char* line, size_t at, const char* text) {
  for (; *text && at < LINE_MAX; text++) {
    bool blank = (uint8_t)*text <= ' ';
    if (blank && (at == 0 || line[at - 1] == ' ')) continue;
    line[at++] = blank ? ' ' : *text;
  }
  while (at && line[at - 1] == ' ') at--;
  line[at] = 0;
  return at;
}

static size_t append_value(char* line, size_t at, js_t value) {
  js_t text = QTS_GetString(engine_context, value);
  if (!text) return append(line, at, "(no text)");
  at = append(line, at, window(text));
  QTS_FreeCString(engine_context, text);
  return at;
}

const char* js_describe(js_t error) {
  static char line[LINE_MAX + 2];
  size_t at = append_value(line, 0, error);
  js_t key = js_text("stack", 5);
  js_t stack = QTS_GetProp(engine_context, error, key);
  QTS_FreeValuePointer(engine_context, key);
  const char* type = window(QTS_Typeof(engine_context, stack));
  if (strcmp(type, "string") == 0) {
    if (at < LINE_MAX) line[at++] = ' ';
    append_value(line, at, stack);
  }
  QTS_FreeValuePointer(engine_context, stack);
  return line;
}

static NORETURN void uncaught(js_t error) {
  panic_text(STOP_UNCAUGHT, "uncaught", js_describe(error));
}

const char* engine_stack(void) {
  static const char script[] = "new Error().stack";
  static char line[LINE_MAX + 2];
  js_t code = js_copy(script, sizeof(script) - 1);
  js_t name = js_copy("stack", 5);
  js_t stack = QTS_Eval(engine_context, code, sizeof(script) - 1, name, 0, 0);
  if (QTS_ResolveException(engine_context, stack)) return "";
  append_value(line, 0, stack);
  /* Without the script itself. */
  const char* rest = line;
  while (*rest && *rest++ != ')') continue;
  return *rest == ' ' ? rest + 1 : rest;
}

void engine_print_stack(void) {
  if (!call_depth) return;
  const char* stack = engine_stack();
  if (!*stack) return;
  print(" in JavaScript ");
  print(stack);
}

js_t engine_runtime(js_t* context) {
  js_t runtime = QTS_NewRuntime();
  QTS_RuntimeSetMaxStackSize(runtime, engine.w2c_g0 - wasm_rt_deep - DEEPER_BYTES);
  *context = engine_context = QTS_NewContext(runtime, 0);
  /* The engine's own may use what it has freed: see runtime/guest/globals.ts. */
  static const char script[] = "delete FinalizationRegistry; delete Iterator.concat";
  js_t code = js_copy(script, sizeof(script) - 1), name = js_copy("start", 5);
  QTS_FreeValuePointer(*context, QTS_Eval(*context, code, sizeof(script) - 1, name, 0, 0));
  ENGINE_free(code);
  ENGINE_free(name);
  QTS_RuntimeEnableInterruptHandler(runtime);
  return runtime;
}

js_t engine_jobs(js_t runtime) {
  for (uint32_t jobs = 0; jobs < JOBS_MAX && QTS_IsJobPending(runtime); jobs++) {
    js_t result = QTS_ExecutePendingJob(runtime, 1, snapshot_scratch);
    const char* type = window(QTS_Typeof(engine_context, result));
    if (strcmp(type, "number") != 0) return result;
    QTS_FreeValuePointer(engine_context, result);
  }
  return 0;
}

js_t js_call(js_t function, js_t argument, js_t* error) {
  *(uint32_t*)window(snapshot_scratch) = argument;
  js_t result =
      QTS_Call(engine_context, function, QTS_GetUndefined(), argument ? 1 : 0, snapshot_scratch);
  *error = QTS_ResolveException(engine_context, result);
  if (argument) QTS_FreeValuePointer(engine_context, argument);
  return result;
}

/* Calls a function of the guest program with one number. Returns when to wake the guest next. */
static double call_guest(js_t function, double word) {
  js_t before = engine_context;
  engine_context = snapshot_context;
  js_t error;
  js_t result = js_call(function, js_number(word), &error);
  if (error) uncaught(error);
  double until = QTS_GetFloat64(engine_context, result);
  QTS_FreeValuePointer(engine_context, result);
  engine_context = before;
  return until;
}

static void guest_jobs(void) {
  js_t before = engine_context;
  engine_context = snapshot_context;
  js_t error = engine_jobs(snapshot_runtime);
  if (error) uncaught(error);
  engine_context = before;
}

double engine_boot(void) {
  double until = call_guest(snapshot_boot, 0);
  guest_jobs();
  return until;
}

double engine_wake(double lines) {
  double until = call_guest(snapshot_wake, lines);
  guest_jobs();
  return until;
}

double engine_wake_amid(double lines) { return call_guest(snapshot_wake, lines); }

void engine_program(const callee_t* given, uint32_t count) {
  program_functions = given;
  program_function_count = count;
}

void engine_on_take(js_t (*on_take)(uint32_t bytes)) { take = on_take; }

void engine_ready(void) {
  js_t block = take(READY_BYTES);
  if (block) ENGINE_free(block);
}

void engine_on_interrupt(bool (*on_interrupt)(js_t runtime)) { interrupt = on_interrupt; }

uint32_t engine_growth(uint32_t bytes) {
  uint32_t before = growth;
  growth = bytes;
  return before;
}

bool engine_is_at(uintptr_t where) {
  extern char engine_text[], engine_text_end[];
  return where >= (uintptr_t)engine_text && where < (uintptr_t)engine_text_end;
}

bool engine_runs_foreign(void) { return is_foreign; }

bool engine_foreign(bool now) {
  bool before = is_foreign;
  is_foreign = now;
  return before;
}

struct engine_state engine_state(void) {
  return (struct engine_state){engine_context,      engine.w2c_g0, wasm_rt_deep, call_depth,
                               wasm_rt_stack_limit, is_foreign};
}

void engine_go_on(const struct engine_state* state) {
  engine_context = state->context;
  engine.w2c_g0 = state->pointer;
  wasm_rt_deep = state->deep;
  call_depth = state->call_depth;
  wasm_rt_stack_limit = state->limit;
  is_foreign = state->is_foreign;
}

/* ---- what the engine imports ----------------------------------------------------------------- */

u32 ENGINE_IMPORT_call_function(struct w2c_a* host, u32 context, u32 self, u32 count,
                                u32 arguments, u32 number) {
  (void)host;
  const callee_t* callee = number < function_count ? &functions[number] : NULL;
  if (number >= PROGRAM_CALLEES && number - PROGRAM_CALLEES < program_function_count) {
    callee = &program_functions[number - PROGRAM_CALLEES];
    engine_ready();
  }
  if (!callee) panic(STOP_ENGINE, "engine", "a call to an unknown function");
  struct call call = {self, count, arguments};
  bool are_let_in = interrupts_let_in(false);
  js_t before = engine_context;
  engine_context = context;
  call_depth++;
  js_t result = (*callee)(&call);
  call_depth--;
  engine_context = before;
  interrupts_let_in(are_let_in);
  return result;
}

u32 ENGINE_IMPORT_resize_heap(struct w2c_a* host, u32 bytes) {
  (void)host;
  return grow(bytes);
}

u32 ENGINE_IMPORT_fd_write(struct w2c_a* host, u32 file, u32 vectors, u32 count, u32 written) {
  (void)host, (void)file;
  bool are_let_in = interrupts_let_in(false);
  uint32_t total = 0;
  for (u32 at = 0; at < count; at++) {
    const uint32_t* vector = window(vectors + 8 * at);
    serial_put(1, window(vector[0]), vector[1]);
    total += vector[1];
  }
  *(uint32_t*)window(written) = total;
  interrupts_let_in(are_let_in);
  return 0;
}

static double date(void) {
  bool are_let_in = interrupts_let_in(false);
  double now = wall_now();
  interrupts_let_in(are_let_in);
  return now;
}

u32 ENGINE_IMPORT_clock_time_get(struct w2c_a* host, u32 clock, u64 precision, u32 result) {
  (void)host, (void)clock, (void)precision;
  uint64_t nanoseconds = (uint64_t)(date() * 1e6);
  memcpy(window(result), &nanoseconds, sizeof(nanoseconds));
  return 0;
}

f64 ENGINE_IMPORT_date_now(struct w2c_a* host) {
  (void)host;
  return date();
}

void ENGINE_IMPORT_localtime(struct w2c_a* host, u64 seconds, u32 result) {
  (void)host, (void)seconds;
  memset(window(result), 0, 11 * sizeof(uint32_t));
}

void ENGINE_IMPORT_tzset(struct w2c_a* host, u32 zone, u32 daylight, u32 name, u32 summer_name) {
  (void)host;
  *(uint32_t*)window(zone) = *(uint32_t*)window(daylight) = 0;
  *(char*)window(name) = *(char*)window(summer_name) = 0;
}

u32 ENGINE_IMPORT_environ_get(struct w2c_a* host, u32 list, u32 texts) {
  (void)host, (void)list, (void)texts;
  return 0;
}

u32 ENGINE_IMPORT_environ_sizes_get(struct w2c_a* host, u32 count, u32 bytes) {
  (void)host;
  *(uint32_t*)window(count) = *(uint32_t*)window(bytes) = 0;
  return 0;
}

u32 ENGINE_IMPORT_fd_close(struct w2c_a* host, u32 file) {
  (void)host, (void)file;
  return 0;
}

u32 ENGINE_IMPORT_fd_seek(struct w2c_a* host, u32 file, u64 offset, u32 whence, u32 result) {
  (void)host, (void)file, (void)offset, (void)whence, (void)result;
  return 70; /* a pipe cannot seek */
}

u32 ENGINE_IMPORT_setitimer(struct w2c_a* host, u32 which, f64 ms) {
  (void)host, (void)which, (void)ms;
  return 0;
}

u32 ENGINE_IMPORT_should_interrupt(struct w2c_a* host, u32 runtime) {
  (void)host;
  if (!interrupt) return false;
  bool are_let_in = interrupts_let_in(false);
  bool ends = interrupt(runtime);
  interrupts_let_in(are_let_in);
  return ends;
}

u32 ENGINE_IMPORT_load_module(struct w2c_a* host, u32 runtime, u32 context, u32 name) {
  (void)host, (void)runtime, (void)context, (void)name;
  return 0;
}

u32 ENGINE_IMPORT_normalize_module(struct w2c_a* host, u32 runtime, u32 context, u32 base,
                                   u32 name) {
  (void)host, (void)runtime, (void)context, (void)base, (void)name;
  return 0;
}

void ENGINE_IMPORT_free_host_ref(struct w2c_a* host, u32 runtime, u32 number) {
  (void)host, (void)runtime, (void)number;
}

void ENGINE_IMPORT_keepalive_clear(struct w2c_a* host) { (void)host; }

void ENGINE_IMPORT_assert_fail(struct w2c_a* host, u32 text, u32 file, u32 line, u32 function) {
  (void)host, (void)file, (void)line, (void)function;
  panic_text(STOP_ENGINE, "engine assertion", text ? window(text) : "?");
}

void ENGINE_IMPORT_abort(struct w2c_a* host) {
  (void)host;
  panic(STOP_ENGINE, "engine", "aborted");
}

void ENGINE_IMPORT_proc_exit(struct w2c_a* host, u32 code) {
  (void)host, (void)code;
  panic(STOP_ENGINE, "engine", "left");
}
