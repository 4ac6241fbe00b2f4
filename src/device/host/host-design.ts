/**
 * What hosts do with the memory behind the balloon, as values: whether a guest's memory is locked,
 * and what makes them unlock a page.
 *
 * Locked memory cannot be taken away: a guest that touches it never waits and is never surprised.
 * Unlocked memory may be, at any time, until it is locked again; so a host that unlocks a page has
 * to be told, and has to have answered, before the guest uses that page.
 *
 * It must not hold code that runs per access. Invariant: a design is plain values.
 */

import { EXPERIMENT } from "../spec/experiment.ts";
import { FEATURE } from "../spec/numbers.ts";

export interface HostDesign {
  /** What it does, in one sentence. */
  readonly does: string;
  /** Whether all of the guest's memory is locked to begin with. */
  readonly locks: boolean;
  /** When an inflated page is unlocked; `if-told`: when the driver accepted `toldBy`. */
  readonly unlocks: "never" | "if-told" | "always";
  /** The feature bit by which a driver promises to tell first. */
  readonly toldBy: number;
  /** The feature bit by which a driver may be silent, if there is one. */
  readonly silentBy: number | undefined;
  /** Feature bits that it offers besides those of the profile, and those that it does not. */
  readonly offers: readonly number[];
  readonly withholds: readonly number[];
  /** Whether FEATURES_OK does not stand without `toldBy` (virtio 1.3, 5.5.3.2). */
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

export type HostDesignName = keyof typeof hostDesigns;

/** Whether a set of accepted features has a bit; no bit is in no set. */
export function hasBit(features: bigint, bit: number | undefined): boolean {
  return bit !== undefined && ((features >> BigInt(bit)) & 1n) === 1n;
}
