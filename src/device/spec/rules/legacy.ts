/**
 * Rules of the interfaces from before virtio 1.0, whatever the bus (the sections of virtio 1.3 that
 * are called "Legacy Interface").
 */

import { rulesOf } from "../rule.ts";

export const LEGACY_RULES = rulesOf([
  {
    id: "L-FEATURES-OK",
    level: "MUST NOT",
    section: "3.1.2",
    title: "Over a legacy interface FEATURES_OK is left out.",
    observed: "FEATURES_OK is written to the status of a legacy interface, where it means nothing.",
    seenBy: ["virtio/virtio-device"],
  },
  {
    id: "L-ANY-LAYOUT",
    level: "MUST",
    section: "6.3",
    title: "Over a legacy interface the driver accepts ANY_LAYOUT when it is offered.",
    observed: "Bit 27 is offered and, when features are first used, not accepted.",
    seenBy: ["checks/bring-up-check"],
  },
  {
    id: "L-SIZE-READ",
    level: "MUST",
    section: "2.7.2",
    title: "The driver takes a queue's size from the device before it places the queue.",
    observed: "A page number is written for a queue whose size was not read since the reset.",
    seenBy: ["virtio/legacy-queues"],
  },
  {
    id: "L-QUEUE-MOVED",
    level: "FIELD",
    section: "4.1.5.1.3.1, and devices that take page 0 for a reset of everything",
    over: { "legacy-mmio": { section: "4.2.4" } },
    title: "The page number of a queue is written once between two resets.",
    observed: "A page number, or 0, is written while the queue is in use.",
    seenBy: ["virtio/legacy-queues"],
  },
  {
    id: "L-CONFIG-PLACE",
    level: "MUST",
    section: "4.1.4.10",
    title: "The device configuration is accessed right behind the header, vectors included.",
    observed: "With MSI-X enabled an access at 20 to 23 has not the width of a vector register.",
    seenBy: ["pci/legacy-header"],
  },
]);
