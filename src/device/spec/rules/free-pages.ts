/**
 * Rules of free page hinting, page poison and free page reporting (virtio 1.3, 5.5.6.5 to 5.5.6.7).
 *
 * It must not hold code: a table only. Invariant: ids that start with "D" are statements of the
 * specification, those that start with "Q-" come from the field; none is used for something else.
 */

import type { Rule } from "../rule.ts";

export const FREE_PAGE_RULES = [
  {
    id: "D2",
    level: "SHOULD NOT",
    section: "5.5.3.1",
    title: "PAGE_POISON is accepted only by a driver that writes to deflated pages at once.",
    observed:
      "At a check, a page that was deflated is as the host left it, and the bit is accepted.",
  },
  {
    id: "D21-SIZE",
    level: "MUST",
    section: "5.5.6.5.1",
    title: "Output buffers on the free page queue have 4 bytes.",
    observed: "An output buffer of another length, in one piece or in several.",
  },
  {
    id: "D21-ID",
    level: "MUST",
    section: "5.5.6.5.1",
    title: "A block of hints starts with the current command id.",
    observed: "An output buffer holds neither STOP, nor the current id, nor the one last read.",
  },
  {
    id: "D21-START",
    level: "MUST",
    section: "5.5.6.5.1",
    title: "No page is hinted before the id of its block was sent.",
    observed: "Pages come without an id before them, after STOP, or under an older run's id.",
  },
  {
    id: "D21-ONCE",
    level: "MUST NOT",
    section: "5.5.6.5.1",
    title: "The current command id is sent once.",
    observed: "A second output buffer with the id of a run comes.",
  },
  {
    id: "D21-STOP",
    level: "MUST",
    section: "5.5.6.5.1",
    title: "A driver that has no more pages to hint says so with STOP.",
    observed: "At a check, the current run was begun and not ended.",
  },
  {
    id: "D22",
    level: "SHOULD",
    section: "5.5.6.5.1",
    title: "The driver hints when free_page_hint_cmd_id is 2 or more.",
    observed: "At a check, a run is on and no buffer with its id came.",
  },
  {
    id: "D22-STOP",
    level: "SHOULD",
    section: "5.5.6.5.1",
    title: "The driver stops hinting when free_page_hint_cmd_id is STOP or DONE.",
    observed: "Pages come although the last read of the field gave 0 or 1.",
  },
  {
    id: "D24",
    level: "MUST",
    section: "5.5.6.5.1",
    title: "A hinted page that is used again before DONE is initialised.",
    observed: "Before DONE, some of the host's garbage in a hinted page was overwritten, not all.",
  },
  {
    id: "D25",
    level: "MUST",
    section: "5.5.6.6.1",
    title: "With PAGE_POISON a deflated page is filled before it is used again.",
    observed: "At a check, some of the host's garbage in such a page was overwritten, not all.",
  },
  {
    id: "D25-SET",
    level: "MUST",
    section: "5.5.6.6.1",
    title: "With PAGE_POISON poison_val is written before DRIVER_OK.",
    observed: "DRIVER_OK is set and poison_val was not written since the reset.",
  },
  {
    id: "D25-KEEP",
    level: "MUST NOT",
    section: "5.5.6.6.1",
    title: "poison_val is not changed while DRIVER_OK is set.",
    observed: "A write to poison_val after DRIVER_OK.",
  },
  {
    id: "D26",
    level: "MUST",
    section: "5.5.6.7.1",
    title: "With PAGE_POISON free pages are filled with poison_val before they are reported.",
    observed: "A page of a report holds something else when the device looks at it.",
  },
  {
    id: "D27",
    level: "MUST NOT",
    section: "5.5.6.7.1",
    title: "A reported page is not used before the report was acknowledged.",
    observed: "Its contents change, or it is inflated or hinted, while the report is in flight.",
  },
  {
    id: "D28",
    level: "SHOULD",
    section: "5.5.6.7.1",
    title: "Large ranges are reported rather than small ones.",
    observed: "A report holds two ranges of less than 2 MiB that are one range together.",
  },
  {
    id: "Q-RANGE-ALIGN",
    level: "FIELD",
    section: "5.5.6",
    title: "Hinted and reported ranges are whole pages, at least one.",
    observed: "Address or length of a range is no multiple of 4096, or the length is 0.",
  },
  {
    id: "Q-RANGE-MEMORY",
    level: "FIELD",
    section: "5.5.6",
    title: "Hinted and reported ranges lie inside the guest's memory.",
    observed: "A range reaches beyond the number of frames.",
  },
  {
    id: "Q-RANGE-HELD",
    level: "FIELD",
    section: "5.5.6",
    title: "Only pages that the guest has are hinted or reported.",
    observed: "A range holds a page that is in the balloon or on its way in or out.",
  },
  {
    id: "Q-RANGE-TWICE",
    level: "FIELD",
    section: "5.5.6.7",
    title: "A page is not reported twice at a time.",
    observed: "A range holds a page of a report that is still in flight.",
  },
  {
    id: "Q-REPORT-WRITABLE",
    level: "FIELD",
    section: "devices that take writable ranges only",
    title: "The ranges of a report are device-writable.",
    observed: "A report has device-readable bytes; they are not looked at.",
  },
] as const satisfies readonly Rule[];
