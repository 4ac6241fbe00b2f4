/**
 * Rules of the balloon itself (virtio 1.3, 5.5) and what balloon devices in the field demand.
 *
 * It must not hold code: a table only. Invariant: ids that start with "D" are statements of the
 * specification, ids that start with "Q-" come from the field; none is used again for something
 * else.
 */

import type { Rule } from "../rule.ts";

export const BALLOON_RULES = [
  {
    id: "D1",
    level: "SHOULD",
    section: "5.5.3.1",
    title: "MUST_TELL_HOST is accepted when it is offered.",
    observed: "At FEATURES_OK the bit is offered and not accepted.",
  },
  {
    id: "D4",
    level: "SHOULD",
    section: "5.5.6.1",
    title: "The driver inflates while num_pages is above what it has given.",
    observed: "At a check, with nothing left to do, the host holds fewer pages than num_pages.",
  },
  {
    id: "D7",
    level: "MUST NOT",
    section: "5.5.6.1",
    title:
      "Without DEFLATE_ON_OOM the driver takes no pages back below num_pages. (The text says " +
      "'less than or equal' where it must mean 'more'; read as: not unless the host lowered it.)",
    observed:
      "A deflate leaves the host with fewer pages than both num_pages and the num_pages last read.",
  },
  {
    id: "D9",
    level: "MUST",
    section: "5.5.6.1",
    title: "Every page that is taken back goes through the deflate queue.",
    observed:
      "actual falls below what the host holds without a deflate, or, at a check, the guest has " +
      "written to a page that the host holds and was never told about.",
  },
  {
    id: "D10",
    level: "MUST NOT",
    section: "5.5.6.1",
    title: "With MUST_TELL_HOST a page is not used before its deflate was acknowledged.",
    observed: "A held page's contents changed before the acknowledgement.",
  },
  {
    id: "D12",
    level: "MUST NOT",
    section: "5.5.6.1",
    title: "A page is not used between adding it to the inflate queue and the acknowledgement.",
    observed: "The page's contents changed between the device's taking it and returning it.",
  },
  {
    id: "D13",
    level: "MUST NOT",
    section: "5.5.6.1",
    title: "A deflate is not asked for before the inflate was acknowledged.",
    observed: "A deflate names a page whose inflate is still in flight.",
  },
  {
    id: "D14",
    level: "MUST",
    section: "5.5.6.1",
    title: "actual is brought up to date after the number of pages changed.",
    observed: "At a check, the last actual written is not what the host holds.",
  },
  {
    id: "D17",
    level: "MUST",
    section: "5.5.6.2.1 and 4.1.3.1",
    title: "actual is written as one 32-bit access.",
    observed: "A write of another width reaches actual.",
  },
  {
    id: "D18",
    level: "MUST",
    section: "5.5.6.3.1",
    title: "At most one buffer is in the statistics queue.",
    observed: "A second buffer arrives while the device still has one.",
  },
  {
    id: "D19",
    level: "MUST",
    section: "5.5.6.3.1",
    title: "A statistics buffer is there after initialisation and again after each request.",
    observed: "At a check, the device has no statistics buffer.",
  },
  {
    id: "D20",
    level: "MUST",
    section: "5.5.6.3.1",
    title: "A statistics buffer is a whole number of 10-byte entries.",
    observed: "Its length is no multiple of 10 (the text's 6 predates the 10-byte entry).",
  },
  {
    id: "D20-INIT",
    level: "MUST",
    section: "5.5.6.3.1",
    title: "A statistics buffer is initialised, one entry for each statistic.",
    observed: "A statistics buffer is empty or has the same tag twice.",
  },
  {
    id: "D20-SAME",
    level: "MUST",
    section: "5.5.6.3.1",
    title: "All statistics buffers carry the same set of statistics.",
    observed: "The set of tags differs from the one before.",
  },
  {
    id: "Q-LENGTH-4",
    level: "FIELD",
    section: "5.5.6",
    title: "An inflate or deflate buffer is a whole number of 32-bit page numbers.",
    observed: "Its length is no multiple of 4; the device returns it unread.",
  },
  {
    id: "Q-EMPTY",
    level: "FIELD",
    section: "5.5.6",
    title: "An inflate or deflate buffer names at least one page.",
    observed: "Its length is 0.",
  },
  {
    id: "Q-BUFFER-CAP",
    level: "FIELD",
    section: "devices that drop or skip more",
    title: "A buffer names at most 256 pages.",
    observed: "More than 1024 bytes are readable.",
  },
  {
    id: "Q-ONE-DESCRIPTOR",
    level: "FIELD",
    section: "devices that read the head only",
    title: "A buffer is one direct descriptor.",
    observed: "A chain on any queue but that of reports has more than one, or is indirect.",
  },
  {
    id: "Q-WRITABLE",
    level: "FIELD",
    section: "5.5.6",
    title: "Inflate, deflate and statistics buffers are device-readable.",
    observed: "A chain holds a device-writable descriptor.",
  },
  {
    id: "Q-ORDER",
    level: "FIELD",
    section: "devices that merge ranges",
    title: "Page numbers ascend within a buffer.",
    observed: "A page number is not above the one before it.",
  },
  {
    id: "Q-PFN-RANGE",
    level: "FIELD",
    section: "5.5.6",
    title: "Page numbers lie inside the guest's memory.",
    observed: "A page number is not below the number of frames.",
  },
  {
    id: "Q-PFN-TWICE",
    level: "FIELD",
    section: "5.5.6",
    title: "A page is not named twice by requests in flight.",
    observed: "A page that is being inflated or deflated is named again by the same kind.",
  },
  {
    id: "Q-PFN-HELD",
    level: "FIELD",
    section: "5.5.6",
    title: "A page that the host has is not given again.",
    observed: "An inflate names a page that is held, or whose deflate is not acknowledged yet.",
  },
  {
    id: "Q-PFN-NOT-HELD",
    level: "FIELD",
    section: "5.5.6",
    title: "Only pages that the host has are taken back.",
    observed: "A deflate names a page that was not given since the last reset.",
  },
  {
    id: "Q-DEVICE-MEMORY",
    level: "FIELD",
    section: "5.5.6",
    title: "The memory of queues and of buffers in flight is not given away.",
    observed:
      "An inflate, hint or report names a page with a queue's areas or a buffer in flight on it.",
  },
  {
    id: "Q-ACTUAL-EARLY",
    level: "FIELD",
    section: "5.5.6 step 5",
    title: "actual counts acknowledged requests only.",
    observed: "actual is written with pages counted whose request was not acknowledged yet.",
  },
  {
    id: "Q-ACTUAL-BURST",
    level: "FIELD",
    section: "5.5.6.1",
    title: "actual is written once for each burst of acknowledgements.",
    observed: "actual is written again although nothing was acknowledged in between.",
  },
  {
    id: "Q-ACTUAL-INIT",
    level: "FIELD",
    section: "devices that keep actual over a reset",
    title: "actual is written once at the start, because devices may still show an old value.",
    observed: "At a check, the driver has not written actual since the reset.",
  },
  {
    id: "Q-READ-ONLY",
    level: "FIELD",
    section: "5.5.4",
    title: "The driver writes no configuration field of the device.",
    observed:
      "A write to num_pages or free_page_hint_cmd_id, or to poison_val without PAGE_POISON.",
  },
  {
    id: "Q-STATS-LATE",
    level: "FIELD",
    section: "hosts that wait one second",
    title: "A request for statistics is answered within a second.",
    observed: "The buffer comes back later than that on the machine's clock.",
  },
  {
    id: "Q-NOTIFY-STORM",
    level: "FIELD",
    section: "2.9",
    title: "Notifications come with buffers.",
    observed: "Many notifications in a row find nothing new in the queue.",
  },
  {
    id: "Q-BUSY-POLL",
    level: "FIELD",
    section: "a guest shares its processor",
    title: "The driver does not spin on a register.",
    observed: "One register is read over and over while nothing else happens.",
  },
  {
    id: "Q-ISR-UNREAD",
    level: "FIELD",
    section: "4.1.4.5",
    title: "An INTx interrupt is answered by reading the ISR status.",
    observed: "At a check, the interrupt is still asserted and somebody listens to it.",
  },
] as const satisfies readonly Rule[];
