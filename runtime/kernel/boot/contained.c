/*
 * contained.c: runs what is not the guest's own, so that it can be cut off at any moment.
 *
 * The engine ends most of what goes wrong by an error of JavaScript's. But some of its functions
 * call themselves without a look at the stack, and some do not survive that an object gets no
 * memory. There the engine is never asked to go on: what runs ends at once, and nothing may use its
 * runtime again. What belongs to it stays in the heap.
 */
#include "engine.h"

/* Of __builtin_setjmp. */
#define POINT_WORDS 5

struct contained {
  void* point[POINT_WORDS];
  struct engine_state state;
  const js_t* runtime;
  struct contained* outer;
};

static struct contained* innermost;
static const char* reason;

const char* contained_run(const js_t* runtime, void (*action)(void)) {
  struct contained made = {.state = engine_state(), .runtime = runtime, .outer = innermost};
  innermost = &made;
  bool is_cut = __builtin_setjmp(made.point);
  if (!is_cut) {
    engine_foreign(true);
    wait_amid(clock_now() + AMID_MS);
    interrupts_let_in(true);
    action();
  }
  interrupts_let_in(false);
  /* Not `made`: after a cut no register has what it had. */
  struct contained* ended = innermost;
  innermost = ended->outer;
  engine_go_on(&ended->state);
  return is_cut ? reason : NULL;
}

js_t contained_runtime(void) { return engine_runs_foreign() ? *innermost->runtime : 0; }

void contained_cut(const char* why) {
  if (!engine_runs_foreign()) return;
  reason = why;
  __builtin_longjmp(innermost->point, 1);
}
