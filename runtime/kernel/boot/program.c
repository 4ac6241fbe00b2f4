/*
 * program.c: the user's program, and whose turn it is.
 *
 * The program has an engine runtime of its own, and so globals, a heap's limits and errors of its
 * own. It also has stacks of its own. While it runs, the engine calls `look` now and then, which
 * changes to the guest's stacks and lets the guest have its turn: a program that never ends its
 * turn stops no balloon.
 *
 *   at the image's end   the texts of program and policy, loaded with it · a guard page · its stack
 *   in the engine's heap   its stack in linear memory
 */
#include "engine.h"

/* What the engine's own functions use of a stack in linear memory beyond JavaScript's limit. */
#define SHADOW_REST_BYTES 0x10000
/* The time between two looks of a program that does not end its turn. */
#define LOOK_MS 5
/* An interrupt that came at a moment without a look comes again so much later. */
#define AGAIN_MS 1
/* The guest hears so much later that the program gave frames back: often there are more. */
#define GAVE_MS 20
/* A look at the device that is far off may come so much later, where that saves alarms. */
#define GUEST_LATE_MS 1000
/* Pages that the engine's heap asks for when it can have none. */
#define SHORTAGE_PAGES "64"
/* The program ends like this when nothing catches an error: EXIT.programFailed of exit-codes.ts. */
#define PROGRAM_FAILED 14
#define SCRIPT_FLAGS 0
/* IN_PLACE of src/image/program/in-place.ts. */
#define IN_PLACE "/*in the guest's place*/"
/* No ledger gives it frames: that is what it may take beyond the snapshot. */
#define IN_PLACE_FRAMES 1024

extern const uint32_t snapshot_rejections;
extern char image_end[];

/* Where a runtime's stacks end, and where they go on when it gets its turn. */
struct stacks {
  uintptr_t limit, top;
  uint32_t deep, pointer;
};

static struct stacks guest_stacks, program_stacks;
static js_t runtime, context, turn_function, rejection_function;
static double guest_until, program_until, next_look;
static uint32_t guest_lines;

static uint32_t whole(uint32_t bytes) { return (bytes + FRAME_BYTES - 1) & ~(FRAME_BYTES - 1u); }

static bool is_in_place(void) {
  size_t length = sizeof(IN_PLACE) - 1;
  return program_bytes > length && memcmp(image_end, IN_PLACE, length) == 0;
}

uint32_t program_pool_frames(void) { return is_in_place() ? IN_PLACE_FRAMES : 0; }

uint64_t program_own(void) {
  uint64_t texts = whole(program_bytes + policy_bytes);
  if (is_in_place() || !program_bytes) return texts;
  return texts + FRAME_BYTES + PROGRAM_STACK_BYTES;
}

/* ---- changing stacks ------------------------------------------------------------------------- */

/* Calls `action` on the stack that ends at `top`, a multiple of 16. */
void program_on_stack(void (*action)(void), uintptr_t top);
__asm__(
    ".text\n"
    ".globl program_on_stack\n"
    "program_on_stack:\n"
#ifdef __x86_64__
    "  pushq %rbp\n"
    "  movq %rsp, %rbp\n"
    "  movq %rsi, %rsp\n"
    "  call *%rdi\n"
    "  movq %rbp, %rsp\n"
    "  popq %rbp\n"
    "  ret\n"
#else
    "  pushl %ebp\n"
    "  movl %esp, %ebp\n"
    "  movl 8(%ebp), %eax\n"
    "  movl 12(%ebp), %esp\n"
    "  call *%eax\n"
    "  movl %ebp, %esp\n"
    "  popl %ebp\n"
    "  ret\n"
#endif
);

/* Below this function's own frame and that of program_on_stack. */
#define BELOW_BYTES 512

static void change(struct stacks* from, const struct stacks* to, void (*action)(void)) {
  from->limit = wasm_rt_stack_limit;
  from->deep = wasm_rt_deep;
  from->pointer = engine.w2c_g0;
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  from->top = (here - BELOW_BYTES) & ~(uintptr_t)15;
  wasm_rt_stack_limit = to->limit;
  wasm_rt_deep = to->deep;
  engine.w2c_g0 = to->pointer;
  program_on_stack(action, to->top);
  wasm_rt_stack_limit = from->limit;
  wasm_rt_deep = from->deep;
  engine.w2c_g0 = from->pointer;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void guest_turn(void) {
  bool before = engine_foreign(false);
  engine_ready();
  uint32_t lines = guest_lines;
  guest_lines = 0;
  guest_until = engine_wake(lines);
  engine_foreign(before);
  if (message_waits(TO_GUEST)) guest_until = 0;
}

static void tell_gave(double now) {
  if (buffers_gave(false) && guest_until > now + GAVE_MS) guest_until = now + GAVE_MS;
}

static NORETURN void failed(js_t error) {
  interrupts_let_in(false);
  print_line("program.error: Uncaught ", js_describe(error));
  program_end(PROGRAM_FAILED);
}

/* One task of the program, once no jobs of promises are left, then the jobs that it leaves. */
static void program_turn(void) {
  js_t error;
  engine_ready();
  if (!QTS_IsJobPending(runtime)) {
    js_t result = js_call(turn_function, 0, &error);
    if (error) failed(error);
    program_until = QTS_GetFloat64(context, result);
    QTS_FreeValuePointer(context, result);
  }
  error = engine_jobs(runtime);
  if (error) failed(error);
  if (QTS_IsJobPending(runtime) || message_waits(TO_PROGRAM)) program_until = 0;
}

static void (*program_action)(void);
/* Where JavaScript was when memory ended. */
static const char* where_cut = "";

static void act(void) { change(&guest_stacks, &program_stacks, program_action); }

static void run_program(void (*action)(void)) {
  program_action = action;
  engine_context = context;
  const char* why = contained_run(&runtime, act);
  engine_context = snapshot_context;
  if (!why) return;
  print("program.error: Uncaught ");
  print(why);
  print_line(*where_cut ? " " : "", where_cut);
  program_end(PROGRAM_FAILED);
}

static void note_where(void) { where_cut = engine_stack(); }
static void ends(void) { contained_run(&runtime, note_where); }

static void overflow(void) {
  contained_cut(CUT_STACK);
  panic(STOP_EXCEPTION, "engine", "stack overflow");
}

/* What a turn of the guest may take of both stacks, which a script has a part of already. */
#define TURN_SHADOW_BYTES 0xc000
#define TURN_STACK_BYTES 0x50000

/*
 * Lets the guest have its turn while a script runs that it evaluates: its runtime calls itself.
 * True: the script's time is over.
 */
static bool look_amid_script(double now) {
  static bool is_amid;
  if (is_amid) return false;
  if (script_late(now)) return true;
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  bool has_room = here > wasm_rt_stack_limit + TURN_STACK_BYTES &&
                  engine.w2c_g0 > wasm_rt_deep + TURN_SHADOW_BYTES;
  if (now < next_look || !has_room) return false;
  next_look = now + LOOK_MS;
  guest_lines |= wait_not();
  if (!guest_lines && now < guest_until) return false;
  is_amid = true;
  bool before = engine_foreign(false);
  uint32_t lines = guest_lines;
  guest_lines = 0;
  guest_until = engine_wake_amid(lines);
  engine_foreign(before);
  is_amid = false;
  return false;
}

/* Lets the guest have its turn amid the program's, whose next one begins at its stacks' top. */
static void yield(void) {
  bool are_let_in = interrupts_let_in(false);
  js_t before = engine_context;
  struct stacks here;
  change(&here, &guest_stacks, guest_turn);
  engine_context = before;
  heap_reserve();
  interrupts_let_in(are_let_in);
}

static bool look(js_t which) {
  double now = clock_now();
  if (script_is(which)) return look_amid_script(now);
  if (policy_is(which)) return policy_late(now);
  if (now < next_look) return false;
  next_look = now + LOOK_MS;
  tell_gave(now);
  guest_lines |= wait_not();
  if (guest_lines || now >= guest_until) yield();
  return false;
}

/*
 * An interrupt has come amid what runs. A function of the engine's that is called once, to sort or
 * to search what is large, may go on for minutes without a look.
 */
static void amid(uintptr_t where) {
  double now = clock_now();
  js_t which = contained_runtime();
  bool is_due = which && now >= next_look + AMID_MS;
  bool can = is_due && engine_is_at(where);
  if (can && policy_is(which)) {
    policy_amid(now);
  } else if (can) {
    bool before = program_told.is_amid;
    program_told.is_amid = before || !script_is(which);
    look(which);
    program_told.is_amid = before;
  }
  wait_amid(clock_now() + (is_due && !can ? AGAIN_MS : AMID_MS));
}

/* Asks for pages of the balloon's, and waits for them. False: there is no hope. */
static bool await_memory(void) {
  bool before = engine_foreign(false);
  bool asks = message_put(TO_GUEST, "{\"shortage\":" SHORTAGE_PAGES "}");
  engine_foreign(before);
  if (!asks) return false;
  yield();
  return frames_count(FRAMES_FREE) > 0;
}

/* ---- rejections of promises ------------------------------------------------------------------ */

/*
 * The engine calls a function of its table when a promise is rejected that nobody listens to, and
 * when somebody does later. It exports no way to set it, so the address in the runtime was found
 * when the image was built.
 */
static void rejection(void* instance, u32 where, u64 promise, u64 reason, u32 is_handled,
                      u32 opaque) {
  (void)instance, (void)where, (void)opaque;
  if (!rejection_function) return;
  js_t values = heap_take(16), arguments = heap_take(12);
  if (!values || !arguments) return;
  memcpy(window(values), &promise, 8);
  memcpy(window(values + 8), &reason, 8);
  uint32_t list[3] = {values, values + 8, is_handled ? QTS_GetTrue() : QTS_GetFalse()};
  memcpy(window(arguments), list, sizeof(list));
  js_t result = QTS_Call(context, rejection_function, QTS_GetUndefined(), 3, arguments);
  js_t error = QTS_ResolveException(context, result);
  if (error) failed(error);
  QTS_FreeValuePointer(context, result);
  ENGINE_free(values);
  ENGINE_free(arguments);
}

static void watch_rejections(void) {
  wasm_rt_func_type_t type = wasm2c_engine_get_func_type(5, 0, WASM_RT_I32, WASM_RT_I64,
                                                         WASM_RT_I64, WASM_RT_I32, WASM_RT_I32);
  uint32_t index = wasm_rt_add_function(&engine.w2c_T0, type, (wasm_rt_function_ptr_t)rejection,
                                        &engine);
  *(uint32_t*)window(runtime + snapshot_rejections) = index;
}

/* ---- what the program can call --------------------------------------------------------------- */

static js_t host_now(const struct call* call) {
  (void)call;
  return js_number(clock_now());
}

static js_t host_knowsDate(const struct call* call) {
  (void)call;
  return wall_known() ? QTS_GetTrue() : QTS_GetFalse();
}

static void free_text(js_t text) { QTS_FreeCString(context, text); }

/* Writes one line of the log, behind a label. */
static js_t host_write(const struct call* call) {
  js_t label = call_text(call, 0), line = call_text(call, 1);
  if (!label || !line) return js_throw("write: a label and a line");
  print_line(window(label), window(line));
  free_text(label);
  free_text(line);
  return 0;
}

static js_t host_send(const struct call* call) {
  js_t text = call_text(call, 0);
  if (!text) return js_throw("send: a text");
  bool sent = message_put(TO_GUEST, window(text));
  free_text(text);
  if (!sent) return js_throw("send: out of memory");
  guest_until = 0;
  return 0;
}

static js_t host_receive(const struct call* call) {
  (void)call;
  return message_take(TO_PROGRAM);
}

static js_t host_commandLine(const struct call* call) {
  (void)call;
  return js_text(command_line, strlen(command_line));
}

static void pause(void) { look(runtime); }

/* An ArrayBuffer of so many bytes, or undefined. */
static js_t host_allocate(const struct call* call) {
  double bytes = call_number(call, 0);
  if (!(bytes >= 1 && bytes <= 0x7fffffff)) return js_throw("allocate: bytes");
  return buffer_make(context, (uint32_t)bytes, pause);
}

/* Bytes that the program's caches could give. */
static js_t host_offer(const struct call* call) {
  double bytes = call_number(call, 0);
  program_told.offers = bytes > 0 ? bytes : 0;
  return 0;
}

static js_t host_collect(const struct call* call) {
  (void)call;
  engine_collect(runtime, context);
  return 0;
}

/* Pages by their kind: see runtime/guest/host.ts. */
static js_t host_pages(const struct call* call) {
  switch (call_word(call, 0)) {
    case 0: return js_number(frames_count(FRAMES_FREE));
    case 1:
      return js_number((double)frames_count(FRAMES_INFLATING) +
                       frames_count(FRAMES_HELD) + frames_count(FRAMES_DEFLATING));
    case 2: return js_number(buffer_frames());
    case 3: return js_number(engine_frames());
    default: return js_throw("pages: a kind");
  }
}

/* Lets the guest have its turn, to do at once what the messages say. */
static js_t host_yield(const struct call* call) {
  (void)call;
  yield();
  return 0;
}

static js_t host_exit(const struct call* call) { program_end((uint8_t)call_word(call, 0)); }

/* The functions to call at each turn, and for each rejection. */
static js_t host_start(const struct call* call) {
  if (call->count < 2) return js_throw("start: two functions");
  js_t turn = QTS_ArgvGetJSValueConstPointer(call->arguments, 0);
  js_t rejected = QTS_ArgvGetJSValueConstPointer(call->arguments, 1);
  turn_function = QTS_DupValuePointer(context, turn);
  rejection_function = QTS_DupValuePointer(context, rejected);
  return 0;
}

static const struct {
  const char* name;
  callee_t callee;
} host_functions[] = {
    {"now", host_now},         {"knowsDate", host_knowsDate},
    {"write", host_write},     {"send", host_send},
    {"receive", host_receive}, {"commandLine", host_commandLine},
    {"exit", host_exit},       {"start", host_start},
    {"allocate", host_allocate}, {"collect", host_collect},
    {"pages", host_pages},     {"yield", host_yield},
    {"offer", host_offer},
};
enum { HOST_FUNCTIONS = sizeof(host_functions) / sizeof(*host_functions) };
static callee_t callees_of_program[HOST_FUNCTIONS];

/* ---- the start ------------------------------------------------------------------------------- */

static void define_host(void) {
  js_t host = QTS_NewObject(context);
  for (uint32_t at = 0; at < HOST_FUNCTIONS; at++) {
    callees_of_program[at] = host_functions[at].callee;
    js_set_function(host, host_functions[at].name, PROGRAM_CALLEES + at);
  }
  engine_program(callees_of_program, HOST_FUNCTIONS);
  js_set(QTS_GetGlobalObject(context), "ballonetHost", host);
}

static void begin(void) {
  runtime = QTS_NewRuntime();
  QTS_RuntimeSetMaxStackSize(runtime, PROGRAM_SHADOW_BYTES);
  context = engine_context = QTS_NewContext(runtime, 0);
  program_told.runtime = runtime;
  program_told.context = context;
  static const struct heap_events events = {await_memory, ends};
  heap_of_program(runtime, context, &events);
  define_host();
  watch_rejections();
  buffers_start();
  QTS_RuntimeEnableInterruptHandler(runtime);
  uint32_t bytes = program_bytes;
  js_t text = js_copy(image_end, bytes), name = js_copy("program.js", 10);
  js_t result = QTS_Eval(context, text, bytes, name, 0, SCRIPT_FLAGS);
  js_t error = QTS_ResolveException(context, result);
  if (error) failed(error);
  QTS_FreeValuePointer(context, result);
  ENGINE_free(text);
  ENGINE_free(name);
  if (!turn_function) panic(STOP_ENGINE, "program", "it does not start its loop");
  error = engine_jobs(runtime);
  if (error) failed(error);
}

static void prepare_stacks(void) {
  uint64_t guard = (uintptr_t)image_end + whole(program_bytes + policy_bytes);
  memory_guard(guard);
  js_t shadow = heap_take(PROGRAM_SHADOW_BYTES + SHADOW_REST_BYTES);
  if (!shadow) panic(STOP_NO_MEMORY, "memory", "no room for the program's stack");
  program_stacks.pointer = shadow + PROGRAM_SHADOW_BYTES + SHADOW_REST_BYTES;
  program_stacks.deep = shadow + SHADOW_REST_BYTES - FRAME_BYTES;
  program_stacks.limit = (uintptr_t)guard + FRAME_BYTES + STACK_REST_BYTES;
  program_stacks.top = (uintptr_t)guard + FRAME_BYTES + PROGRAM_STACK_BYTES;
}

/* A text that begins so gets the guest's runtime, and with it the machine. It ends the machine. */
static NORETURN void run_in_place(void) {
  uint32_t bytes = program_bytes;
  js_t text = js_copy(image_end, bytes), name = js_copy("guest.js", 8);
  js_t error = QTS_ResolveException(
      snapshot_context, QTS_Eval(snapshot_context, text, bytes, name, 0, SCRIPT_FLAGS));
  if (error) failed(error);
  panic(STOP_ENGINE, "program", "it does not end the machine");
}

NORETURN void program_run(void) {
  engine_on_interrupt(look);
  trap_on_interrupt(amid);
  wasm_rt_overflow = overflow;
  if (is_in_place()) run_in_place();
  guest_until = engine_boot();
  program_until = __builtin_inf();
  if (program_bytes) {
    prepare_stacks();
    program_until = 0;
    run_program(begin);
  }
  for (;;) {
    tell_gave(clock_now());
    double now = clock_now();
    double until = program_until < guest_until ? program_until : guest_until;
    if (heap_due() < until) until = heap_due();
    double latest = guest_until + (guest_until > now + GUEST_LATE_MS ? GUEST_LATE_MS : 0);
    if (program_until < latest) latest = program_until;
    guest_lines |= until > now ? wait_until(until, latest) : wait_not();
    if (guest_lines || clock_now() >= guest_until) guest_turn();
    if (message_waits(TO_PROGRAM) && turn_function) program_until = 0;
    if (clock_now() < program_until) {
      heap_turn(clock_now());
    } else {
      run_program(program_turn);
      heap_reserve();
      heap_used(clock_now());
    }
  }
}
