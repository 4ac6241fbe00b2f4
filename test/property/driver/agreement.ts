/**
 * Driver and host agree: frame by frame, and number by number.
 *
 * A frame whose state on one side is not possible for its state on the other is an error, whatever
 * the counts say.
 */
import { type DriverStatus, FRAME_STATES, type FrameState } from "../../../runtime/index.ts";
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
  /** The driver's, as it is now. */
  readonly status: DriverStatus;
}

/** Each frame is, for the host, where the ledger's state says that it may be. */
export function agreeOnFrames(
  rig: Pick<Rig, "machine" | "ledger" | "endFrame">,
  { silent, tells, status }: AgreementOptions,
): void {
  const { machine, ledger, endFrame } = rig;
  // Amid a reset the device has let go of what the ledger still keeps.
  if (status.state === "starting") return;
  const untold = status.inFlight.deflatePages > status.frames.deflating;
  if (untold && tells) throw new Error("pages are used before the host acknowledged it");
  const theirs = untold || silent ? THEIRS_UNTOLD : THEIRS;
  for (let pfn = 0; pfn < endFrame; pfn++) {
    const nibble = ((ledger[pfn >> 1] as number) >> ((pfn & 1) * 4)) & 0xf;
    const state = FRAME_STATES[nibble] as FrameState;
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
