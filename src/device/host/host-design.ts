/**
 * What hosts do with the memory behind the balloon: whether they lock the guest's memory, and what
 * makes them unlock a page.
 *
 * A host cannot take locked memory away, so a guest that touches it never waits and never loses
 * contents. A host can take unlocked memory at any time until it locks it again. So the guest has
 * to tell a host that unlocks, and wait for its answer, before it uses the page.
 */

import { EXPERIMENT } from "../spec/experiment.ts";
import { FEATURE } from "../spec/numbers.ts";

/** What a host does with the memory behind the balloon, as plain values. */
export interface HostDesign {
  /** What the host does, in one sentence. */
  readonly does: string;
  /** Whether all of the guest's memory is locked to begin with. */
  readonly locks: boolean;
  /** When an inflated page is unlocked; `if-told`: when the driver accepted `toldBy`. */
  readonly unlocks: "never" | "if-told" | "always";
  /** The feature bit by which a driver promises to tell first. */
  readonly toldBy: number;
  /** The feature bit by which a driver may be silent, if there is one. */
  readonly silentBy: number | undefined;
  /** Feature bits that it offers in addition to the profile's. */
  readonly offers: readonly number[];
  /** Feature bits of the profile that it does not offer. */
  readonly withholds: readonly number[];
  /** Whether it clears FEATURES_OK of a driver without `toldBy` (virtio 1.3, 5.5.3.2). */
  readonly refuses: boolean;
}

const LOCKED: HostDesign = {
  does: "Locks the guest's memory; unlocks inflated pages of drivers that accepted MUST_TELL_HOST.",
  locks: true,
  unlocks: "if-told",
  toldBy: FEATURE.mustTellHost,
  silentBy: undefined,
  offers: [],
  withholds: [],
  refuses: false,
};

/** The designs by name, for the machine's option `host`. */
export const hostDesigns = {
  plain: {
    ...LOCKED,
    does: "Locks nothing: discards a page when it is inflated, and has it come back when touched.",
    locks: false,
    unlocks: "never",
  },
  locked: LOCKED,
  "locked-always": {
    ...LOCKED,
    does: "Locks the guest's memory and unlocks inflated pages, whatever the driver accepted.",
    unlocks: "always",
  },
  refusing: {
    ...LOCKED,
    does: "As locked, and clears FEATURES_OK of drivers that do not accept MUST_TELL_HOST.",
    refuses: true,
  },
  "two-bit": {
    ...LOCKED,
    does: "As locked, by two bits: WILL_TELL_HOST lets it unlock, SILENT_DEFLATE allows silence.",
    toldBy: EXPERIMENT.willTellHost,
    silentBy: EXPERIMENT.silentDeflate,
    offers: [EXPERIMENT.willTellHost, EXPERIMENT.silentDeflate],
    withholds: [FEATURE.mustTellHost],
  },
} as const satisfies Record<string, HostDesign>;

/** The name of a design in `hostDesigns`. */
export type HostDesignName = keyof typeof hostDesigns;
