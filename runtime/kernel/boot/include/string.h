/* string.h: the functions of C's <string.h> that compilers and wasm2c's output call. */
#ifndef BOOT_STRING_H_
#define BOOT_STRING_H_

#include <stddef.h>

void* memcpy(void* restrict to, const void* restrict from, size_t bytes);
void* memmove(void* to, const void* from, size_t bytes);
void* memset(void* to, int byte, size_t bytes);
int memcmp(const void* left, const void* right, size_t bytes);
size_t strlen(const char* text);
int strcmp(const char* left, const char* right);

#endif
