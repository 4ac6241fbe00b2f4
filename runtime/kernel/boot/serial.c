/*
 * serial.c: two 16550 serial ports. What is sent waits here as whole texts, so a host that does not
 * read loses nothing of one; what arrives is kept until a line is whole.
 *
 * A port that does not answer never blocks for long: every wait for it is bounded.
 */
#include "kernel.h"

/*
 * A byte at 115200 baud takes 87 us. An emulated port takes it at once, until its host's buffer is
 * full: a host that is busy for a second must not cost a byte. After so many ticks of the counter,
 * 1 to 5 seconds, nobody reads: the port is stuck, and no byte waits for it until it moves again.
 */
#define STUCK_TICKS 5000000000
/* What the FIFOs hold, and how many bytes are there when the receiver's asks. */
#define FIFO_BYTES 16
#define TRIGGER_BYTES 14
#define PORTS 2
#define INPUT_BYTES 2048
/* Texts that wait; the last of these places are for those that must not be dropped. */
#define QUEUE_MAX 64
#define QUEUE_DROPPABLE_MAX 48
/* There is room for the next reply while less than this waits. */
#define READY_TEXTS 32
#define READY_BYTES 65536

enum { DATA = 0, INTERRUPT_ENABLE = 1, CAUSE = 2, FIFO = 2, LINE_CONTROL = 3, MODEM_CONTROL = 4,
       LINE_STATUS = 5, SCRATCH = 7 };
enum { ON_RECEIVED = 0x01, ON_CAN_SEND = 0x02 };
enum { CAUSE_FIFO = 0xc0, CAUSE_MASK = 0x0f, CAUSE_TRIGGER = 0x04 };
enum { LOOP = 0x10, WIRED = 0x0b /* DTR, RTS, and OUT2, which lets the interrupt through */ };
enum { STATUS_RECEIVED = 0x01, STATUS_CAN_SEND = 0x20, STATUS_SENT = 0x40 };

struct text {
  const char* bytes;
  size_t length;
};

static struct port {
  uint16_t base;
  uint8_t line, enabled;
  bool present, listening;
  /* How many bytes it takes at once; whether its receiver asks at TRIGGER_BYTES, not before. */
  uint32_t burst;
  bool triggers;
  /* Nobody reads; a text was given up in its middle. */
  bool stuck, cut;
  /* From `oldest` on there are texts that were sent and then those that wait, the first of which
   * has gone up to `at`. */
  struct text queue[QUEUE_MAX];
  uint32_t oldest, sent, waiting;
  size_t at, waiting_bytes;
  char input[INPUT_BYTES];
  uint32_t held, line_ends;
} ports[PORTS];
/* While texts are sent before the end: a fault in there must not come back to it. */
static bool flushing;

static struct port* port_of(int port) { return &ports[port - 1]; }

static bool status(const struct port* it, uint8_t bits) {
  return (in8(it->base + LINE_STATUS) & bits) == bits;
}

/*
 * What asks is the line's rise, and a line that one cause held when another came has not risen. So
 * a port that sends lets go of its line here, and raises it anew if there is a cause.
 */
static void enable(struct port* it, uint8_t causes) {
  bool sends = (it->enabled | causes) & ON_CAN_SEND;
  if (sends) out8(it->base + INTERRUPT_ENABLE, 0);
  if (sends || causes != it->enabled) out8(it->base + INTERRUPT_ENABLE, causes);
  it->enabled = causes;
}

static bool wait_for_status(struct port* it, uint8_t bits) {
  uint64_t start = counter();
  while (!status(it, bits)) {
    if (it->stuck || counter() - start > STUCK_TICKS) {
      it->stuck = true;
      return false;
    }
  }
  it->stuck = false;
  return true;
}

/* Lets the port talk to itself: emulated ones may ask at the first byte. */
static bool has_trigger(struct port* it) {
  out8(it->base + MODEM_CONTROL, LOOP);
  out8(it->base + INTERRUPT_ENABLE, ON_RECEIVED);
  bool early = false;
  for (uint32_t at = 0; at < TRIGGER_BYTES; at++) {
    early |= (in8(it->base + CAUSE) & CAUSE_MASK) == CAUSE_TRIGGER;
    out8(it->base + DATA, 0);
  }
  wait_for_status(it, STATUS_SENT);
  bool asks = (in8(it->base + CAUSE) & CAUSE_MASK) == CAUSE_TRIGGER;
  out8(it->base + INTERRUPT_ENABLE, 0);
  for (uint32_t at = 0; at < FIFO_BYTES && status(it, STATUS_RECEIVED); at++) in8(it->base + DATA);
  return asks && !early;
}

static void port_start(struct port* it, uint16_t base, uint8_t line) {
  it->base = base;
  it->line = line;
  out8(base + SCRATCH, 0x5a);
  it->present = in8(base + SCRATCH) == 0x5a;
  if (!it->present) return;
  out8(base + INTERRUPT_ENABLE, 0);
  out8(base + LINE_CONTROL, 0x80); /* divisor latch */
  out8(base + DATA, 1);            /* 115200 baud */
  out8(base + INTERRUPT_ENABLE, 0);
  out8(base + LINE_CONTROL, 0x03); /* 8 bits, no parity, 1 stop bit */
  out8(base + FIFO, 0xc7);      /* on, emptied, interrupt at 14 bytes or when no more come */
  bool has_fifo = (in8(base + CAUSE) & CAUSE_FIFO) == CAUSE_FIFO;
  it->burst = has_fifo ? FIFO_BYTES : 1;
  it->triggers = has_fifo && has_trigger(it);
  out8(base + FIFO, 0xc7);
  out8(base + MODEM_CONTROL, WIRED);
}

void serial_start(void) {
  port_start(&ports[0], 0x3f8, 4);
  port_start(&ports[1], 0x2f8, 3);
}

uint32_t serial_ports(void) { return ports[0].present | ports[1].present << 1; }
uint32_t serial_line(int port) { return port_of(port)->line; }

void serial_listen(uint32_t line) {
  for (int at = 0; at < PORTS; at++) {
    struct port* it = &ports[at];
    if (it->line != line || !it->present) continue;
    it->listening = true;
    enable(it, it->enabled | ON_RECEIVED);
  }
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Hands over what the port takes now. */
static bool pump(struct port* it) {
  bool moved = false;
  while (it->waiting && status(it, STATUS_CAN_SEND)) {
    const struct text* text = &it->queue[(it->oldest + it->sent) % QUEUE_MAX];
    size_t count = text->length - it->at;
    if (count > it->burst) count = it->burst;
    out8_all(it->base + DATA, text->bytes + it->at, count);
    it->at += count;
    it->waiting_bytes -= count;
    moved = true;
    if (it->at < text->length) continue;
    it->at = 0;
    it->sent++;
    it->waiting--;
  }
  if (moved) it->stuck = false;
  return moved;
}

/* Waits until at most so many texts wait. False: nobody reads. */
static bool wait_for_queue(struct port* it, uint32_t most) {
  uint64_t start = counter();
  while (it->waiting > most) {
    if (pump(it)) start = counter();
    else if (it->stuck || counter() - start > STUCK_TICKS) it->stuck = true;
    if (it->stuck) return false;
  }
  return true;
}

bool serial_send(int port, const char* bytes, size_t count, bool droppable) {
  struct port* it = port_of(port);
  if (!it->present || !count) return false;
  if (droppable && it->waiting >= QUEUE_DROPPABLE_MAX) {
    if (!wait_for_queue(it, QUEUE_DROPPABLE_MAX - 1)) return false;
  }
  if (it->sent + it->waiting == QUEUE_MAX) return false;
  it->queue[(it->oldest + it->sent + it->waiting) % QUEUE_MAX] = (struct text){bytes, count};
  it->waiting++;
  it->waiting_bytes += count;
  pump(it);
  return true;
}

const char* serial_sent(int port) {
  struct port* it = port_of(port);
  if (!it->sent) return NULL;
  const char* bytes = it->queue[it->oldest].bytes;
  it->oldest = (it->oldest + 1) % QUEUE_MAX;
  it->sent--;
  return bytes;
}

uint32_t serial_room(int port) {
  const struct port* it = port_of(port);
  if (it->waiting >= READY_TEXTS || it->waiting_bytes >= READY_BYTES) return 0;
  return READY_BYTES - (uint32_t)it->waiting_bytes;
}

/* Sends what waits before anything else; what nobody reads is given up. */
static void flush(struct port* it) {
  if (!it->waiting || flushing) return;
  flushing = true;
  if (!wait_for_queue(it, 0)) {
    it->cut = it->at > 0;
    it->sent += it->waiting;
    it->waiting = 0;
    it->at = it->waiting_bytes = 0;
  }
  flushing = false;
}

void serial_flush(void) {
  for (int at = 0; at < PORTS; at++) {
    struct port* it = &ports[at];
    if (!it->present) continue;
    flush(it);
    wait_for_status(it, STATUS_CAN_SEND | STATUS_SENT);
  }
}

void serial_put(int port, const char* bytes, size_t count) {
  struct port* it = port_of(port);
  if (!it->present) return;
  flush(it);
  if (it->cut && wait_for_status(it, STATUS_CAN_SEND)) {
    out8(it->base + DATA, '\n');
    it->cut = false;
  }
  for (size_t at = 0; at < count; at++) {
    if (!wait_for_status(it, STATUS_CAN_SEND)) return;
    out8(it->base + DATA, (uint8_t)bytes[at]);
  }
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* Takes over what has arrived, while there is room. */
static bool collect(struct port* it) {
  uint32_t before = it->held;
  bool burst = it->triggers && it->enabled & ON_RECEIVED;
  while (it->held + TRIGGER_BYTES <= INPUT_BYTES && status(it, STATUS_RECEIVED)) {
    uint32_t count = 1;
    if (burst) burst = (in8(it->base + CAUSE) & CAUSE_MASK) == CAUSE_TRIGGER;
    if (burst) count = TRIGGER_BYTES;
    in8_all(it->base + DATA, it->input + it->held, count);
    it->held += count;
  }
  for (uint32_t at = before; at < it->held; at++) {
    /* What a terminal sends for its return key. */
    if (it->input[at] == '\r') it->input[at] = '\n';
    it->line_ends += it->input[at] == '\n';
  }
  return it->held > before;
}

size_t serial_take(int port, char* bytes, size_t most) {
  struct port* it = port_of(port);
  if (!it->present) return 0;
  if (!it->line_ends) collect(it);
  size_t count = 0;
  while (count < most && count < it->held) {
    char byte = bytes[count] = it->input[count];
    count++;
    if (byte != '\n') continue;
    it->line_ends--;
    break;
  }
  it->held -= (uint32_t)count;
  memmove(it->input, it->input + count, it->held);
  return count;
}

bool serial_serve(int port) {
  struct port* it = port_of(port);
  if (!it->present) return false;
  bool moved = it->listening && collect(it);
  moved |= pump(it);
  /* What has no room stays with the host, without an interrupt. */
  bool has_room = it->held + TRIGGER_BYTES <= INPUT_BYTES;
  enable(it, (it->listening && has_room ? ON_RECEIVED : 0) | (it->waiting ? ON_CAN_SEND : 0));
  return moved;
}

bool serial_waits(int port) { return port_of(port)->waiting; }

bool serial_asks(int port) {
  const struct port* it = port_of(port);
  return (it->line_ends || it->held >= INPUT_BYTES / 2) && serial_room(port);
}

/* ---- the log --------------------------------------------------------------------------------- */

void print(const char* text) {
  serial_put(1, text, strlen(text));
}

void print_line(const char* label, const char* text) {
  print(label);
  print(text);
  print("\n");
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
