/*
 * What a loader says, read by the boot code: start information of each protocol, the command line
 * and the memory map. Any bytes give a list of regions that is sorted and whole, or a panic.
 *
 *   input   a byte that chooses the protocol, then what lies at START
 */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../../../runtime/kernel/boot/kernel.h"

/* Below 2 GiB, where the sanitizer keeps nothing. Where nothing is mapped, a guest panics, too. */
#define START 0x20000000
#define START_BYTES 0x10000

static sigjmp_buf ended;

NORETURN void panic(enum stop_code code, const char* kind, const char* what) {
  (void)code, (void)kind, (void)what;
  siglongjmp(ended, 1);
}
NORETURN void stop(uint8_t code) {
  (void)code;
  siglongjmp(ended, 1);
}
void print(const char* text) { (void)text; }
void print_number(uint32_t number) { (void)number; }

static void page_fault(int signal) {
  (void)signal;
  siglongjmp(ended, 1);
}

static void check_regions(void) {
  uint64_t below = 0;
  if (region_count > REGIONS_MAX) abort();
  for (uint32_t at = 0; at < region_count; at++) {
    if (regions[at].base < below || !regions[at].bytes) abort();
    if ((regions[at].base | regions[at].bytes) % FRAME_BYTES) abort();
    below = regions[at].base + regions[at].bytes;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const uint32_t loaders[] = {LOADER_MULTIBOOT, LOADER_MULTIBOOT2, LOADER_LINUX,
                                     LOADER_PVH, 0};
  static uint8_t* memory;
  if (!memory) {
    memory = mmap((void*)START, START_BYTES, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (memory == MAP_FAILED) abort();
    signal(SIGSEGV, page_fault);
    signal(SIGBUS, page_fault);
  }
  if (size < 1 || size > START_BYTES) return 0;
  memset(memory, 0, START_BYTES);
  memcpy(memory, data + 1, size - 1);
  region_count = 0;
  loader_root_pointer = 0;
  if (!sigsetjmp(ended, 1)) {
    loader_read(loaders[data[0] % 5], START);
    region_need(START, START_BYTES);
    region_carve(START, START_BYTES);
  }
  check_regions();
  if (command_line[COMMAND_LINE_MAX]) abort();
  return 0;
}
