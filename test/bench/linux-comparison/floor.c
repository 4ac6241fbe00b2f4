/*
 * floor.c: the host's own floor: just the calls that QEMU makes for a balloon's pages, and nothing
 * else. Run as `floor MEBIBYTES`; prints `NAME PAGES_PER_SECOND` for each kind of call, and
 * `NAMECpu SECONDS_PER_GIB`, the processor time that it took.
 *
 * Memory is as QEMU has it: anonymous, aligned to 2 MiB, with huge pages asked for. It must not know
 * a guest. Invariant: what is timed is the calls alone, on memory in the state that the name says.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE 4096ul
#define BLOCK (2ul << 20)
/* The largest range that the driver reports at once. */
#define RANGE (4ul << 20)

static char* memory;
static size_t bytes;

static double seconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void reserve(void) {
  memory = mmap(NULL, bytes + BLOCK, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    perror("floor: mmap");
    exit(1);
  }
  memory = (char*)(((uintptr_t)memory + BLOCK - 1) & ~(uintptr_t)(BLOCK - 1));
}

/* Fresh each time: page tables that earlier calls left behind would keep huge pages away. */
static void populate(int advice) {
  if (memory) munmap(memory, bytes);
  reserve();
  madvise(memory, bytes, advice);
  memset(memory, 1, bytes);
}

static void measure(const char* name, size_t step, int advice) {
  double start = seconds(CLOCK_MONOTONIC), cpu_start = seconds(CLOCK_PROCESS_CPUTIME_ID);
  for (size_t at = 0; at + step <= bytes; at += step) {
    if (madvise(memory + at, step, advice) != 0) {
      perror("floor: madvise");
      exit(1);
    }
  }
  double took = seconds(CLOCK_MONOTONIC) - start;
  double cpu_took = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
  printf("%s %.0f\n", name, (double)(bytes / PAGE) / took);
  printf("%sCpu %.6f\n", name, cpu_took * (1ul << 30) / (double)bytes);
}

int main(int count, char** arguments) {
  bytes = count == 2 ? strtoul(arguments[1], NULL, 10) << 20 : 0;
  if (bytes < RANGE) {
    fprintf(stderr, "usage: floor MEBIBYTES, at least %lu\n", RANGE >> 20);
    return 2;
  }
  populate(MADV_HUGEPAGE);
  measure("inflate", PAGE, MADV_DONTNEED);
  measure("again", PAGE, MADV_DONTNEED);
  measure("deflate", PAGE, MADV_WILLNEED);
  populate(MADV_NOHUGEPAGE);
  measure("inflateSmall", PAGE, MADV_DONTNEED);
  populate(MADV_HUGEPAGE);
  measure("blocks", BLOCK, MADV_DONTNEED);
  populate(MADV_HUGEPAGE);
  measure("ranges", RANGE, MADV_DONTNEED);
  return 0;
}
