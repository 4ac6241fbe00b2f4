/*
 * libc.c: what compilers take for granted: memory, strings, rounding, 64-bit arithmetic. It uses
 * nothing beyond SSE2, which is all that the plainest x86 machine of an emulator has.
 */
#include "include/math.h"
#include "include/string.h"

#include <stdint.h>

void* memcpy(void* restrict to, const void* restrict from, size_t bytes) {
  void* start = to;
  size_t words = bytes / 4;
  bytes %= 4;
  __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
  return start;
}

void* memmove(void* to, const void* from, size_t bytes) {
  if ((uintptr_t)to - (uintptr_t)from >= bytes) return memcpy(to, from, bytes);
  char* to_end = (char*)to + bytes - 1;
  const char* from_end = (const char*)from + bytes - 1;
  __asm__ volatile("std; rep movsb; cld" : "+D"(to_end), "+S"(from_end), "+c"(bytes) : : "memory");
  return to;
}

void* memset(void* to, int byte, size_t bytes) {
  void* at = to;
  size_t words = bytes / 4;
  uint32_t word = (uint8_t)byte * 0x01010101u;
  bytes %= 4;
  __asm__ volatile("rep stosl" : "+D"(at), "+c"(words) : "a"(word) : "memory");
  __asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(word) : "memory");
  return to;
}

int memcmp(const void* left, const void* right, size_t bytes) {
  const uint8_t *a = left, *b = right;
  for (size_t at = 0; at < bytes; at++) {
    if (a[at] != b[at]) return a[at] - b[at];
  }
  return 0;
}

size_t strlen(const char* text) {
  size_t length = 0;
  while (text[length]) length++;
  return length;
}

int strcmp(const char* left, const char* right) {
  while (*left && *left == *right) left++, right++;
  return (uint8_t)*left - (uint8_t)*right;
}

/* Above 2^52 every double is whole; below, adding and taking away 2^52 rounds to even. */
#define WHOLE_FROM 4503599627370496.0
#define WHOLE_FROM_F 8388608.0f

double nearbyint(double x) {
  double size = fabs(x);
  if (!(size < WHOLE_FROM)) return x;
  volatile double sum = size + WHOLE_FROM;
  return copysign(sum - WHOLE_FROM, x);
}
double trunc(double x) {
  double size = fabs(x);
  if (!(size < WHOLE_FROM)) return x;
  double whole = nearbyint(size);
  return copysign(whole > size ? whole - 1 : whole, x);
}
double floor(double x) {
  double whole = trunc(x);
  return whole > x ? whole - 1 : whole;
}
double ceil(double x) {
  double whole = trunc(x);
  return copysign(whole < x ? whole + 1 : whole, x);
}
double sqrt(double x) {
  __asm__("sqrtsd %1, %0" : "=x"(x) : "x"(x));
  return x;
}
/* Every float is a double and its whole part a float: nothing is lost on the way. */
float nearbyintf(float x) { return (float)nearbyint(x); }
float truncf(float x) { return (float)trunc(x); }
float floorf(float x) { return (float)floor(x); }
float ceilf(float x) { return (float)ceil(x); }
float sqrtf(float x) {
  __asm__("sqrtss %1, %0" : "=x"(x) : "x"(x));
  return x;
}

int __popcountsi2(uint32_t x) {
  x -= x >> 1 & 0x55555555;
  x = (x & 0x33333333) + (x >> 2 & 0x33333333);
  return (int)(((x + (x >> 4)) & 0x0f0f0f0f) * 0x01010101u >> 24);
}
int __popcountdi2(uint64_t x) {
  return __popcountsi2((uint32_t)x) + __popcountsi2((uint32_t)(x >> 32));
}

#ifndef __x86_64__

int __ctzdi2(uint64_t x) {
  uint32_t low = (uint32_t)x;
  return low ? __builtin_ctz(low) : 32 + __builtin_ctz((uint32_t)(x >> 32));
}
int __clzdi2(uint64_t x) {
  uint32_t high = (uint32_t)(x >> 32);
  return high ? __builtin_clz(high) : 32 + __builtin_clz((uint32_t)x);
}
/* For compilers that call a function to shift. The count is 0 to 63. */
uint64_t __lshrdi3(uint64_t x, int count) {
  uint32_t high = (uint32_t)(x >> 32), low = (uint32_t)x;
  if (count >= 32) return high >> (count - 32);
  return count ? (uint64_t)(high >> count) << 32 | (low >> count | high << (32 - count)) : x;
}
uint64_t __ashldi3(uint64_t x, int count) {
  uint32_t high = (uint32_t)(x >> 32), low = (uint32_t)x;
  if (count >= 32) return (uint64_t)(low << (count - 32)) << 32;
  return count ? (uint64_t)(high << count | low >> (32 - count)) << 32 | (low << count) : x;
}

/* Divides a 64-bit number by a 32-bit one; the quotient must fit 32 bits. */
static inline uint32_t divide(uint32_t high, uint32_t low, uint32_t by, uint32_t* rest) {
  uint32_t quotient;
  __asm__("divl %4" : "=a"(quotient), "=d"(*rest) : "a"(low), "d"(high), "r"(by));
  return quotient;
}

uint64_t __udivmoddi4(uint64_t x, uint64_t by, uint64_t* rest) {
  uint32_t high = (uint32_t)(x >> 32), by_high = (uint32_t)(by >> 32), left;
  if (by_high == 0) {
    uint32_t quotient_high = high / (uint32_t)by;
    uint32_t quotient_low = divide(high % (uint32_t)by, (uint32_t)x, (uint32_t)by, &left);
    if (rest) *rest = left;
    return (uint64_t)quotient_high << 32 | quotient_low;
  }
  /* Scale until the divisor's top bit is set: the guess is then right or 1 too large. */
  int shift = __builtin_clz(by_high);
  uint32_t top = (uint32_t)(by << shift >> 32);
  uint32_t guess = divide(high >> 1, (uint32_t)(x >> 1), top, &left) >> (31 - shift);
  if (guess) guess--;
  uint64_t remainder = x - guess * by;
  if (remainder >= by) {
    remainder -= by;
    guess++;
  }
  if (rest) *rest = remainder;
  return guess;
}
uint64_t __udivdi3(uint64_t x, uint64_t by) { return __udivmoddi4(x, by, NULL); }
uint64_t __umoddi3(uint64_t x, uint64_t by) {
  uint64_t rest;
  __udivmoddi4(x, by, &rest);
  return rest;
}
static uint64_t size_of(int64_t x) { return x < 0 ? -(uint64_t)x : (uint64_t)x; }
int64_t __divdi3(int64_t x, int64_t by) {
  uint64_t quotient = __udivdi3(size_of(x), size_of(by));
  return (x < 0) != (by < 0) ? (int64_t)-quotient : (int64_t)quotient;
}
int64_t __moddi3(int64_t x, int64_t by) {
  uint64_t rest = __umoddi3(size_of(x), size_of(by));
  return x < 0 ? (int64_t)-rest : (int64_t)rest;
}
int64_t __divmoddi4(int64_t x, int64_t by, int64_t* rest) {
  int64_t quotient = __divdi3(x, by);
  *rest = x - quotient * by;
  return quotient;
}

#define TWO_TO_32 4294967296.0
uint64_t __fixunsdfdi(double x) {
  if (!(x > 0)) return 0;
  uint32_t high = (uint32_t)(x / TWO_TO_32);
  return (uint64_t)high << 32 | (uint32_t)(x - high * TWO_TO_32);
}
int64_t __fixdfdi(double x) {
  return x < 0 ? -(int64_t)__fixunsdfdi(-x) : (int64_t)__fixunsdfdi(x);
}
double __floatundidf(uint64_t x) { return (uint32_t)(x >> 32) * TWO_TO_32 + (uint32_t)x; }
double __floatdidf(int64_t x) { return (int32_t)(x >> 32) * TWO_TO_32 + (uint32_t)x; }

#endif
