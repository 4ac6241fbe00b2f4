/**
 * Rules of MSI-X (virtio 1.3, 4.1.5.1.2; PCI local bus specification 3.0, 6.8.2 and 6.8.3).
 *
 * It must not hold code: a table only. Invariant: ids start with "P-MSIX-" and are never used again
 * for something else.
 */

import type { Rule } from "../rule.ts";

export const MSIX_RULES = [
  {
    id: "P-MSIX-VECTOR",
    level: "MUST NOT",
    section: "4.1.5.1.2.2",
    title: "No event is mapped to a vector outside the MSI-X table.",
    observed: "A vector beyond the table is written, or any where there is no MSI-X.",
    seenBy: ["pci/msix-vectors"],
  },
  {
    id: "P-MSIX-READ-BACK",
    level: "MUST",
    section: "4.1.5.1.2.2",
    title: "After an event was mapped its vector is read back.",
    observed: "A queue is enabled, or DRIVER_OK set, and a vector written was not read since.",
    seenBy: ["pci/msix-vectors"],
  },
  {
    id: "P-MSIX-ORDER",
    level: "FIELD",
    section: "4.1.5.1.2",
    title: "Events are mapped while MSI-X is enabled.",
    observed: "A vector is written while MSI-X is off, when devices need not take it.",
    seenBy: ["pci/msix-vectors"],
  },
  {
    id: "P-MSIX-LEFT-ON",
    level: "FIELD",
    section: "4.1.5.1.2.2",
    title: "Who maps no event disables MSI-X, for it silences the line.",
    observed:
      "DRIVER_OK is set while MSI-X is enabled and neither configuration nor queues have a vector.",
    seenBy: ["pci/msix-vectors"],
  },
  {
    id: "P-MSIX-ISR",
    level: "SHOULD NOT",
    section: "4.1.4.5.2",
    title: "With MSI-X enabled the ISR status is left alone.",
    observed: "The ISR status is read while MSI-X is enabled.",
    seenBy: ["pci/msix-vectors"],
  },
  {
    id: "P-MSIX-WIDTH",
    level: "MUST",
    section: "PCI 3.0, 6.8.2",
    title: "The MSI-X table is accessed by whole, aligned double or quad words.",
    observed: "An access to the table or the pending bits is no aligned 4 bytes.",
    seenBy: ["pci/msix-table"],
  },
  {
    id: "P-MSIX-LIVE",
    level: "MUST NOT",
    section: "PCI 3.0, 6.8.3.2",
    title: "The message of an entry is not changed while the entry is unmasked.",
    observed: "Address or data is written while MSI-X is enabled and nothing masks the entry.",
    seenBy: ["pci/msix-table"],
  },
  {
    id: "P-MSIX-UNWRITTEN",
    level: "MUST",
    section: "PCI 3.0, 6.8.2.6 to 6.8.2.8",
    title: "An entry is unmasked only after its address and its data were written.",
    observed: "An entry can send, and a part of it is what it was after power-on; nothing is sent.",
    seenBy: ["pci/msix-table"],
  },
  {
    id: "P-MSIX-ADDRESS",
    level: "MUST",
    section: "PCI 3.0, 6.8.2.6",
    title: "The address of a message is a multiple of 4.",
    observed: "One of the two lowest bits of an entry's address is 1.",
    seenBy: ["pci/msix-table"],
  },
  {
    id: "P-MSIX-RESERVED",
    level: "MUST",
    section: "PCI 3.0, 6.8.2.9",
    title: "The reserved bits of an entry's vector control are kept as they are.",
    observed: "One of bits 1 to 31 is written as 1.",
    seenBy: ["pci/msix-table"],
  },
  {
    id: "P-MSIX-MESSAGE",
    level: "FIELD",
    section: "PCI 3.0, 6.8.2",
    title: "Entries hold messages that the machine has handed out.",
    observed: "A message is sent that no allocation gave; nobody is interrupted.",
    seenBy: ["pci/interrupt-messages"],
  },
  {
    id: "P-MSIX-PENDING",
    level: "FIELD",
    section: "PCI 3.0, 6.8.3.4",
    title: "At rest no mask holds a message back.",
    observed: "At a check MSI-X is enabled and a pending bit is set.",
    seenBy: ["pci/msix-vectors"],
  },
] as const satisfies readonly Rule[];
