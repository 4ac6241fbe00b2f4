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

/** What else may be reported: where the fault strikes amid a bring-up, a reset or a queue's reset. */
const MORE_ERRORS: { readonly [name in FaultName]?: readonly ErrorCode[] } = {
  gone: ["device-gone", "no-device"],
  "gone-zeros": ["device-gone", "no-device"],
  // Where the bit is not offered, no set of features is taken.
  "refuse-without-must-tell-host": ["features"],
  // With others before it, the last set of features is refused.
  "refuse-features": ["features"],
  "queue-reset-never": ["device-failed"],
  "used-idx-back": ["device-failed"],
  // A device that wants a reset amid one never says that it is done.
  "needs-reset": ["reset-timeout"],
  // In order, a later buffer stands for the hidden one, too, which the used index does not count.
  "used-unseen": ["device-lied"],
};

/** The codes of the errors that a fault may leave behind, also before a driver came up. */
export function errorsOf(name: FaultName): readonly ErrorCode[] {
  const codes = [ENDINGS[name] ?? []].flat().flatMap(({ error }) => error ?? []);
  return [...codes, ...(MORE_ERRORS[name] ?? [])];
}

/**
 * What a driver seems to break that cannot see what its device has done: it neither tells it, nor
 * fills it, nor goes on with that queue. After a reset of the queue it takes its pages for its own:
 * it uses them, and `actual` goes without them.
 */
const UNSEEN: readonly RuleId[] = [
  "D2",
  "D4",
  "D10",
  "D14",
  "D19",
  "D21-STOP",
  "D22",
  "Q-ACTUAL-BURST",
  "Q-PFN-HELD",
  "Q-RANGE-HELD",
];

/** After refused features, the driver declines some that it would take. */
const DECLINED: readonly RuleId[] = ["D1", "G-NOTIF-CONFIG-DATA", "G-RING-PACKED"];

const RULES: { readonly [name in FaultName]?: readonly RuleId[] } = {
  "used-unseen": UNSEEN,
  // In a packed ring of few entries the device counts a hidden buffer as one that it still has.
  "used-idx-back": [...UNSEEN, "R-AVAIL-JUMP"],
  "queue-hangs": UNSEEN,
  // A packed ring has no index: what is used is elsewhere than where the driver looks.
  "used-idx-jump": UNSEEN,
  "used-id-twice": UNSEEN,
  "refuse-features": DECLINED,
  // A run with the id of one that has ended cannot be told from it.
  "hint-id-stale": ["D22"],
};

/** The rules that a driver seems to break because of a fault that has struck. */
export function rulesOf(name: FaultName): readonly RuleId[] {
  return RULES[name] ?? [];
}
