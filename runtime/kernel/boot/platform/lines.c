/*
 * lines.c: interrupt lines, whichever controller drives them: the local APIC and the I/O APICs, or
 * where they are missing the two 8259s.
 *
 * A level-triggered line that asked is masked until the next wait, and each interrupt ends a wait.
 * So neither a level that stays high nor a device that goes on sending makes a storm.
 */
#include "../kernel.h"

#define MESSAGE_BASE 0xfee00000
/* Messages name a processor by eight bits (Intel SDM 3, 11.11.1). */
#define MESSAGE_NUMBER_MAX 0xff

/* The 8259s drive the lines; else the I/O APICs do. */
static bool by_pic, pic_present;
static volatile uint32_t pending;
static uint32_t listened, level, masked;
/* The I/O APIC's input of each line. */
static uint32_t inputs[LINES];
static volatile bool rang;

void lines_start(void) {
  bool with_ioapic = apic_start() && ioapic_start();
  uint64_t madt = acpi_table("APIC");
  by_pic = !with_ioapic;
  /* Bit 0 of its flags: there are 8259s, which must be silenced (ACPI 6.5, 5.2.12). */
  if (by_pic || !madt || acpi_read(madt + 40, 4) & 1) pic_present = pic_start();
  if (apic_present()) apic_pass_pic(by_pic);
}

uint32_t message_address(void) {
  if (!apic_present() || apic_number() > MESSAGE_NUMBER_MAX) return 0;
  return MESSAGE_BASE | apic_number() << 12;
}

bool lines_reach(void) { return !by_pic || pic_present; }

bool line_connect(uint32_t line, const struct input* input) {
  if (by_pic || !ioapic_connect(input, FIRST_VECTOR + line)) return false;
  inputs[line] = input->number;
  if (input->trigger == TRIGGER_LEVEL) level |= 1u << line;
  listened |= 1u << line;
  return true;
}

void line_listen(uint32_t line) {
  if (line < PIC_LINES && !by_pic && !(listened >> line & 1)) {
    struct input input = ioapic_input(line);
    if (input.trigger == TRIGGER_TOLD_NOT && pic_level_lines() >> line & 1) {
      input.trigger = TRIGGER_LEVEL;
    }
    line_connect(line, &input);
  }
  listened |= 1u << line;
}

bool line_asked(uint32_t line) { return pending >> line & 1; }

bool line_listened(uint32_t line) { return listened >> line & 1; }

void line_raise(uint32_t line) { pending |= 1u << line; }

void lines_raise_all(void) { pending |= listened; }

void line_forget(uint32_t line) { pending &= ~(1u << line); }

void lines_open(uint16_t alarms) {
  if (by_pic) pic_unmask((uint16_t)listened | alarms);
  for (uint32_t line = 0; masked; line++) {
    if (masked >> line & 1) ioapic_mask(inputs[line], false);
    masked &= ~(1u << line);
  }
}

void lines_close(uint16_t alarms) {
  if (by_pic) pic_unmask(alarms);
}

uint32_t lines_take(void) {
  uint32_t came = pending & listened;
  pending &= ~came;
  return came;
}

bool lines_ask(void) { return pending & listened; }

bool lines_rang(void) {
  bool did = rang;
  rang = false;
  return did;
}

void line_interrupt(uint32_t vector) {
  uint32_t line = vector - FIRST_VECTOR;
  if (by_pic && line < PIC_LINES) {
    /* All of them until the next wait: a second 8259 that goes on asking is not heard anew. */
    pic_unmask(0);
    if (line == PIT_LINE) rang = true;
    pending |= 1u << line;
    return;
  }
  if (line < LINES && level >> line & 1) {
    ioapic_mask(inputs[line], true);
    masked |= 1u << line;
  }
  if (!apic_end(vector)) return;
  if (vector == ALARM_VECTOR) rang = true;
  if (line < LINES) pending |= 1u << line;
}
