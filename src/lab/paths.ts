/**
 * Migration paths: between which hosts a guest with a balloon is migrated, and when. A host
 * `without` does not know the feature by which a driver promises to tell first.
 */
import type { HostDesignName, MachineOptions } from "../device/index.ts";

export interface MigrationPath {
  /** What happens, in one sentence. */
  readonly does: string;
  readonly from: "with" | "without";
  /** Undefined: the guest stays. */
  readonly to?: "with" | "without";
  /**
   * `reading`: after the driver has read the features and before it accepts any; `rest`: with the
   * balloon inflated and nothing in flight; `amid`: while a deflate is in flight.
   */
  readonly when: "reading" | "rest" | "amid";
  /** Whether the second host offers what the first one did. */
  readonly adoptOffer: boolean;
}

const STAY: MigrationPath = {
  does: "The guest stays where it is.",
  from: "with",
  when: "rest",
  adoptOffer: false,
};

export const migrationPaths = {
  none: STAY,
  equal: { ...STAY, does: "To an equal host, with the balloon inflated.", to: "with" },
  amid: {
    ...STAY,
    does: "To an equal host, while a deflate is in flight.",
    to: "with",
    when: "amid",
  },
  "to-old": {
    ...STAY,
    does: "To a host that does not know the feature, with the balloon inflated.",
    to: "without",
  },
  "to-new": {
    ...STAY,
    does: "From a host that does not know the feature to one that does.",
    from: "without",
    to: "with",
  },
  "three-steps": {
    ...STAY,
    does: "The driver reads the features, moves to a host without the feature, and accepts it.",
    to: "without",
    when: "reading",
  },
  "three-steps-adopted": {
    ...STAY,
    does: "The same, and the second host offers what the first one did.",
    to: "without",
    when: "reading",
    adoptOffer: true,
  },
} as const satisfies Record<string, MigrationPath>;

export type MigrationPathName = keyof typeof migrationPaths;

/** The machine options of a host of this design, or of its older version `without` the feature. */
export function hostOf(
  design: HostDesignName,
  knows: "with" | "without",
): Pick<MachineOptions, "hostDesign" | "offer"> {
  if (knows === "with") return { hostDesign: design };
  const isOldAlready = design === "plain" || design === "locked-always";
  return { hostDesign: isOldAlready ? design : "locked", offer: { mustTellHost: false } };
}
