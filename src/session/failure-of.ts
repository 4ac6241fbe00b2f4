/**
 * Why a piece of lab work did not end well: its kind, what was seen, what to do.
 *
 * It must not print or exit. Invariant: every failure that somebody can act on becomes exactly one
 * `Failure`; what is none of them is a bug and stays an ordinary error.
 */
import { BallonetError } from "../../runtime/errors.ts";
import { ImageError } from "../image/errors.ts";
import { VmmError } from "../vmm/errors.ts";

/**
 * - `usage`: the caller's options make no sense, or contradict each other or the machine.
 * - `missing`: something that is needed is not on this machine.
 * - `rule`: a promise was broken: a byte that changed, pages that do not add up.
 * - `unreached`: the balloon stopped short of its target.
 * - `guest`: the guest gave up, panicked or stopped answering.
 * - `emulator`: the emulator failed.
 */
export type FailureKind = "usage" | "missing" | "rule" | "unreached" | "guest" | "emulator";

export interface Failure {
  readonly kind: FailureKind;
  /** The thing that went wrong, as a short noun phrase. */
  readonly what: string;
  readonly seen: string;
  readonly todo: string;
}

/** What src/lab throws on purpose. */
export class LabError extends Error implements Failure {
  readonly kind: FailureKind;
  readonly what: string;
  readonly seen: string;
  readonly todo: string;

  constructor({ kind, what, seen, todo }: Failure) {
    super(`${what}: seen ${seen}; do ${todo}`);
    this.name = "LabError";
    this.kind = kind;
    this.what = what;
    this.seen = seen;
    this.todo = todo;
  }
}

const IMAGE_KINDS: Readonly<Record<ImageError["code"], FailureKind>> = {
  "no-compiler": "missing",
  core: "missing",
  engine: "missing",
  compile: "missing",
  convert: "emulator",
  bundle: "usage",
};

const VMM_KINDS: Readonly<Record<VmmError["code"], FailureKind>> = {
  option: "usage",
  image: "usage",
  "qemu-not-found": "missing",
  "v86-internals": "missing",
  "exited-early": "emulator",
  exited: "guest",
  timeout: "guest",
  closed: "emulator",
  protocol: "emulator",
  migration: "emulator",
  "qmp-command": "emulator",
  "control-reply": "guest",
  "no-balloon": "usage",
  "not-supported": "usage",
};

/** The failure in an error of this package; undefined for any other error. */
export function failureOf(error: unknown): Failure | undefined {
  if (error instanceof LabError) return error;
  if (!(error instanceof Error)) return undefined;
  // These messages are "what: seen SEEN; TODO", and `what` is kept nowhere else.
  const what = error.message.split(": seen ")[0] ?? error.message;
  const parts = (kind: FailureKind, { seen, todo }: { seen: string; todo: string }) => ({
    kind,
    what,
    seen,
    todo,
  });
  if (error instanceof VmmError && error.code === "timeout") {
    const todo = "see the guest's log for the reason (--verbose), or allow more time (--timeout)";
    return parts("guest", { seen: error.seen, todo });
  }
  if (error instanceof VmmError) return parts(VMM_KINDS[error.code], error);
  if (error instanceof ImageError) return parts(IMAGE_KINDS[error.code], error);
  if (error instanceof BallonetError) return parts("usage", error);
  return undefined;
}
