/*
 * serial.c: two 16550 serial ports. The first is the log, the second the control channel.
 *
 * A port that does not answer never blocks: every wait for it is bounded.
 */
#include "kernel.h"

/*
 * A byte at 115200 baud takes 87 us. An emulated port takes it at once, until its host's buffer is
 * full: a host that is busy for a second must not cost a byte. After so many ticks of the counter,
 * 1 to 5 seconds, nobody reads: the port is stuck, and no byte waits for it until it moves again.
 */
#define STUCK_TICKS 5000000000

enum { DATA = 0, INTERRUPT_ENABLE = 1, FIFO = 2, LINE_CONTROL = 3, MODEM_CONTROL = 4,
       LINE_STATUS = 5, SCRATCH = 7 };
enum { STATUS_RECEIVED = 0x01, STATUS_CAN_SEND = 0x20 };

static const uint16_t bases[3] = {0, 0x3f8, 0x2f8};
static bool present[3];
static bool stuck[3];

static void port_start(int port) {
  uint16_t base = bases[port];
  out8(base + SCRATCH, 0x5a);
  present[port] = in8(base + SCRATCH) == 0x5a;
  if (!present[port]) return;
  out8(base + INTERRUPT_ENABLE, 0);
  out8(base + LINE_CONTROL, 0x80); /* divisor latch */
  out8(base + DATA, 1);            /* 115200 baud */
  out8(base + INTERRUPT_ENABLE, 0);
  out8(base + LINE_CONTROL, 0x03); /* 8 bits, no parity, 1 stop bit */
  out8(base + FIFO, 0xc7);      /* on, emptied, interrupt at 14 bytes or when no more come */
  out8(base + MODEM_CONTROL, 0x0b); /* DTR, RTS, and OUT2, which lets the interrupt through */
}

void serial_start(void) {
  port_start(1);
  port_start(2);
  if (present[2]) out8(bases[2] + INTERRUPT_ENABLE, 1);
}

void serial_put(int port, const char* bytes, size_t count) {
  if (!present[port]) return;
  uint16_t base = bases[port];
  for (size_t at = 0; at < count; at++) {
    uint64_t start = counter();
    while (!(in8(base + LINE_STATUS) & STATUS_CAN_SEND)) {
      if (stuck[port] || counter() - start > STUCK_TICKS) {
        stuck[port] = true;
        return;
      }
    }
    stuck[port] = false;
    out8(base + DATA, (uint8_t)bytes[at]);
  }
}

bool serial_waiting(int port) {
  return present[port] && (in8(bases[port] + LINE_STATUS) & STATUS_RECEIVED);
}

size_t serial_take(int port, uint8_t* bytes, size_t most) {
  size_t count = 0;
  while (count < most && serial_waiting(port)) bytes[count++] = in8(bases[port] + DATA);
  return count;
}

void print(const char* text) {
  serial_put(1, text, strlen(text));
}

void print_hex(uint64_t value) {
  char digits[18] = "0x";
  int count = 1;
  while (count < 16 && (value >> (4 * count))) count++;
  for (int at = 0; at < count; at++) {
    digits[2 + at] = "0123456789abcdef"[(value >> (4 * (count - 1 - at))) & 15];
  }
  serial_put(1, digits, 2 + (size_t)count);
}

void print_number(uint32_t value) {
  char digits[10];
  size_t at = sizeof(digits);
  do digits[--at] = (char)('0' + value % 10);
  while (value /= 10);
  serial_put(1, digits + at, sizeof(digits) - at);
}
