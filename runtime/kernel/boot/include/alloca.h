/* alloca.h: wasm2c's output includes it; only tail calls would use it. */
#ifndef BOOT_ALLOCA_H_
#define BOOT_ALLOCA_H_
#define alloca(bytes) __builtin_alloca(bytes)
#endif
