/** A failure of a command: what the program tells its user before it ends. */
import { ActionError } from "../runtime/index.ts";

/**
 * What sort of failure it is; the program's exit code follows from it.
 *
 * - `usage`: the caller's options make no sense, or contradict each other or the machine.
 * - `missing`: something that is needed is not on this machine.
 * - `rule`: a promise was broken: a byte that changed, pages that do not add up.
 * - `unreached`: the balloon stopped short of its target.
 * - `guest`: the guest gave up, panicked or stopped answering.
 * - `emulator`: the emulator failed.
 */
export type FailureKind = "usage" | "missing" | "rule" | "unreached" | "guest" | "emulator";

/** A failure as plain values, as events and JSON output carry it. */
export interface Failure {
  readonly kind: FailureKind;
  /** The thing that went wrong, as a short noun phrase. */
  readonly what: string;
  /** What was observed, with the numbers. */
  readonly seen: string;
  /** What the user should do. */
  readonly todo: string;
}

/** A failure that is thrown. Its code is its kind. */
export class FailureError extends ActionError<FailureKind> implements Failure {
  override readonly name: string = "FailureError";
  readonly kind: FailureKind;

  constructor({ kind, ...parts }: Failure) {
    super({ code: kind, ...parts });
    this.kind = kind;
  }
}
