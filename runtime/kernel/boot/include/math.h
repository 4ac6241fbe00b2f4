/*
 * math.h: the few functions of C's <math.h> that wasm2c's output names. Rounding is done in libc.c:
 * its instructions came with SSE4.1.
 */
#ifndef BOOT_MATH_H_
#define BOOT_MATH_H_

#define NAN __builtin_nanf("")
#define INFINITY __builtin_inff()
#define isnan(x) __builtin_isnan(x)
#define signbit(x) __builtin_signbit(x)
#define fabs(x) __builtin_fabs(x)
#define fabsf(x) __builtin_fabsf(x)
#define copysign(x, y) __builtin_copysign(x, y)
#define copysignf(x, y) __builtin_copysignf(x, y)

double floor(double);
double ceil(double);
double trunc(double);
double nearbyint(double);
double sqrt(double);
float floorf(float);
float ceilf(float);
float truncf(float);
float nearbyintf(float);
float sqrtf(float);

#endif
