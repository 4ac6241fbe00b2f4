/*
 * engine.h: the compiled JavaScript engine, as the boot code sees it.
 *
 * It must not name an export by hand: engine-names.h is generated from the engine's own package.
 * Invariant: a js_t is an address in the engine's window, 0 where there is none.
 */
#ifndef BOOT_ENGINE_H_
#define BOOT_ENGINE_H_

#include "engine-module.h"
#include "engine-names.h"
#include "kernel.h"

typedef uint32_t js_t;

/* Arguments of a call from JavaScript. */
struct call {
  js_t self;
  uint32_t count;
  js_t arguments;
};

extern w2c_engine engine;
extern const uint32_t snapshot_context;

/* The window as C sees it. */
static inline void* window(js_t address) { return (void*)((uintptr_t)WINDOW_BASE + address); }

/* An argument as a number; missing ones and those that are none read as NaN. */
double call_number(const struct call* call, uint32_t index);
/* The same modulo 2^32, as JavaScript's `>>> 0` has it. */
uint32_t call_word(const struct call* call, uint32_t index);
js_t js_number(double value);
js_t js_text(const char* text, size_t length);
/* Sets object[name] = value and lets go of the value. */
void js_set(js_t object, const char* name, js_t value);
/* Throws an Error with this message: return the result from the call. */
js_t js_throw(const char* message);

/* Every function that JavaScript can call, by the number it was made with. Generated. */
typedef js_t (*callee_t)(const struct call* call);
extern const callee_t callees[];
extern const uint32_t callee_count;

#endif
