/**
 * Driver and host agree: frame by frame, and number by number.
 *
 * A frame whose state on one side is not possible for its state on the other is an error, whatever
 * the counts say.
 */
import { FRAME_STATES, type FrameState, frameCounts } from "../../../runtime/index.ts";
import type { Machine } from "../../../src/device/index.ts";
import type { Rig } from "./rig.ts";

type PageState = ReturnType<Machine["pageState"]>;

/**
 * Where the host may see a frame that the ledger has in a state; `used` and `free` see `theirs`.
 */
const SEEN: Partial<Record<FrameState, readonly PageState[]>> = {
  inflating: ["guest", "inflating", "held"],
  held: ["held"],
  deflating: ["held", "deflating", "guest"],
  reserved: ["guest"],
};
/** Frames of the guest: the host may not have heard, yet or ever, of those that were used first. */
const THEIRS: readonly PageState[] = ["guest"];
const THEIRS_UNTOLD: readonly PageState[] = ["guest", "held", "deflating"];

export interface AgreementOptions {
  /** Whether frames may have been taken back without a word. */
  readonly silent: boolean;
  /** Whether MUST_TELL_HOST is negotiated. */
  readonly tells: boolean;
}

/** Each frame is, for the host, where the ledger's state says that it may be. */
export function agreeOnFrames(rig: Rig, { silent, tells }: AgreementOptions): void {
  const { machine, driver, core, endFrame } = rig;
  // Amid a reset the device has let go of what the ledger still keeps.
  if (driver.stateName === "starting") return;
  const { deflatePages } = driver.status().inFlight;
  const untold = deflatePages > frameCounts(core).deflating;
  if (untold && tells) throw new Error("pages are used before the host acknowledged it");
  const theirs = untold || silent ? THEIRS_UNTOLD : THEIRS;
  for (let pfn = 0; pfn < endFrame; pfn++) {
    const state = FRAME_STATES[core.ledger_state(pfn)] as FrameState;
    const seen = machine.pageState(pfn);
    if ((SEEN[state] ?? theirs).includes(seen)) continue;
    throw new Error(`frame ${pfn}: ${state} for the driver, ${seen} for the host`);
  }
}

export function equal<T>(what: string, seen: T, wanted: T): void {
  if (seen !== wanted) throw new Error(`${what}: seen ${seen}, wanted ${wanted}`);
}

export function atMost(what: string, seen: number, most: number): void {
  if (seen > most) throw new Error(`${what}: seen ${seen}, wanted at most ${most}`);
}
