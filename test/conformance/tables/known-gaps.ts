/**
 * Rules that no mutant of this driver breaks yet, and faults that no scenario names yet. A new rule
 * or fault starts here; the tables' tests fail when an entry is needed no longer.
 */

/** The reason, by rule. */
export const rulesWithoutMutant: Readonly<Record<string, string>> = {};

export const faultsWithoutScenario: readonly string[] = [];
