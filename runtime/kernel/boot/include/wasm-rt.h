/*
 * wasm-rt.h: what the C that wasm2c writes asks of its host, for a machine without an OS.
 *
 * The compiler's command line tells the engine and the core apart: WASM_RT_BASE, WASM_RT_MASK,
 * WASM_RT_CHECKED. The base of a linear memory is a constant, so that an access is one instruction.
 */
#ifndef WASM_RT_H_
#define WASM_RT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define WASM_RT_NO_RETURN __attribute__((noreturn, cold))
#define WASM_RT_WEAK __attribute__((weak))

/* In a window no access needs a check of its own: what lies outside is not mapped. */
#ifdef WASM_RT_CHECKED
#define WASM_RT_MEMCHECK_GUARD_PAGES 0
#else
#define WASM_RT_MEMCHECK_GUARD_PAGES 1
#endif
/* Where copies and fills must end. The engine's buffers lie beyond its own memory: buffers.c. */
#define WASM_RT_ENGINE_END 0x80000000u
#ifdef WASM_RT_CHECKED
#define WASM_RT_MEM_END(mem) ((mem)->size)
#else
#define WASM_RT_MEM_END(mem) WASM_RT_ENGINE_END
#endif
#define WASM_RT_USE_SEGUE 0
#define WASM_RT_SEGUE_FREE_SEGMENT 0
#define WASM_RT_STACK_DEPTH_COUNT 0
#define WASM_RT_SANITY_CHECKS 0
#define WABT_BIG_ENDIAN 0

/*
 * The address of a byte of linear memory. The builder puts this in place of wasm2c's own
 * MEM_ADDR, which would load the base from memory on every access.
 */
#ifdef WASM_RT_MASK
#define WASM_RT_MEM_ADDR(address) \
  ((uint8_t*)((uintptr_t)(WASM_RT_BASE) + ((uint32_t)(address) & (uint32_t)(WASM_RT_MASK))))
#else
#define WASM_RT_MEM_ADDR(address) \
  ((uint8_t*)((uintptr_t)(WASM_RT_BASE) + (uintptr_t)(address)))
#endif

typedef enum {
  WASM_RT_TRAP_NONE,
  WASM_RT_TRAP_OOB,
  WASM_RT_TRAP_INT_OVERFLOW,
  WASM_RT_TRAP_DIV_BY_ZERO,
  WASM_RT_TRAP_INVALID_CONVERSION,
  WASM_RT_TRAP_UNREACHABLE,
  WASM_RT_TRAP_CALL_INDIRECT,
  WASM_RT_TRAP_UNCAUGHT_EXCEPTION,
  WASM_RT_TRAP_UNALIGNED,
  WASM_RT_TRAP_NULL_REF,
  WASM_RT_TRAP_EXHAUSTION,
} wasm_rt_trap_t;

typedef enum {
  WASM_RT_I32,
  WASM_RT_I64,
  WASM_RT_F32,
  WASM_RT_F64,
  WASM_RT_V128,
  WASM_RT_FUNCREF,
  WASM_RT_EXTERNREF,
  WASM_RT_EXNREF,
} wasm_rt_type_t;

/* A signature is a 32-byte digest; two are the same when the digests are. */
typedef const char* wasm_rt_func_type_t;
typedef void (*wasm_rt_function_ptr_t)(void);
typedef struct wasm_rt_tailcallee_t {
  void (*fn)(void** instance_ptr, void* tail_call_stack, struct wasm_rt_tailcallee_t* next);
} wasm_rt_tailcallee_t;

typedef struct {
  wasm_rt_func_type_t func_type;
  wasm_rt_function_ptr_t func;
  wasm_rt_tailcallee_t func_tailcallee;
  void* module_instance;
} wasm_rt_funcref_t;
#define wasm_rt_funcref_null_value ((wasm_rt_funcref_t){NULL, NULL, {NULL}, NULL})

typedef void* wasm_rt_externref_t;
#define wasm_rt_externref_null_value ((wasm_rt_externref_t){NULL})

typedef struct {
  uint8_t* data;
  uint64_t pages;
  uint64_t max_pages;
  uint32_t page_size;
  uint64_t size;
  bool is64;
} wasm_rt_memory_t;

typedef struct {
  wasm_rt_funcref_t* data;
  uint32_t max_size;
  uint32_t size;
} wasm_rt_funcref_table_t;

typedef struct {
  wasm_rt_externref_t* data;
  uint32_t max_size;
  uint32_t size;
} wasm_rt_externref_table_t;

/* Panics with the trap's name and the caller's address. */
WASM_RT_NO_RETURN void wasm_rt_trap(wasm_rt_trap_t trap);
void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t*, uint32_t elements, uint32_t max);
void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t*);
/* Adds a function to a table that still is the last one; returns its index. */
uint32_t wasm_rt_add_function(wasm_rt_funcref_table_t* table, wasm_rt_func_type_t type,
                              wasm_rt_function_ptr_t function, void* instance);
static inline bool wasm_rt_is_initialized(void) { return true; }

#define wasm_rt_memcpy __builtin_memcpy

/*
 * The engine looks at its stack pointer in linear memory to see how deep it is, but the compiled
 * code uses the processor's stack as well, and some functions that one alone. So a function that
 * starts below `wasm_rt_stack_limit` sees a pointer in linear memory that is too deep for the
 * engine, which throws a RangeError. Where functions of the engine's go on all the same, almost to
 * the end of either stack, `wasm_rt_overflow` is called, which does not return. A function that
 * calls itself before it writes to its frame would touch no guard page, however many there are.
 */
extern uintptr_t wasm_rt_stack_limit;
extern uint32_t wasm_rt_deep;
extern void (*wasm_rt_overflow)(void);
/* So far below `wasm_rt_deep` a function may begin: the stack ends 8 KiB further down. */
#define WASM_RT_BELOW_DEEP 0xd000u
uint32_t wasm_rt_deep_pointer(uintptr_t here, uint32_t pointer);
static inline uint32_t wasm_rt_stack_pointer(uint32_t pointer) {
  uintptr_t here;
#ifdef __x86_64__
  __asm__ volatile("movq %%rsp, %0" : "=r"(here));
#else
  __asm__ volatile("movl %%esp, %0" : "=r"(here));
#endif
  bool is_deep = here < wasm_rt_stack_limit || pointer + WASM_RT_BELOW_DEEP < wasm_rt_deep;
  return UNLIKELY(is_deep) ? wasm_rt_deep_pointer(here, pointer) : pointer;
}

#endif
