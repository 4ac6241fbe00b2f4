/*
 * engine.h: the compiled JavaScript engine, as the boot code sees it. The engine's own names differ
 * from one of its versions to the next: engine-names.h, which is generated, gives them fixed ones.
 */
#ifndef BOOT_ENGINE_H_
#define BOOT_ENGINE_H_

#include "engine-module.h"
#include "engine-names.h"
#include "kernel.h"

/* A JavaScript value: an address in the engine's window; 0: none, which is `undefined`. */
typedef uint32_t js_t;

/* Arguments of a call from JavaScript. */
struct call {
  js_t self;
  uint32_t count;
  js_t arguments;
};

extern w2c_engine engine;
extern const uint32_t snapshot_context;

/* Where C sees an address of the window. */
static inline void* window(js_t address) { return (void*)((uintptr_t)WINDOW_BASE + address); }

/* An argument as a number; NaN when it is missing or no number. */
double call_number(const struct call* call, uint32_t index);
/* The same modulo 2^32, as `>>> 0` in JavaScript. */
uint32_t call_word(const struct call* call, uint32_t index);
js_t js_number(double value);
js_t js_text(const char* text, size_t length);
/* Sets object[name] = value and frees `value`. */
void js_set(js_t object, const char* name, js_t value);
/* Throws an Error with this message; the caller must return the result. */
js_t js_throw(const char* message);

typedef js_t (*callee_t)(const struct call* call);
/* `functions` are those that JavaScript can call, by the number that the snapshot has for each. */
void engine_start(const callee_t* functions, uint32_t count);

/* The list for engine_start, from core-glue.c, which is generated. */
extern const callee_t callees[];
extern const uint32_t callee_count;

#endif
