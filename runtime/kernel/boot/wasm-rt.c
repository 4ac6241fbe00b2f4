/*
 * wasm-rt.c: traps and function tables for the compiled modules. Tables are made once, at start.
 */
#include "include/wasm-rt.h"
#include "kernel.h"

/* The engine's table has about 500 entries; the core has none. */
#define TABLE_ENTRIES_MAX 1024

uintptr_t wasm_rt_stack_limit;
uint32_t wasm_rt_deep;
void (*wasm_rt_overflow)(void);

/* What is left of a stack when it overflows. */
#define LAST_BYTES 0x8000

uint32_t wasm_rt_deep_pointer(uintptr_t here, uint32_t pointer) {
  uintptr_t bottom = wasm_rt_stack_limit - STACK_REST_BYTES;
  bool is_over = here < bottom + LAST_BYTES || pointer + WASM_RT_BELOW_DEEP < wasm_rt_deep;
  if (is_over && wasm_rt_overflow) wasm_rt_overflow();
  return pointer > wasm_rt_deep ? wasm_rt_deep : pointer;
}

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

uint32_t wasm_rt_add_function(wasm_rt_funcref_table_t* table, wasm_rt_func_type_t type,
                              wasm_rt_function_ptr_t function, void* instance) {
  if (used >= TABLE_ENTRIES_MAX || table->data + table->size != &entries[used]) {
    panic(STOP_ENGINE, "engine", "no room in the function table");
  }
  entries[used++] = (wasm_rt_funcref_t){type, function, {NULL}, instance};
  table->max_size = table->size + 1;
  return table->size++;
}
