/*
 * date.c: the date, by the real-time clock of the old PC, which is read once and taken for UTC.
 */
#include "../kernel.h"

enum { RTC_INDEX = 0x70, RTC_DATA = 0x71 };
enum { RTC_SECOND = 0, RTC_MINUTE = 2, RTC_HOUR = 4, RTC_DAY = 7, RTC_MONTH = 8, RTC_YEAR = 9,
       RTC_STATE_A = 10, RTC_STATE_B = 11, RTC_STATE_C = 12 };
enum { RTC_UPDATING = 0x80, RTC_BINARY = 0x04, RTC_24_HOURS = 0x02, RTC_ON_SECOND = 0x10,
       RTC_PM = 0x80 };
/* An update takes 2 ms at most. */
#define RTC_UPDATE_MS 3.0
/* A port that nobody answers reads as ones. */
#define RTC_NOBODY 0xff
#define DAY_MS 86400000.0

static bool wall_read;
/* The date at boot; 0: not known. */
static double wall_boot;

static uint8_t rtc(uint8_t which) {
  out8(RTC_INDEX, which);
  return in8(RTC_DATA);
}

bool date_ring(void) {
  if (rtc(RTC_STATE_A) == RTC_NOBODY) return false;
  uint8_t state = rtc(RTC_STATE_B);
  if (!(state & RTC_ON_SECOND)) {
    out8(RTC_INDEX, RTC_STATE_B);
    out8(RTC_DATA, state | RTC_ON_SECOND);
  }
  rtc(RTC_STATE_C); /* what has rung rings again after this */
  return true;
}

/* Days from 1970 to the first of a month, of the years 2000 to 2099: each fourth is a leap year. */
static uint32_t days_before(uint32_t year, uint32_t month) {
  static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  uint32_t days = 10957 + 365 * year + (year + 3) / 4 + before[month - 1];
  return days + (month > 2 && year % 4 == 0);
}

/* Reads the fields, seconds to year. False: they do not make a date. */
static bool rtc_fields(uint8_t* fields) {
  static const uint8_t which[] = {RTC_SECOND, RTC_MINUTE, RTC_HOUR, RTC_DAY, RTC_MONTH, RTC_YEAR};
  static const uint8_t most[] = {59, 59, 23, 31, 12, 99};
  double end = clock_now() + RTC_UPDATE_MS;
  while (rtc(RTC_STATE_A) & RTC_UPDATING) {
    if (clock_now() > end) return false;
  }
  uint8_t state = rtc(RTC_STATE_B);
  for (uint32_t at = 0; at < sizeof(which); at++) {
    uint8_t value = rtc(which[at]), pm = 0;
    if (which[at] == RTC_HOUR && !(state & RTC_24_HOURS)) {
      pm = value & RTC_PM ? 12 : 0;
      value &= (uint8_t)~RTC_PM;
    }
    if (!(state & RTC_BINARY)) value = (uint8_t)((value >> 4) * 10 + (value & 15));
    if (which[at] == RTC_HOUR && !(state & RTC_24_HOURS)) value = (uint8_t)(value % 12 + pm);
    if (value > most[at]) return false;
    fields[at] = value;
  }
  return fields[3] && fields[4];
}

static void wall_start(void) {
  wall_read = true;
  if (rtc(RTC_STATE_A) == RTC_NOBODY) return;
  uint8_t first[6], again[6];
  /* Two equal readings: no update came in between. */
  for (uint32_t tries = 0; tries < 3; tries++) {
    if (!rtc_fields(first) || !rtc_fields(again) || memcmp(first, again, sizeof(first))) continue;
    double days = days_before(first[5], first[4]) + first[3] - 1;
    double seconds = first[0] + 60.0 * (first[1] + 60.0 * first[2]);
    wall_boot = days * DAY_MS + seconds * 1000 - clock_now();
    return;
  }
}

bool wall_known(void) {
  if (!wall_read) wall_start();
  return wall_boot != 0;
}

double wall_now(void) {
  if (!wall_read) wall_start();
  return wall_boot + clock_now();
}
