/**
 * The errors of the reference machine. They have the shape of the driver's errors, and share no
 * code with them.
 */

/** What an error of the machine says. */
export interface ErrorParts {
  /** The thing that went wrong, as a short noun phrase. */
  readonly what: string;
  /** What was observed. */
  readonly seen: string;
  /** What the caller should do. */
  readonly todo: string;
}

class DeviceError<Code extends string> extends Error {
  override readonly name: string = "DeviceError";
  readonly code: Code;
  readonly what: string;
  readonly seen: string;
  readonly todo: string;

  constructor(code: Code, { what, seen, todo }: ErrorParts) {
    super(`${what}: seen ${seen}; do ${todo}`);
    this.code = code;
    this.what = what;
    this.seen = seen;
    this.todo = todo;
  }
}

/** An option, or an argument of a method, that makes no sense. `what` is its name. */
export class MachineOptionError extends DeviceError<"machine-option"> {
  override readonly name = "MachineOptionError";

  constructor(what: string, seen: string, todo: string) {
    super("machine-option", { what, seen, todo });
  }
}

/**
 * A machine did not take the guest in the option `incoming`. Nothing of it was taken.
 *
 * It is about one stream of the reference machine; `MigrationError` of ballonet/vmm is about a
 * migration between two emulators.
 */
export class IncomingStreamError extends DeviceError<"incoming-stream"> {
  override readonly name = "IncomingStreamError";
  /** The accepted features that this machine does not offer, by their names in virtio. */
  readonly missing: readonly string[];

  constructor(parts: ErrorParts, missing: readonly string[] = []) {
    super("incoming-stream", parts);
    this.missing = missing;
  }
}
