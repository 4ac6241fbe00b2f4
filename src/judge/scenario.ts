/** The type of a scenario, and the steps that scenarios are made of. */
import type { RuleId } from "../device/index.ts";
import type { JudgedGuest, Outcome, ScenarioDevice, SystemActions } from "./platform.ts";

/** One thing that a host does with a balloon. */
export interface Scenario {
  readonly name: string;
  /** What happens, in one sentence. */
  readonly text: string;
  /** How the device differs from the profile. */
  readonly device?: ScenarioDevice;
  /** Outcomes other than `up` that a good driver may come to. */
  readonly mayEnd?: readonly Outcome[];
  /** Rules that a driver cannot keep here, and that are not judged. */
  readonly waive?: readonly RuleId[];
  /** Whether it runs when no scenario was named. */
  readonly isDefault: boolean;
  /**
   * @throws LeftOut when driver or system lack what it needs; GuestLost when the guest is gone;
   *   MemoryChanged.
   */
  run(guest: JudgedGuest): Promise<void>;
}

/** A scenario cannot be run on this driver or system; the message says what is missing. */
export class LeftOut extends Error {
  constructor(missing: string) {
    super(missing);
    this.name = "LeftOut";
  }
}

/** What the system kept in its memory was changed under it; the message says in how many pages. */
export class MemoryChanged extends Error {
  constructor(pages: number) {
    super(
      `${pages} used ${pages === 1 ? "page" : "pages"} had other contents when they were freed`,
    );
    this.name = "MemoryChanged";
  }
}

/**
 * Returns what frees all used pages, and throws MemoryChanged unless all of them are as they were.
 * @throws LeftOut where the system cannot be asked.
 */
export function needDrop(guest: JudgedGuest): () => Promise<void> {
  const drop = need(guest, "dropPages", "the system cannot be asked to free memory");
  return async () => {
    const changed = await drop();
    if (changed > 0) throw new MemoryChanged(changed);
  };
}

/** Sets a target, lets the guest come to rest and judges what shows there. */
export async function reach(guest: JudgedGuest, pages: number, memoryShort = false): Promise<void> {
  guest.device.setTarget(pages);
  await guest.rest();
  guest.device.check({ memoryShort });
}

/** @throws LeftOut with `what` where the system cannot be asked for this. */
export function need<K extends keyof SystemActions>(
  guest: JudgedGuest,
  action: K,
  what: string,
): NonNullable<SystemActions[K]> {
  const found = guest.system[action];
  if (found === undefined) throw new LeftOut(what);
  return found;
}

/** Starts a run of hints. @throws LeftOut */
export function startHints({ device }: JudgedGuest): void {
  if (device.startHinting() === undefined) {
    throw new LeftOut("the driver has not accepted FREE_PAGE_HINT, or the profile has no hints");
  }
}

/** Has statistics brought, and judges them. */
export async function askForStatistics(guest: JudgedGuest): Promise<void> {
  if (!guest.device.requestStats()) {
    throw new LeftOut("the driver has given no buffer for statistics");
  }
  await guest.rest();
  guest.device.check();
}

/** The target goes to a quarter of memory, to half of that, and to 0. */
export async function upAndDown(guest: JudgedGuest): Promise<void> {
  const quarter = Math.floor(guest.pages / 4);
  for (const pages of [quarter, Math.floor(quarter / 2), 0]) await reach(guest, pages);
}
