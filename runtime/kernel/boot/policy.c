/*
 * policy.c: a policy of the user's, and how long it may take.
 *
 * The policy has an engine runtime of its own: it reaches nothing of the guest's, its memory has a
 * bound, and no job of a promise ever runs there. Views and decisions go to and fro as texts.
 *
 *   behind the program's text   the policy's name · a line end · a script, which is the function
 */
#include "engine.h"

/* What the heap may grow by for the policy, in all. The engine counts no bytes for a runtime. */
#define GROWTH_BYTES 0x400000
/* How long a decision may take; the first one also evaluates the script. */
#define DECIDE_MS 100
#define FIRST_MS 1000
/* One call of the engine's own functions that goes on so much longer is its last. */
#define STUCK_MS 1000
/* A host that takes the processor away makes fewer looks late, too. */
#define LOOKS_MIN 3
#define SCRIPT_FLAGS 0

extern char image_end[];

static js_t runtime, context, decide;
/* When the decision that is being made is late. */
static double end;
static uint32_t looks;
static bool was_late;
/* Why it was cut off, for ever; 0: it was not. */
static const char* cut;
static uint32_t growth = GROWTH_BYTES;

bool policy_is(js_t which) { return which == runtime; }

bool policy_late(double now) {
  if (++looks < LOOKS_MIN || now <= end) return false;
  was_late = true;
  return true;
}

void policy_amid(double now) {
  if (policy_late(now) && now > end + STUCK_MS) contained_cut(CUT_TIME);
}

static const char* policy_text(void) { return image_end + program_bytes; }

static uint32_t name_bytes(void) {
  const char* text = policy_text();
  uint32_t length = 0;
  while (length < policy_bytes && text[length] != '\n') length++;
  return length;
}

js_t machine_policyName(const struct call* call) {
  (void)call;
  return policy_bytes ? js_text(policy_text(), name_bytes()) : 0;
}

/* Evaluates the script. Returns what it throws, or 0. */
static js_t start(void) {
  uint32_t skipped = name_bytes() + 1, bytes = policy_bytes - skipped;
  js_t text = js_copy(policy_text() + skipped, bytes), file = js_copy("policy.js", 9);
  runtime = engine_runtime(&context);
  js_t result = QTS_Eval(context, text, bytes, file, 0, SCRIPT_FLAGS);
  ENGINE_free(text);
  ENGINE_free(file);
  js_t error = QTS_ResolveException(context, result);
  if (!error) decide = result;
  return error;
}

/* What the guest asks, and the policy's answer as a text, or why there is none. */
static js_t view, decision;
static const char* why;

static void decide_now(void) {
  engine_context = context;
  js_t error = decide ? 0 : start();
  js_t result = error ? 0 : js_call(decide, QTS_NewString(context, view), &error);
  decision = error ? 0 : QTS_GetString(context, result);
  why = error ? js_describe(error) : "no text";
  if (!error) QTS_FreeValuePointer(context, result);
}

js_t machine_policyDecide(const struct call* call) {
  js_t guest = engine_context;
  view = policy_bytes ? call_text(call, 0) : 0;
  if (!view) return js_throw("policyDecide: a view, and an image with a policy");
  uint32_t others = engine_growth(growth);
  looks = 0;
  was_late = false;
  decision = 0;
  end = clock_now() + (decide ? DECIDE_MS : FIRST_MS);
  if (!cut) cut = contained_run(&runtime, decide_now);
  growth = engine_growth(others);
  QTS_FreeCString(guest, view);
  if (cut) return js_throw(cut);
  if (!decision) return js_throw(was_late ? CUT_TIME : why);
  js_t result = QTS_NewString(guest, decision);
  QTS_FreeCString(context, decision);
  return result;
}
