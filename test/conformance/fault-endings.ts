/** In what a fault of the reference device may end, whenever it strikes: the stated outcomes. */
import type { ErrorCode } from "../../runtime/index.ts";
import type { FaultName, RuleId } from "../../src/device/index.ts";

export interface Ending {
  /** The driver's state before it is stopped, and after. */
  readonly before: string;
  readonly after: string;
  readonly error?: ErrorCode;
}

export const GOES_ON: Ending = { before: "running", after: "stopped" };
const QUARANTINED: Ending = { before: "failed", after: "stopped", error: "device-lied" };
const GONE: Ending = { before: "gone", after: "gone" };

/** How a walk may end in which the fault has struck; others go on. */
export const ENDINGS: { readonly [name in FaultName]?: Ending | readonly Ending[] } = {
  "used-id-out-of-range": QUARANTINED,
  "used-id-not-in-flight": QUARANTINED,
  "used-id-twice": QUARANTINED,
  "used-idx-jump": QUARANTINED,
  // Where more came back before the driver looked, the index has moved on all the same.
  "used-idx-back": [QUARANTINED, GOES_ON],
  "needs-reset": { ...GOES_ON, error: "device-failed" },
  "reset-never-clears": { before: "running", after: "failed", error: "reset-timeout" },
  gone: GONE,
  "gone-zeros": GONE,
};

/** The codes of the errors that a fault may leave behind, also before a driver came up. */
export function errorsOf(name: FaultName): readonly ErrorCode[] {
  const codes = [ENDINGS[name] ?? []].flat().flatMap(({ error }) => error ?? []);
  return GONE_FAULTS.includes(name) ? [...codes, "device-gone", "no-device"] : codes;
}

const GONE_FAULTS: readonly FaultName[] = ["gone", "gone-zeros"];

/** The rules that a driver seems to break where a device hides from it what it has done. */
export function rulesOf(name: FaultName): readonly RuleId[] {
  return HIDES.includes(name) ? ["D14"] : [];
}

const HIDES: readonly FaultName[] = ["used-unseen", "used-idx-back", "queue-hangs"];
