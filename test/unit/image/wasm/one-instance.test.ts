/** What the engine's functions know of the instance of its module. */
import { expect, it } from "vitest";
import { oneInstance } from "../../../../src/image/wasm/one-instance.ts";

it("is a constant, but for functions that others call", () => {
  const header = `#include "engine-module.h"
u32 w2c_engine_f12(w2c_engine*, u32);
void w2c_engine_f3(w2c_engine*);
u32 w2c_engine_w_0(w2c_engine*, u32);
`;
  const text = `#include "all.h"
u32 w2c_engine_f12(w2c_engine* instance, u32 var_p0) {
  w2c_engine_f3(instance);
  return w2c_engine_w_0(instance, w2c_engine_f12(instance, instance->w2c_g0));
}
static u32 wrap_w2c_engine_f12(void *instance, u32 var_0) {
  return w2c_engine_f12((struct w2c_engine*) instance, var_0);
}
u32 w2c_engine_w_0(w2c_engine* instance, u32 var_p0) {
`;
  const texts = new Map([
    ["all.h", header],
    ["a.c", text],
  ]);
  const made = oneInstance(texts, "all.h");
  expect(made.get("all.h")).toBe(`#include "engine-module.h"
extern w2c_engine engine;
static w2c_engine* const instance = &engine;
u32 w2c_engine_f12(u32);
void w2c_engine_f3();
u32 w2c_engine_w_0(w2c_engine*, u32);
`);
  expect(made.get("a.c")).toBe(`#include "all.h"
u32 w2c_engine_f12(u32 var_p0) {
  w2c_engine_f3();
  return w2c_engine_w_0(instance, w2c_engine_f12(instance->w2c_g0));
}
static u32 wrap_w2c_engine_f12(void *instance, u32 var_0) {
  return w2c_engine_f12(var_0);
}
u32 w2c_engine_w_0(w2c_engine* instance, u32 var_p0) {
`);
});
