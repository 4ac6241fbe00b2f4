/*
 * pic.c: the two 8259 interrupt controllers of the old PC, and the register that says which of
 * their lines are level-triggered.
 */
#include "../kernel.h"

enum { PIC1 = 0x20, PIC1_MASK = 0x21, PIC2 = 0xa0, PIC2_MASK = 0xa1, LEVELS = 0x4d0 };
/* Lines of the board itself, which are edge-triggered always. */
#define EDGE_LINES 0x2107
#define CASCADE_LINE 2

static void mask(uint16_t lines) {
  out8(PIC1_MASK, (uint8_t)lines);
  out8(PIC2_MASK, (uint8_t)(lines >> 8));
}

bool pic_start(void) {
  out8(PIC1, 0x11); /* initialise, edge, cascade, 4 words */
  out8(PIC2, 0x11);
  out8(PIC1_MASK, FIRST_VECTOR);
  out8(PIC2_MASK, FIRST_VECTOR + 8);
  out8(PIC1_MASK, 1 << CASCADE_LINE);
  out8(PIC2_MASK, CASCADE_LINE);
  /*
   * 8086 mode, and nothing is ever in service: all lines are masked after one has asked. v86
   * forgets an interrupt of the second controller whose device was served meanwhile, and the first
   * one would wait for its end, deaf to the lines behind.
   */
  out8(PIC1_MASK, 0x03);
  out8(PIC2_MASK, 0x03);
  mask(0xa5ff);
  bool present = in8(PIC1_MASK) == 0xff && in8(PIC2_MASK) == 0xa5;
  mask(0xffff);
  return present;
}

uint16_t pic_level_lines(void) {
  uint16_t lines = (uint16_t)(in8(LEVELS) | in8(LEVELS + 1) << 8);
  return lines & EDGE_LINES ? 0 : lines;
}

void pic_unmask(uint16_t lines) {
  if (lines & 0xff00) lines |= 1 << CASCADE_LINE;
  mask((uint16_t)~lines);
}
