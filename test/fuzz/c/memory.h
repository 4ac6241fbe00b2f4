/* The linear memory of the core that is fuzzed: what WASM_RT_BASE names. */
#include <stdint.h>
extern uint8_t fuzz_memory[];
