/** The table of all rules. An id is never used again for something else. */

import { BALLOON_RULES } from "./rules/balloon.ts";
import { FREE_PAGE_RULES } from "./rules/free-pages.ts";
import { GENERAL_RULES } from "./rules/general.ts";
import { LEGACY_RULES } from "./rules/legacy.ts";
import { MMIO_RULES } from "./rules/mmio.ts";
import { MSIX_RULES } from "./rules/msix.ts";
import { PACKED_RULES } from "./rules/packed.ts";
import { PCI_RULES } from "./rules/pci.ts";
import { RING_RULES } from "./rules/ring.ts";

/**
 * Every rule that the device judges, by what it is about. `RuleId` is the name of one. What no
 * device can judge stands in `notObservable`.
 */
export const rules = [
  ...GENERAL_RULES,
  ...PCI_RULES,
  ...MSIX_RULES,
  ...LEGACY_RULES,
  ...MMIO_RULES,
  ...RING_RULES,
  ...PACKED_RULES,
  ...BALLOON_RULES,
  ...FREE_PAGE_RULES,
];

/** The `id` of a rule: what a verdict names, and what `waive` takes. */
export type RuleId = (typeof rules)[number]["id"];
