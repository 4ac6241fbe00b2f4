/*
 * engine.h: the compiled JavaScript engine, as the boot code sees it. The engine's own names differ
 * from one of its versions to the next: engine-names.h, which is generated, gives them fixed ones.
 */
#ifndef BOOT_ENGINE_H_
#define BOOT_ENGINE_H_

#include "engine-module.h"
#include "engine-names.h"
#include "kernel.h"

/* The engine's heap may grow to this; JavaScript then sees an out-of-memory error. */
#define ENGINE_BYTES_MAX 0x10000000

/* A JavaScript value: an address in the engine's window; 0: none, which is `undefined`. */
typedef uint32_t js_t;

/* Arguments of a call from JavaScript. */
struct call {
  js_t self;
  uint32_t count;
  js_t arguments;
};

extern w2c_engine engine;
extern js_t engine_context;
/* The guest's own runtime, and room for the arguments of a call. */
extern const uint32_t snapshot_runtime, snapshot_context, snapshot_scratch;

/* Where C sees an address of the window. */
static inline void* window(js_t address) { return (void*)((uintptr_t)WINDOW_BASE + address); }

/* An argument as a number; NaN when it is missing or no number. */
double call_number(const struct call* call, uint32_t index);
/* The same modulo 2^32, as `>>> 0` in JavaScript. */
uint32_t call_word(const struct call* call, uint32_t index);
/* An argument as a text, which QTS_FreeCString of its context frees; 0: it is missing or none. */
js_t call_text(const struct call* call, uint32_t index);
js_t js_number(double value);
/* Copies bytes into the engine's heap, with a 0 behind them. */
js_t js_copy(const char* bytes, size_t length);
js_t js_text(const char* text, size_t length);
/* Sets object[name] to a function that calls the callee of this number. */
void js_set_function(js_t object, const char* name, uint32_t number);
/* Sets object[name] = value and frees `value`. */
void js_set(js_t object, const char* name, js_t value);
/* An error and its stack, as one line that lasts until the next call. */
const char* js_describe(js_t error);
/* Where JavaScript is now, as one line that lasts until the next call. */
const char* engine_stack(void);
/* Calls a function with one argument, which it frees, or none (0). *error: what it threw, or 0. */
js_t js_call(js_t function, js_t argument, js_t* error);
/* Throws an Error with this message; the caller must return the result. */
js_t js_throw(const char* message);

typedef js_t (*callee_t)(const struct call* call);
/* `functions` are those that JavaScript can call, by the number that the snapshot has for each. */
void engine_start(const callee_t* functions, uint32_t count);

/* A runtime that runs on the guest's stack and can be interrupted; `context` becomes its own. */
js_t engine_runtime(js_t* context);
/* Runs jobs of promises that are due, but not without end. Returns what one threw, or 0. */
js_t engine_jobs(js_t runtime);
/* Call the guest program's `boot` and `wake`. Return when to wake the guest next. */
double engine_boot(void);
double engine_wake(double lines);
/* The same while the guest waits for a script: jobs, which may be the script's, wait. */
double engine_wake_amid(double lines);
/* From now on blocks for copies in the engine's heap come from `on_take`. */
void engine_on_take(js_t (*on_take)(uint32_t bytes));
/* Sees to it that there is memory for the values of a few calls. */
void engine_ready(void);
/* Called now and then while a runtime that asked for it runs; true ends what runs there. */
void engine_on_interrupt(bool (*on_interrupt)(js_t runtime));
/* Whether an instruction is the engine's own, and not of its allocator: all can call that there. */
bool engine_is_at(uintptr_t where);
/* Whether what runs from now on is not the guest's own. Returns what was. */
bool engine_foreign(bool now);
bool engine_runs_foreign(void);

/* Backs a page of the heap that has no frame, with this one. */
bool engine_back(uint32_t page, uint64_t frame);
/* The same with a frame of those that it may grow by. False: there is none. */
bool engine_back_more(uint32_t page);
/* Takes the frame of a page of the heap away. */
void engine_unback(uint32_t page);

/* From now on the heap may grow by so many bytes in all. Returns what was left. */
uint32_t engine_growth(uint32_t bytes);

/* Collects the garbage of a runtime. `context` is one of its. */
void engine_collect(js_t runtime, js_t context);
/* The next object that a runtime makes collects its garbage. */
void engine_collect_soon(js_t runtime);

/* Puts a function into the engine's table. Returns the one that it had at that place. */
wasm_rt_function_ptr_t engine_replace(uint32_t index, wasm_rt_function_ptr_t by);

/* What changes while something runs, and is to be as before when it is cut off. */
struct engine_state {
  js_t context;
  uint32_t pointer, deep, call_depth;
  uintptr_t limit;
  bool is_foreign;
};
struct engine_state engine_state(void);
void engine_go_on(const struct engine_state* state);

/* Bytes of the program's text, which lies at the image's end; 0: there is no program. */
extern const volatile uint32_t program_bytes;
/* Bytes of the policy's text, which lies behind the program's; 0: there is no policy. */
extern const volatile uint32_t policy_bytes;
/* The functions that a program can call have the numbers from here on. */
#define PROGRAM_CALLEES 0x10000
void engine_program(const callee_t* functions, uint32_t count);

/* ---- contained.c ----------------------------------------------------------------------------- */

/*
 * Runs what is not the guest's own, of the runtime that is at `runtime` by then. Returns 0, or why
 * it was cut off: nothing may use its runtime again.
 */
#define CUT_MEMORY "InternalError: out of memory"
#define CUT_STACK "RangeError: stack overflow in a function of the engine"
#define CUT_TIME "it took longer than its time limit"
/* It is interrupted so often, at least. */
#define AMID_MS 5
const char* contained_run(const js_t* runtime, void (*action)(void));
/* Cuts off what runs. Returns when that is the guest's own. */
void contained_cut(const char* why);
/* The runtime of what runs, if that is not the guest's own; 0: there is none yet. */
js_t contained_runtime(void);

/* ---- suspended.c ----------------------------------------------------------------------------- */

/* From now on the collector leaves what closures use of functions that wait. */
void suspended_start(void);

/* ---- heap.c ---------------------------------------------------------------------------------- */

/* From now on the engine's heap may have holes. */
void heap_start(void);
/*
 * Bytes of the heap; 0: there are none. ENGINE_free frees them. What is not the guest's own is cut
 * off where a small block is not to be had.
 */
js_t heap_take(uint32_t bytes);
/* Makes what a full heap leaves to the guest, and to the program, unless it is there. */
void heap_reserve(void);
/* Backs a page of the engine's window that is touched. False: the engine has no such page. */
bool heap_fault(uintptr_t offset);
/* Gives the frames of what is free back to the ledger. */
void heap_give_back(void);
/* What the program does when it can have no memory. */
struct heap_events {
  /* Waits for memory. False: there is no hope. */
  bool (*lacks)(void);
  /* It will be cut off; until then it may take what was left to the guest. */
  void (*ends)(void);
};
/* The program's garbage is collected from now on, too. */
void heap_of_program(js_t runtime, js_t context, const struct heap_events* events);
/* The program has had a turn, and may have garbage. */
void heap_used(double now);
/* When heap_turn has something to do. */
double heap_due(void);
/* Collects garbage and gives frames back, if it is time. */
void heap_turn(double now);

/* ---- messages.c ------------------------------------------------------------------------------ */

enum way { TO_GUEST, TO_PROGRAM, WAYS };
/* False: the heap is full. */
bool message_put(enum way way, const char* text);
bool message_waits(enum way way);
/* The oldest as a value of the current context; 0, which is `undefined`: there is none. */
js_t message_take(enum way way);

/* ---- buffers.c ------------------------------------------------------------------------------- */

/* From now on the engine gives memory of ArrayBuffers back to where it is from. */
void buffers_start(void);
/*
 * An ArrayBuffer of zeros in frames of the ledger; 0: there are too few. `pause` is called now and
 * then.
 */
js_t buffer_make(js_t context, uint32_t bytes, void (*pause)(void));
/* Frames of all of them. */
uint32_t buffer_frames(void);
/* As if some were given back. */
void buffers_tell_gave(void);
/* Whether some were given back since that was forgotten. */
bool buffers_gave(bool forget);

/* ---- machine.c ------------------------------------------------------------------------------- */

/* What the program told the guest: its engine, once there is one, and what its caches offer. */
struct program_told {
  js_t runtime, context;
  double offers;
  /* It waits amid a function of the engine's: nothing may enter its runtime. */
  bool is_amid;
};
extern struct program_told program_told;

/* ---- script.c -------------------------------------------------------------------------------- */

/* Scripts can call these functions: the first ones of `machine`, the others of `machine.core`. */
void script_start(const char* const* names, uint32_t count, uint32_t of_machine);
/* Whether a runtime is that of scripts. */
bool script_is(js_t runtime);
/* Whether the script that runs has used up its time. */
bool script_late(double now);

/* ---- policy.c -------------------------------------------------------------------------------- */

/* Whether a runtime is the policy's. */
bool policy_is(js_t runtime);
/* Call at each look while it runs. True: its time is over. */
bool policy_late(double now);
/* The same where nothing has looked in time. Cuts it off if it is long over. */
void policy_amid(double now);

/* The lists for engine_start and script_start, from core-glue.c, which is generated. */
extern const callee_t callees[];
extern const char* const callee_names[];
extern const uint32_t callee_count, machine_callees;

#endif
