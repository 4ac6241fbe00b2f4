/*
 * script.c: scripts that the host sends, and how long each may take.
 *
 * They have an engine runtime of their own, with nothing of the guest's but `machine`, and a bound
 * for their memory. While one runs, the guest has its turns: see program.c.
 */
#include "engine.h"

/* What the heap may grow by for one script. */
#define GROWTH_BYTES 0x1000000
/* Jobs of its promises that may throw. */
#define JOBS_MAX 1000

static js_t runtime, context;
/* Of the functions of `machine`, then those of `machine.core`. */
static const char* const* names;
static uint32_t name_count, machine_names;
/* When the script that runs is late; 0: none runs. */
static double end;
/* The script, and what it returns or throws, as texts; 0: it does not. */
static js_t code, value;
static const char* thrown;

bool script_is(js_t which) { return which == runtime; }
bool script_late(double now) { return end > 0 && now > end; }

void script_start(const char* const* all, uint32_t count, uint32_t of_machine) {
  names = all;
  name_count = count;
  machine_names = of_machine;
}

static js_t functions(uint32_t first, uint32_t end) {
  js_t object = QTS_NewObject(context);
  for (uint32_t at = first; at < end; at++) js_set_function(object, names[at], at);
  return object;
}

static void start(void) {
  runtime = engine_runtime(&context);
  js_t machine = functions(0, machine_names);
  js_set(machine, "core", functions(machine_names, name_count));
  js_set(QTS_GetGlobalObject(context), "machine", machine);
}

static void evaluate(void) {
  if (!context) start();
  engine_context = context;
  js_t name = js_copy("<evaluate>", 10);
  js_t result = QTS_Eval(context, code, (uint32_t)strlen(window(code)), name, 0, 0);
  ENGINE_free(name);
  /* Its promises' jobs belong to it. Those that are left over when it is late end at once. */
  for (uint32_t jobs = 0; jobs < JOBS_MAX && engine_jobs(runtime); jobs++) {
  }
  interrupts_let_in(false);
  js_t error = QTS_ResolveException(context, result);
  if (error) thrown = js_describe(error);
  else value = QTS_GetString(context, result);
  QTS_FreeValuePointer(context, error ? error : result);
}

js_t machine_evaluate(const struct call* call) {
  if (end > 0) return js_throw("evaluate: a script runs already");
  js_t guest = engine_context;
  code = call->count < 2 ? 0 : call_text(call, 0);
  if (!code) return js_throw("evaluate: a script and milliseconds");
  value = 0;
  thrown = "no text";
  end = clock_now() + call_number(call, 1);
  uint32_t others = engine_growth(GROWTH_BYTES);
  const char* cut = contained_run(&runtime, evaluate);
  engine_growth(others);
  bool is_late = script_late(clock_now());
  end = 0;
  QTS_FreeCString(guest, code);
  /* The next one gets a runtime anew. */
  if (cut) runtime = context = 0;
  if (cut) return js_throw(cut);
  /* An error that interrupts is told in other words. */
  if (!value) return js_throw(is_late ? CUT_TIME : thrown);
  js_t result = QTS_NewString(guest, value);
  QTS_FreeCString(context, value);
  return result;
}
