/*
 * The boot code's list of memory regions as a program: it reads maps from standard input, and prints
 * what becomes of each.
 *
 *   in    for each map: how many entries, then `base bytes kind` of each
 *   out   a line for each map: `base bytes kind,` of each region, or `panic`
 */
#include "../../../runtime/kernel/boot/kernel.h"

int printf(const char* format, ...);
int scanf(const char* format, ...);
void exit(int status);

NORETURN void panic(enum stop_code code, const char* kind, const char* what) {
  (void)code;
  printf("panic %s %s\n", kind, what);
  exit(0);
}
NORETURN void stop(uint8_t code) { exit(code); }
void print(const char* text) { printf("%s", text); }
void print_number(uint32_t number) { printf("%u", number); }

int main(void) {
  unsigned long long base, bytes;
  uint32_t entries, kind;
  printf("%llu\n", (unsigned long long)address_end());
  while (scanf("%u", &entries) == 1) {
    region_count = 0;
    for (; entries; entries--) {
      if (scanf("%llu %llu %u", &base, &bytes, &kind) != 3) return 1;
      region_add(base, bytes, (enum region_kind)kind);
    }
    for (uint32_t at = 0; at < region_count; at++) {
      printf("%llu %llu %u,", (unsigned long long)regions[at].base,
             (unsigned long long)regions[at].bytes, (uint32_t)regions[at].kind);
    }
    printf(" %llu\n", (unsigned long long)memory_end_below((uint64_t)1 << 32));
  }
  return 0;
}
