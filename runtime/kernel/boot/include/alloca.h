/*
 * alloca.h: named by wasm2c's output, used only with tail calls.
 *
 * It must not need a C library. Invariant: memory lives until the calling function returns.
 */
#ifndef BOOT_ALLOCA_H_
#define BOOT_ALLOCA_H_
#define alloca(bytes) __builtin_alloca(bytes)
#endif
