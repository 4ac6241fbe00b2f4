/**
 * Rules that the device judges and that no mutant of this driver breaks yet, and why; faults that no
 * test of the driver names yet. A new rule or fault starts here.
 *
 * Invariant: an entry goes away with the first mutant or test of it; the tables' tests insist.
 */

/** By rule: the reason. */
export const awaited: Readonly<Record<string, string>> = {
  "P-MIXED": "No scenario uses this transport yet.",
  "P-MSIX-READ-BACK": "No scenario uses this transport yet.",
  "P-MSIX-ORDER": "No scenario uses this transport yet.",
  "P-MSIX-LEFT-ON": "No scenario uses this transport yet.",
  "P-MSIX-ISR": "No scenario uses this transport yet.",
  "P-MSIX-WIDTH": "No scenario uses this transport yet.",
  "P-MSIX-LIVE": "No scenario uses this transport yet.",
  "P-MSIX-UNWRITTEN": "No scenario uses this transport yet.",
  "P-MSIX-ADDRESS": "No scenario uses this transport yet.",
  "P-MSIX-RESERVED": "No scenario uses this transport yet.",
  "P-MSIX-MESSAGE": "No scenario uses this transport yet.",
  "P-MSIX-PENDING": "No scenario uses this transport yet.",
  "L-FEATURES-OK": "No scenario uses this transport yet.",
  "L-ANY-LAYOUT": "No scenario uses this transport yet.",
  "L-SIZE-READ": "No scenario uses this transport yet.",
  "L-QUEUE-MOVED": "No scenario uses this transport yet.",
  "L-CONFIG-PLACE": "No scenario uses this transport yet.",
};

/** Faults that the driver has no scenario for yet. */
export const awaitedFaults: readonly string[] = ["vector-refused", "message-lost"];
