/**
 * Rules of the split virtqueue (virtio 1.3, 2.7).
 *
 * It must not hold code: a table only. Invariant: ids start with "R-" and are never used again for
 * something else.
 */

import type { Rule } from "./rule.ts";

export const RING_RULES = [
  {
    id: "R-ALIGN",
    level: "MUST",
    section: "2.7.1 and 2.8.11",
    title: "The three areas are aligned to 16, 2 and 4 bytes, of a packed queue to 16, 4 and 4.",
    observed: "An address at queue_enable is not a multiple of what its part needs.",
  },
  {
    id: "R-MEMORY",
    level: "FIELD",
    section: "2.7",
    title: "Every part of a queue lies in guest memory.",
    observed: "A part reaches beyond the end of memory at queue_enable.",
  },
  {
    id: "R-USED-ZERO",
    level: "MUST",
    section: "2.7.10.1",
    title: "The device area is zeroed before the queue is enabled.",
    observed: "flags or idx of the used ring is not 0 at queue_enable.",
  },
  {
    id: "R-USED-WRITTEN",
    level: "MUST NOT",
    section: "2.7.8",
    title: "Only the device writes the device area.",
    observed: "flags, idx or avail_event is not what the device last wrote there.",
  },
  {
    id: "R-AVAIL-BACK",
    level: "MUST NOT",
    section: "2.7.6.1",
    title: "The available idx never goes back.",
    observed: "idx lies behind what the device has already taken.",
  },
  {
    id: "R-AVAIL-JUMP",
    level: "MUST NOT",
    section: "2.7.13",
    title: "No more buffers are available than the queue has entries.",
    observed: "idx is ahead of what was taken by more than queue size less buffers in flight.",
  },
  {
    id: "R-AVAIL-FLAGS",
    level: "MUST",
    section: "2.7.7.1",
    title: "flags of the available ring is 0 or 1, and 0 when EVENT_IDX was negotiated.",
    observed: "Another value is found when the device looks at the ring.",
  },
  {
    id: "R-HEAD-RANGE",
    level: "MUST",
    section: "2.7.6",
    title: "An available entry names a descriptor of the table.",
    observed: "A head index is not below the queue size.",
  },
  {
    id: "R-HEAD-BUSY",
    level: "MUST NOT",
    section: "3.3.1",
    title: "A descriptor of a buffer in flight is not used for another buffer.",
    observed: "A new chain contains a descriptor of a chain that was not returned yet.",
  },
  {
    id: "R-NEXT-RANGE",
    level: "MUST",
    section: "2.7.5",
    title: "next names a descriptor of the same table.",
    observed: "next is not below the size of the table.",
  },
  {
    id: "R-CHAIN-LENGTH",
    level: "MUST NOT",
    section: "2.7.5.2 and 2.7.5.3.1",
    title: "A chain has no loop and no more descriptors than the queue has entries.",
    observed: "The walk takes more steps than the queue size.",
  },
  {
    id: "R-CHAIN-BYTES",
    level: "MUST NOT",
    section: "2.7.5.2",
    title: "A chain describes at most 2^32 bytes.",
    observed: "The lengths in a chain add up to more.",
  },
  {
    id: "R-WRITE-ORDER",
    level: "MUST",
    section: "2.7.4.2",
    title: "Device-writable descriptors stand after all device-readable ones.",
    observed: "A readable descriptor follows a writable one in a chain.",
  },
  {
    id: "R-DESC-FLAGS",
    level: "FIELD",
    section: "2.7.5",
    title: "Descriptor flags that nobody has described are 0.",
    observed: "A flag other than NEXT, WRITE and INDIRECT is set.",
  },
  {
    id: "R-INDIRECT",
    level: "MUST NOT",
    section: "2.7.5.3.1",
    title: "INDIRECT is used only when it was negotiated.",
    observed: "A descriptor carries the flag without the feature.",
  },
  {
    id: "R-INDIRECT-NESTED",
    level: "MUST NOT",
    section: "2.7.5.3.1",
    title: "An indirect table holds no indirect descriptor.",
    observed: "The flag is found inside an indirect table.",
  },
  {
    id: "R-INDIRECT-NEXT",
    level: "MUST NOT",
    section: "2.7.5.3.1",
    title: "INDIRECT and NEXT are not set in one descriptor.",
    observed: "Both flags are found together.",
  },
  {
    id: "R-INDIRECT-SIZE",
    level: "FIELD",
    section: "2.7.5.3",
    title: "An indirect table is a whole number of descriptors, at least one.",
    observed: "Its length is 0 or no multiple of 16.",
  },
  {
    id: "R-BUFFER-MEMORY",
    level: "FIELD",
    section: "2.7.5",
    title: "A buffer lies in guest memory.",
    observed: "Address and length of a descriptor reach beyond the end of memory.",
  },
  {
    id: "R-DESC-CHANGED",
    level: "MUST NOT",
    section: "3.3.1",
    title: "The descriptors of a buffer in flight stay as they are.",
    observed: "At return or at a check, a descriptor differs from what the device took.",
  },
  {
    id: "R-BUFFER-CHANGED",
    level: "FIELD",
    section: "3.3.1, which says so of descriptors",
    title: "The contents of a buffer in flight stay as they are.",
    observed: "At return or at a check, page numbers or statistics differ from what was taken.",
  },
  {
    id: "R-KICK-MISSING",
    level: "MUST",
    section: "2.7.10.1",
    title: "The driver notifies after it made buffers available, unless the device said no.",
    observed: "Buffers wait in the ring, time passes, and the needed notification did not come.",
  },
  {
    id: "R-KICK-SUPPRESSED",
    level: "SHOULD NOT",
    section: "2.7.10.1",
    title: "The driver does not notify while the device asks it not to.",
    observed: "A notification comes for buffers for which flags or avail_event asked for none.",
  },
] as const satisfies readonly Rule[];
