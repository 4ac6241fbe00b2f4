/*
 * machine.c: what JavaScript may ask of the machine: ports, memory, time, serial ports, the end.
 *
 * Arguments are not trusted: each function checks its own, and throws for what makes no sense.
 */
#include "engine.h"

/* Bytes taken from a serial port in one call, at most. */
#define TAKE_MAX 2048
/* Frames filled or verified in one call, at most: interrupts are off meanwhile. */
#define FRAMES_MAX 0x10000
#define FRAME_WORDS (FRAME_BYTES / 4)

static js_t js_word(uint32_t value) { return js_number(value); }

/* Beyond every address that a machine has. */
#define NOWHERE ((uint64_t)1 << 62)

/* An address or a frame's number, 0 to 2^46 - 1; NOWHERE for anything else. */
static uint64_t call_address(const struct call* call, uint32_t index) {
  double value = call_number(call, index);
  return value >= 0 && value < 70368744177664.0 ? (uint64_t)value : NOWHERE;
}

js_t machine_portRead(const struct call* call) {
  uint16_t port = (uint16_t)call_word(call, 0);
  switch (call_word(call, 1)) {
    case 1: return js_word(in8(port));
    case 2: return js_word(in16(port));
    case 4: return js_word(in32(port));
    default: return js_throw("portRead: width must be 1, 2 or 4");
  }
}

js_t machine_portWrite(const struct call* call) {
  uint16_t port = (uint16_t)call_word(call, 0);
  uint32_t value = call_word(call, 2);
  switch (call_word(call, 1)) {
    case 1: out8(port, (uint8_t)value); return 0;
    case 2: out16(port, (uint16_t)value); return 0;
    case 4: out32(port, value); return 0;
    default: return js_throw("portWrite: width must be 1, 2 or 4");
  }
}

/* Aligned, so that no access reaches into the next page, which may show other memory. */
static bool reachable(uint64_t address, uint32_t width) {
  return !(address & (width - 1)) && address < address_end();
}

js_t machine_memoryRead(const struct call* call) {
  uint64_t address = call_address(call, 0);
  if (!reachable(address, call_word(call, 1))) {
    return js_throw("memoryRead: no such address on this machine, or not aligned");
  }
  volatile void* at = physical(address);
  switch (call_word(call, 1)) {
    case 1: return js_word(*(volatile uint8_t*)at);
    case 2: return js_word(*(volatile uint16_t*)at);
    case 4: return js_word(*(volatile uint32_t*)at);
    default: return js_throw("memoryRead: width must be 1, 2 or 4");
  }
}

js_t machine_memoryWrite(const struct call* call) {
  uint64_t address = call_address(call, 0);
  uint32_t value = call_word(call, 2);
  if (!reachable(address, call_word(call, 1))) {
    return js_throw("memoryWrite: no such address on this machine, or not aligned");
  }
  volatile void* at = physical(address);
  switch (call_word(call, 1)) {
    case 1: *(volatile uint8_t*)at = (uint8_t)value; return 0;
    case 2: *(volatile uint16_t*)at = (uint16_t)value; return 0;
    case 4: *(volatile uint32_t*)at = value; return 0;
    default: return js_throw("memoryWrite: width must be 1, 2 or 4");
  }
}

js_t machine_memoryEnd(const struct call* call) {
  (void)call;
  return js_number((double)address_end());
}

js_t machine_now(const struct call* call) {
  (void)call;
  return js_number(clock_now());
}

js_t machine_listen(const struct call* call) {
  uint32_t line = call_word(call, 0);
  if (line >= LINES || line == INPUT_LINE) return js_throw("listen: an interrupt line is 0 to 30");
  line_listen(line);
  serial_listen(line);
  return 0;
}

js_t machine_connect(const struct call* call) {
  struct input input = {call_word(call, 0), TRIGGER_EDGE, call_word(call, 2) != 0};
  if (call_word(call, 1)) input.trigger = TRIGGER_LEVEL;
  return js_word(line_connect(INPUT_LINE, &input));
}

js_t machine_acpiRoot(const struct call* call) {
  (void)call;
  return js_number((double)acpi_root());
}

js_t machine_messageAddress(const struct call* call) {
  (void)call;
  return js_word(message_address());
}

js_t machine_waitForInterrupt(const struct call* call) {
  double until = call_number(call, 0);
  return js_word(wait_until(until, until));
}

static bool serial_port(const struct call* call, int* port) {
  *port = (int)call_word(call, 0);
  return *port == 1 || *port == 2;
}

js_t machine_serialPorts(const struct call* call) {
  (void)call;
  return js_word(serial_ports());
}

static void free_sent(int port) {
  for (const char* text; (text = serial_sent(port));) {
    QTS_FreeCString(snapshot_context, (js_t)(text - (const char*)window(0)));
  }
}

/* The engine keeps the text until it was sent. */
static bool send_text(int port, js_t text, bool droppable) {
  const char* bytes = window(text);
  free_sent(port);
  bool taken = serial_send(port, bytes, strlen(bytes), droppable);
  free_sent(port);
  if (!taken) QTS_FreeCString(snapshot_context, text);
  return taken;
}

static js_t text_of(const struct call* call, int* port) {
  if (!serial_port(call, port) || call->count < 2) return 0;
  js_t value = QTS_ArgvGetJSValueConstPointer(call->arguments, 1);
  return QTS_GetString(snapshot_context, value);
}

js_t machine_serialWrite(const struct call* call) {
  int port;
  js_t text = text_of(call, &port);
  if (!text) return js_throw("serialWrite: port 1 or 2, and a text");
  send_text(port, text, true);
  return 0;
}

js_t machine_serialSend(const struct call* call) {
  int port;
  js_t text = text_of(call, &port);
  if (!text) return js_throw("serialSend: port 1 or 2, and a text");
  if (send_text(port, text, false)) return 0;
  return js_throw("serialSend: there is no room, or no such port");
}

js_t machine_serialRoom(const struct call* call) {
  int port;
  if (!serial_port(call, &port)) return js_throw("serialRoom: port 1 or 2");
  free_sent(port);
  return js_word(serial_room(port));
}

js_t machine_serialRead(const struct call* call) {
  static char bytes[TAKE_MAX], text[2 * TAKE_MAX];
  int port;
  if (!serial_port(call, &port)) return js_throw("serialRead: port 1 or 2");
  size_t count = serial_take(port, bytes, TAKE_MAX), length = 0;
  for (size_t at = 0; at < count; at++) {
    /* One byte is one character, in UTF-8. A 0 would end the text, so it becomes a 1. */
    uint8_t byte = bytes[at] ? (uint8_t)bytes[at] : 1;
    if (byte >= 0x80) text[length++] = (char)(0xc0 | byte >> 6);
    text[length++] = (char)(byte >= 0x80 ? 0x80 | (byte & 0x3f) : byte);
  }
  return js_text(text, length);
}

js_t machine_commandLine(const struct call* call) {
  (void)call;
  return js_text(command_line, strlen(command_line));
}

js_t machine_commandLineBytes(const struct call* call) {
  (void)call;
  return js_word(command_line_bytes);
}

js_t machine_memoryMap(const struct call* call) {
  static const char* const kinds[] = {"available", "reserved", "kernel"};
  (void)call;
  js_t list = QTS_NewArray(engine_context);
  uint32_t entries = 0;
  for (uint32_t at = 0; at < region_count; at++) {
    js_t entry = QTS_NewObject(engine_context);
    js_set(entry, "base", js_number((double)regions[at].base));
    js_set(entry, "size", js_number((double)regions[at].bytes));
    js_set(entry, "kind", js_text(kinds[regions[at].kind], strlen(kinds[regions[at].kind])));
    js_t key = js_number(entries++);
    QTS_SetProp(engine_context, list, key, entry);
    QTS_FreeValuePointer(engine_context, key);
    QTS_FreeValuePointer(engine_context, entry);
  }
  return list;
}

js_t machine_footprint(const struct call* call) {
  (void)call;
  js_t result = QTS_NewObject(engine_context);
  uint64_t kernel = 0;
  for (uint32_t at = 0; at < region_count; at++) {
    if (regions[at].kind == REGION_KERNEL) kernel += regions[at].bytes;
  }
  js_set(result, "kernelBytes", js_number((double)kernel));
  extern char stack_bottom[];
  js_set(result, "stackFreeBytes",
         js_number((double)((uintptr_t)__builtin_frame_address(0) - (uintptr_t)stack_bottom)));
  js_set(result, "engineBytes", js_number(engine_bytes()));
  js_set(result, "engineFrames", js_number(engine_frames()));
  js_set(result, "poolFrames", js_number(pool_frames()));
  js_set(result, "poolFreeFrames", js_number(pool_frames_free()));
  return result;
}

js_t machine_growFromLedger(const struct call* call) {
  (void)call;
  frames_from_ledger();
  return 0;
}

js_t machine_exit(const struct call* call) { stop((uint8_t)call_word(call, 0)); }

/* ---- the user's program ---------------------------------------------------------------------- */

js_t machine_programSend(const struct call* call) {
  js_t text = call_text(call, 0);
  if (!text) return js_throw("programSend: a text");
  bool sent = message_put(TO_PROGRAM, window(text));
  QTS_FreeCString(engine_context, text);
  return sent ? 0 : js_throw("programSend: out of memory");
}

js_t machine_programReceive(const struct call* call) {
  (void)call;
  return message_take(TO_GUEST);
}

js_t machine_hasProgram(const struct call* call) {
  (void)call;
  return program_bytes ? QTS_GetTrue() : QTS_GetFalse();
}

js_t machine_programFreed(const struct call* call) {
  (void)call;
  return buffers_gave(true) ? QTS_GetTrue() : QTS_GetFalse();
}

struct program_told program_told;

js_t machine_programOffers(const struct call* call) {
  (void)call;
  return js_number(program_told.offers);
}

js_t machine_programCollect(const struct call* call) {
  (void)call;
  if (program_told.is_amid) engine_collect_soon(program_told.runtime);
  else if (program_told.context) engine_collect(program_told.runtime, program_told.context);
  heap_give_back();
  return 0;
}

/* ---- the workload's frames ------------------------------------------------------------------- */

/*
 * A frame's content is a xorshift sequence that starts from the frame's number and the seed, so
 * another frame's content, or zeros, never pass for it.
 */
static uint32_t pattern_start(uint64_t frame, uint32_t seed) {
  uint32_t state = (uint32_t)frame * 0x9e3779b1u ^ (uint32_t)(frame >> 32) * 0x85ebca6bu ^ seed;
  return state ? state : 0x6b43a9b5;
}
static inline uint32_t pattern_next(uint32_t state) {
  state ^= state << 13;
  state ^= state >> 17;
  return state ^ state << 5;
}

static bool frame_range(const struct call* call, uint64_t* first, uint32_t* count) {
  *first = call_address(call, 0);
  *count = call_word(call, 1);
  if (*first == NOWHERE || *count > FRAMES_MAX) return false;
  return *count == 0 || reachable((*first + *count - 1) * FRAME_BYTES, 1);
}

js_t machine_fillFrames(const struct call* call) {
  uint64_t first;
  uint32_t count, seed = call_word(call, 2);
  if (!frame_range(call, &first, &count)) return js_throw("fillFrames: frames out of range");
  for (uint64_t frame = first; frame < first + count; frame++) {
    uint32_t* words = (uint32_t*)physical(frame * FRAME_BYTES);
    uint32_t state = pattern_start(frame, seed);
    for (uint32_t at = 0; at < FRAME_WORDS; at++) words[at] = state = pattern_next(state);
  }
  return 0;
}

js_t machine_verifyFrames(const struct call* call) {
  uint64_t first;
  uint32_t count, seed = call_word(call, 2), wrong = 0;
  if (!frame_range(call, &first, &count)) return js_throw("verifyFrames: frames out of range");
  for (uint64_t frame = first; frame < first + count; frame++) {
    const uint32_t* words = (const uint32_t*)physical(frame * FRAME_BYTES);
    uint32_t state = pattern_start(frame, seed);
    for (uint32_t at = 0; at < FRAME_WORDS; at++) {
      state = pattern_next(state);
      uint32_t difference = words[at] ^ state;
      for (; difference; difference >>= 8) wrong += (difference & 0xff) != 0;
    }
  }
  return js_word(wrong);
}

/* ---- faults on purpose ----------------------------------------------------------------------- */

static __attribute__((noinline)) uint32_t descend(volatile uint8_t* above) {
  volatile uint8_t here[1024];
  here[0] = above ? above[0] : 0;
  return descend(here) + here[0];
}

js_t machine_provoke(const struct call* call) {
  switch (call_word(call, 0)) {
    case 0: __asm__ volatile("ud2"); break;
    case 1: *(volatile uint8_t*)physical(0) = 1; break;
    case 2: wasm_rt_trap(WASM_RT_TRAP_UNREACHABLE);
    case 3: return js_word(descend(NULL));
  }
  return js_throw("provoke: no such fault");
}
