/**
 * Which failure an error of this package is. Each error that somebody can act on is exactly one
 * `Failure`; any other error is a bug and stays an ordinary error.
 */
import { type ActionError, BallonetError } from "../../runtime/index.ts";
import { type Failure, FailureError, type FailureKind } from "../failure.ts";
import { ImageError } from "../image/errors.ts";
import { VmmError } from "../vmm/errors.ts";

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

/** The user of a program has options where a caller of src/vmm has parameters. */
const TIMEOUT_TODO =
  "see the guest's log for the reason (--verbose), or allow more time (--timeout)";

/** Returns the failure that `error` is; undefined for an error that is not of this package. */
export function failureOf(error: unknown): Failure | undefined {
  if (error instanceof FailureError) return error;
  if (error instanceof VmmError) {
    const failure = failureFrom(VMM_KINDS[error.code], error);
    return error.code === "timeout" ? { ...failure, todo: TIMEOUT_TODO } : failure;
  }
  if (error instanceof ImageError) return failureFrom(IMAGE_KINDS[error.code], error);
  if (error instanceof BallonetError) return failureFrom("usage", error);
  return failureOfFile(error);
}

/** The failure of a file or folder that cannot be read or written; its error has a path. */
function failureOfFile(error: unknown): Failure | undefined {
  if (!(error instanceof Error) || !("syscall" in error) || !("path" in error)) return undefined;
  return {
    kind: "missing",
    what: "a file",
    seen: error.message,
    todo: "name a place that can be read and written, or make it so",
  };
}

function failureFrom(kind: FailureKind, { what, seen, todo }: ActionError): Failure {
  return { kind, what, seen, todo };
}
