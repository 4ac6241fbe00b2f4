/*
 * A balloon driver in 60 lines, as a module for `ballonet judge --wasm driver.wasm --transport mmio`:
 *   clang --target=wasm32 -O2 -nostdlib -Wl,--no-entry -o driver.wasm driver.c
 */
#define HAL(name) __attribute__((import_module("hal"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))
typedef unsigned u32;
typedef unsigned short u16;

HAL(mmio_read) u32 mmio_read(u32 address, u32 width);
HAL(mmio_write) void mmio_write(u32 address, u32 width, u32 value);

enum { SLOT = 0xfeb00e00, SIZE = 8, PAGES = 4096, BURST = 256 };
enum { MAGIC = 0, VERSION = 4, DEVICE = 8, FEATURES = 0x10, FEATURES_SEL = 0x14, ACCEPT = 0x20,
       ACCEPT_SEL = 0x24, QUEUE_SEL = 0x30, QUEUE_NUM = 0x38, QUEUE_READY = 0x44, NOTIFY = 0x50,
       INTERRUPT_STATUS = 0x60, INTERRUPT_ACK = 0x64, STATUS = 0x70, DESC = 0x80, AVAIL = 0x90,
       USED = 0xa0, NUM_PAGES = 0x100, ACTUAL = 0x104 };

struct desc { u32 address, address_high, length; u16 flags, next; };
static struct __attribute__((aligned(16))) queue {
  struct desc desc[SIZE];
  struct { u16 flags, idx, ring[SIZE]; } avail;
  struct { u16 flags, idx; struct { u32 id, length; } ring[SIZE]; } used __attribute__((aligned(4)));
} queues[2]; /* 0 inflates, 1 deflates */
static unsigned char pages[PAGES][4096] __attribute__((aligned(4096)));
static u32 pfns[BURST], held, asked; /* pages: with the host, and asked of it so far */

static u32 get(u32 at) { return mmio_read(SLOT + at, 4); }
static void set(u32 at, u32 value) { mmio_write(SLOT + at, 4, value); }

static void place(u32 at, void *area) { set(at, (u32)area); set(at + 4, 0); }

EXPORT(start) void start(void) {
  if (get(MAGIC) != 0x74726976 || get(VERSION) != 2 || get(DEVICE) != 5) return;
  set(STATUS, 0);
  while (get(STATUS) != 0) {}
  set(STATUS, 1); set(STATUS, 3);
  set(FEATURES_SEL, 0); u32 tell = get(FEATURES) & 1; /* MUST_TELL_HOST */
  set(FEATURES_SEL, 1); u32 version = get(FEATURES) & 1; /* VERSION_1 */
  set(ACCEPT_SEL, 0); set(ACCEPT, tell);
  set(ACCEPT_SEL, 1); set(ACCEPT, version);
  set(STATUS, 11);
  if (!(get(STATUS) & 8)) { set(STATUS, 139); return; }
  for (u32 i = 0; i < 2; i++) {
    struct queue *queue = &queues[i];
    set(QUEUE_SEL, i); set(QUEUE_NUM, SIZE);
    place(DESC, queue->desc); place(AVAIL, &queue->avail); place(USED, &queue->used);
    set(QUEUE_READY, 1);
  }
  set(STATUS, 15);
  set(ACTUAL, 0);
}

static void send(struct queue *queue, u32 count) {
  queue->desc[0] = (struct desc){ (u32)pfns, 0, count * 4, 0, 0 };
  queue->avail.ring[queue->avail.idx % SIZE] = 0;
  __sync_synchronize();
  queue->avail.idx++;
  __sync_synchronize();
  set(NOTIFY, queue - queues);
}

static int busy(struct queue *queue) {
  return *(volatile u16 *)&queue->used.idx != queue->avail.idx;
}

EXPORT(interrupt) void interrupt(u32 messages) { set(INTERRUPT_ACK, get(INTERRUPT_STATUS)); }

/* Called at the start, after each interrupt, and when the time that it returned has passed. */
EXPORT(step) double step(void) {
  if (busy(&queues[0]) || busy(&queues[1])) return -1;
  if (held != asked) set(ACTUAL, held = asked);
  u32 wanted = get(NUM_PAGES), target = wanted < PAGES ? wanted : PAGES;
  if (target == held) return -1;
  int inflate = target > held;
  u32 count = inflate ? target - held : held - target;
  if (count > BURST) count = BURST;
  u32 first = inflate ? held : held - count;
  for (u32 i = 0; i < count; i++) pfns[i] = (u32)pages[first + i] >> 12;
  asked = inflate ? held + count : held - count;
  send(&queues[!inflate], count);
  return 0;
}
