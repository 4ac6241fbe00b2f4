/**
 * Rules that the device judges and that no mutant of this driver breaks yet, and why; faults that no
 * test of the driver names yet. A new rule or fault starts here.
 *
 * Invariant: an entry goes away with the first mutant or test of it; the tables' tests insist.
 */

/** By rule: the reason. */
export const awaited: Readonly<Record<string, string>> = {};

/** Faults that the driver has no scenario for yet. */
export const awaitedFaults: readonly string[] = [];
