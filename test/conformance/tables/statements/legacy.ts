/**
 * What virtio 1.3 says of drivers that use the interface from before virtio 1.0: the sections
 * called "Legacy Interface", but for those of MMIO and of the balloon.
 *
 * Ids are the section and the statement's number in it.
 */
import type { Statement } from "../statement.ts";

export const legacyStatements: readonly Statement[] = [
  {
    id: "2.2.3-1",
    section: "2.2.3",
    level: "MUST",
    text: "A device that does not offer VERSION_1 is a legacy one.",
    by: ["B-FAILED-BIT"],
    mutants: ["drives a device without VERSION_1 as if it were modern"],
  },
  {
    id: "2.2.3-2",
    section: "2.2.3",
    level: "MUST",
    text: "Who uses a transitional device by its legacy interface does as these sections say.",
    by: ["P-MIXED"],
  },
  {
    id: "2.7.2-1",
    section: "2.7.2",
    level: "MUST",
    text: "A queue's size is read from the device.",
    by: ["L-SIZE-READ"],
  },
  {
    id: "2.7.2-2",
    section: "2.7.2",
    level: "MUST",
    text: "A queue has so many bytes as its size needs, padding included.",
    by: ["R-APART"],
  },
  {
    id: "2.7.2-3",
    section: "2.7.2",
    level: "MUST",
    text: "The used ring lies at the next boundary behind the available ring.",
    by: ["B-SUM"],
    mutants: ["looks for the used ring of a legacy queue right behind the available one"],
  },
  {
    id: "3.1.2-1",
    section: "3.1.2",
    level: "MUST",
    text: "Initialisation goes its usual way, without FEATURES_OK.",
    by: ["L-FEATURES-OK"],
  },
  {
    id: "4.1.4.10-1",
    section: "4.1.4.10",
    level: "MUST",
    text: "The driver uses the header at the start of BAR 0, which is in I/O space.",
    by: ["B-COMES-UP"],
    mutants: ["looks for a legacy device's header in BAR 1"],
  },
  {
    id: "4.1.4.10-2",
    section: "4.1.4.10",
    level: "MUST",
    text: "The device configuration is accessed right behind the header.",
    by: ["L-CONFIG-PLACE"],
  },
  {
    id: "4.1.5.1.1.1-1",
    section: "4.1.5.1.1.1",
    level: "MUST",
    text: "The driver looks for virtio capabilities first.",
    by: ["B-MODERN"],
  },
  {
    id: "4.1.5.1.1.1-2",
    section: "4.1.5.1.1.1",
    level: "MUST",
    text: "Where there are none, it takes the device for a legacy one and uses it so.",
    by: ["B-COMES-UP"],
    mutants: ["knows no device without capabilities"],
  },
  {
    id: "4.1.5.1.1.1-3",
    section: "4.1.5.1.1.1",
    level: "MUST",
    text: "A driver that cannot do that fails gracefully.",
    outside: "This driver can.",
  },
  {
    id: "4.1.5.1.3.1-1",
    section: "4.1.5.1.3.1",
    level: "TEXT",
    text: "A queue's address is written in units of 4096 bytes, to which the queue is aligned.",
    by: ["R-MEMORY"],
    mutants: ["tells a legacy device of a queue by its address"],
  },
  {
    id: "4.1.5.1.3.1-2",
    section: "4.1.5.1.3.1",
    level: "TEXT",
    text: "A queue's size cannot be chosen.",
    by: ["P-READ-ONLY"],
    mutants: ["asks a legacy device for smaller queues"],
  },
  {
    id: "6.3-1",
    section: "6.3",
    level: "MUST",
    text: "The driver accepts ANY_LAYOUT when it is offered.",
    by: ["L-ANY-LAYOUT"],
  },
  {
    id: "6.3-2",
    section: "6.3",
    level: "SHOULD NOT",
    text: "Bit 30, by which experiments were told from the rest, is not negotiated.",
    by: ["G-RESERVED-BIT"],
    mutants: ["accepts the bit of experiments"],
  },
];
