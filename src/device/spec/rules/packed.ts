/**
 * Rules of the packed virtqueue (virtio 1.3, 2.8). What it shares with the split one, alignment,
 * length of chains, changes in flight, notifications and the like, stands in ring.ts.
 */

import { rulesOf } from "../rule.ts";

export const PACKED_RULES = rulesOf([
  {
    id: "G-RING-PACKED",
    level: "SHOULD",
    section: "6.1",
    title: "The driver accepts RING_PACKED when it is offered.",
    observed: "At FEATURES_OK bit 34 is offered and not accepted.",
    seenBy: ["checks/bring-up-check"],
  },
  {
    id: "R-PACKED-ZERO",
    level: "FIELD",
    section: "2.8.13",
    title: "The descriptor ring is zeroed before the queue is enabled.",
    observed: "AVAIL or USED is set in a descriptor at queue_enable.",
    seenBy: ["queue/queue-areas"],
  },
  {
    id: "R-PACKED-PARTIAL",
    level: "MUST NOT",
    section: "2.8.17",
    title: "The first descriptor of a list is made available after all others.",
    observed: "A list goes on in a descriptor that is not marked available; the queue stops.",
    seenBy: ["queue/packed-chain"],
  },
  {
    id: "R-PACKED-SKIP",
    level: "FIELD",
    section: "2.8, on the order in the ring",
    title: "Descriptors are made available in ring order, without gaps.",
    observed: "At a check, a descriptor is marked available behind one that is not.",
    seenBy: ["queue/packed-ring"],
  },
  {
    id: "R-PACKED-ID-RANGE",
    level: "FIELD",
    section: "2.8.22, whose example relies on it",
    title: "A buffer id is below the queue size.",
    observed: "The last descriptor of a list holds a larger id; the queue stops.",
    seenBy: ["queue/packed-ring"],
  },
  {
    id: "R-PACKED-ID-BUSY",
    level: "FIELD",
    section: "2.8.21.1",
    title: "A buffer id that is in flight is not used for another buffer.",
    observed: "A list has the id of a buffer that was not returned yet; the queue stops.",
    seenBy: ["queue/packed-ring"],
  },
  {
    id: "R-PACKED-INDIRECT-FLAGS",
    level: "MUST NOT",
    section: "2.8.19",
    title: "No flag but WRITE is set inside an indirect table.",
    observed: "Another one is set there; the device ignores it.",
    seenBy: ["queue/packed-chain"],
  },
  {
    id: "R-EVENT-FLAGS",
    level: "FIELD",
    section: "2.8.10 and 2.8.14",
    title:
      "The driver's event structure is enable, disable or, with EVENT_IDX, a descriptor of the " +
      "ring; reserved bits are 0.",
    observed: "Another value is found when the device looks at the ring.",
    seenBy: ["queue/packed-ring"],
  },
]);
