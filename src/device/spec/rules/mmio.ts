/**
 * Rules of virtio over MMIO, version 2 and legacy version 1 (virtio 1.3, 4.2).
 *
 * It must not hold code: a table only. Invariant: ids start with "M-" and are never used again for
 * something else.
 */

import type { Rule } from "../rule.ts";

export const MMIO_RULES = [
  {
    id: "M-IDENTITY",
    level: "MUST",
    section: "4.2.3.1.1",
    title: "MagicValue and Version are read first, then DeviceID, and nothing before them.",
    observed: "Another register is accessed although not all three were read in this order.",
  },
  {
    id: "M-FOREIGN",
    level: "MUST",
    section: "4.2.2.2",
    title: "What has another MagicValue or an unknown Version is ignored.",
    observed: "More than these two registers of such a slot is accessed.",
  },
  {
    id: "M-PLACEHOLDER",
    level: "MUST NOT",
    section: "4.2.3.1.1",
    title: "No other register of a slot is accessed whose DeviceID is 0.",
    observed: "More than MagicValue, Version and DeviceID of an empty slot is accessed.",
  },
  {
    id: "M-WRONG-DEVICE",
    level: "FIELD",
    section: "4.2.1 and 5",
    title: "The driver matches by DeviceID, and leaves other devices alone.",
    observed: "More than MagicValue, Version and DeviceID of another device is accessed.",
  },
  {
    id: "M-WIDTH",
    level: "MUST",
    section: "4.2.2.2",
    title: "Control registers take 32 bits, configuration fields their own width, all aligned.",
    observed: "An access has another width or crosses registers; reads give ones.",
  },
  {
    id: "M-READ-ONLY",
    level: "MUST NOT",
    section: "4.2.2.2",
    title: "Read-only registers are not written.",
    observed: "A write to a register of direction R; it changes nothing.",
  },
  {
    id: "M-WRITE-ONLY",
    level: "MUST NOT",
    section: "4.2.2.2",
    title: "Write-only registers are not read.",
    observed: "A read of a register of direction W; it gives 0.",
  },
  {
    id: "M-NO-REGISTER",
    level: "MUST NOT",
    section: "4.2.2.2",
    title: "Only registers that this version and the accepted features have are accessed.",
    observed: "An access below 0x100 where no register is; reads give ones.",
  },
  {
    id: "M-SHARED-MEMORY",
    level: "MUST NOT",
    section: "4.2.3.1.1",
    title: "Who expects no shared memory does not use its registers.",
    observed: "SHMSel, SHMLen or SHMBase is accessed; a balloon has no shared memory.",
  },
  {
    id: "M-FEATURES-SELECT",
    level: "MUST",
    section: "4.2.2.2",
    title: "A word of features is selected before it is read or written.",
    observed:
      "DeviceFeatures or DriverFeatures is used and its Sel register was not written for it.",
  },
  {
    id: "M-QUEUE-SIZE",
    level: "MUST",
    section: "2.7 and 2.8.10.1",
    title: "QueueNum is a power of two; with RING_PACKED any number but 0.",
    observed: "0 is written to QueueNum or, without RING_PACKED, no power of two.",
  },
  {
    id: "M-QUEUE-LARGER",
    level: "MUST",
    section: "4.2.2.2",
    title: "QueueNum is at most what QueueNumMax shows.",
    observed: "A larger value is written to QueueNum.",
  },
  {
    id: "M-QUEUE-ABSENT",
    level: "FIELD",
    section: "4.2.3.2",
    title: "A queue whose QueueNumMax is 0 is not there and not set up.",
    observed: "A register of a queue that the device does not have is written.",
  },
  {
    id: "M-QUEUE-BUSY",
    level: "MUST NOT",
    section: "4.2.2.2 and, for version 1, 4.2.4",
    title: "Size and addresses of a queue in use are left alone.",
    observed: "They are accessed while QueueReady is 1 or, in version 1, QueuePFN is not 0.",
  },
  {
    id: "M-QUEUE-UNSET",
    level: "FIELD",
    section: "4.2.3.2 and, for version 1, 4.2.4",
    title: "A queue has its size, its alignment and its place before it is put into use.",
    observed:
      "QueueReady is set, or QueuePFN written, and QueueNum, QueueAlign or an address is missing.",
  },
  {
    id: "M-READY-VALUE",
    level: "FIELD",
    section: "4.2.2",
    title: "QueueReady takes 1 and 0 and nothing else.",
    observed: "Another value is written to QueueReady.",
  },
  {
    id: "M-READY-READ-BACK",
    level: "MUST",
    section: "4.2.2.2",
    title: "After QueueReady was cleared, it is read back.",
    observed: "The driver writes another register, or comes to rest, before it has read this one.",
  },
  {
    id: "M-RESET-VALUE",
    level: "FIELD",
    section: "4.2.2",
    title: "QueueReset takes 1 and nothing else.",
    observed: "Another value is written to QueueReset.",
  },
  {
    id: "M-NOTIFY-VALUE",
    level: "MUST",
    section: "4.2.3.3",
    title: "QueueNotify takes the index of a queue, with NOTIFICATION_DATA in its lower half.",
    observed: "The value names no queue that is there; the notification is lost.",
  },
  {
    id: "M-ACK-MISSING",
    level: "MUST",
    section: "4.2.3.4.1",
    title: "An interrupt is acknowledged with the events that were handled.",
    observed: "At a check, the interrupt is still asserted and somebody listens to it.",
  },
  {
    id: "M-ACK-UNDEFINED",
    level: "MUST NOT",
    section: "4.2.2.2",
    title: "No undefined bit is acknowledged.",
    observed: "A bit beyond the first two is written to InterruptACK.",
  },
  {
    id: "M-ACK-UNSEEN",
    level: "MUST",
    section: "4.2.2.2 and 4.2.3.4.1",
    title: "Only events that InterruptStatus was read to show are acknowledged.",
    observed:
      "A bit is written to InterruptACK that no read showed since it was acknowledged last.",
  },
  {
    id: "M-PAGE-SIZE",
    level: "MUST",
    section: "4.2.4",
    title: "Version 1 is told the guest's page size, a power of two, before any queue is used.",
    observed: "GuestPageSize is no power of two, changes under a queue, or is missing at QueuePFN.",
  },
  {
    id: "M-QUEUE-ALIGN",
    level: "SHOULD",
    section: "4.2.4",
    title: "QueueAlign is a power of two.",
    observed: "Another value is written to QueueAlign.",
  },
] as const satisfies readonly Rule[];
