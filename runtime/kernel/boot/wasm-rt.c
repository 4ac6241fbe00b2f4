/*
 * wasm-rt.c: traps and function tables for the compiled modules. Tables are made once, at start.
 */
#include "include/wasm-rt.h"
#include "kernel.h"

/* The engine's table has about 500 entries; the core has none. */
#define TABLE_ENTRIES_MAX 1024

static wasm_rt_funcref_t entries[TABLE_ENTRIES_MAX];
static uint32_t used;

static const char* const trap_names[] = {
    "none",        "out of bounds",      "integer overflow",   "division by zero",
    "conversion",  "unreachable",        "indirect call",      "uncaught exception",
    "unaligned",   "null reference",     "exhaustion",
};

WASM_RT_NO_RETURN void wasm_rt_trap(wasm_rt_trap_t trap) {
  const char* name = trap < sizeof(trap_names) / sizeof(*trap_names) ? trap_names[trap] : "unknown";
  panic_at(STOP_WASM_TRAP, "wasm trap", name, (uintptr_t)__builtin_return_address(0));
}

void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t* table, uint32_t elements,
                                    uint32_t max) {
  if (elements > TABLE_ENTRIES_MAX - used) {
    panic(STOP_ENGINE, "engine", "the function table is larger than expected");
  }
  (void)max;
  table->data = &entries[used];
  table->size = table->max_size = elements;
  used += elements;
}

void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t* table) { (void)table; }
