/**
 * The errors of this package: a code, what went wrong, what was seen, what to do about it.
 *
 * An error means that somebody must act: change a setting, fix a device, report a bug. "Again
 * later" is a return value, never an error.
 */

/** What an `ActionError` is made of. */
export interface ErrorParts<Code extends string> {
  readonly code: Code;
  /** The thing that went wrong, as a short noun phrase: "device status after reset". */
  readonly what: string;
  /** What was observed, with the numbers: "0xff after 1000 polls". */
  readonly seen: string;
  /** What the reader should do: "check that the device is still plugged in". */
  readonly todo: string;
  /** The error that led to this one. */
  readonly cause?: unknown;
}

/**
 * An error that somebody can act on. Its message is "WHAT: seen SEEN; do TODO", so one line in a
 * log suffices. Subclasses name their codes and may add fields; nothing else differs.
 */
export class ActionError<Code extends string = string> extends Error {
  override readonly name: string = "ActionError";
  readonly code: Code;
  /** The thing that went wrong. */
  readonly what: string;
  /** What was observed instead. */
  readonly seen: string;
  /** What the reader should do. */
  readonly todo: string;

  constructor({ code, what, seen, todo, cause }: ErrorParts<Code>) {
    super(`${what}: seen ${seen}; do ${todo}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.what = what;
    this.seen = seen;
    this.todo = todo;
  }
}

/**
 * Every code of a `BallonetError`. Codes are part of the public API: they are added, never renamed.
 *
 * - `config`: the caller's settings contradict each other or the device's features.
 * - `memory`: a memory range handed over by the caller is too small, unaligned or overlaps.
 * - `core-abi`: core.wasm and the runtime do not belong to the same version.
 * - `no-device`: nothing that the driver knows answers on the bus.
 * - `pci-bar`: a base address register is unassigned, reserved or of the wrong kind.
 * - `pci-capability`: the capability list is broken, or lacks what virtio needs.
 * - `access`: an access outside of what the transport mapped: a bug of the caller.
 * - `reset-timeout`: the device status did not become 0 after a reset.
 * - `features`: the device refused every feature set offered to it, or lacks a required one.
 * - `queue`: a queue that the driver needs does not exist, is too small, or would not set up.
 * - `device-failed`: the device asked for a reset, or the driver gave up on it.
 * - `device-lied`: the device wrote into a ring what no device may write.
 * - `device-gone`: the device no longer answers.
 * - `policy`: a policy threw, or decided what none may; the driver goes on with `follow`.
 */
export type ErrorCode =
  | "config"
  | "memory"
  | "core-abi"
  | "no-device"
  | "pci-bar"
  | "pci-capability"
  | "access"
  | "reset-timeout"
  | "features"
  | "queue"
  | "device-failed"
  | "device-lied"
  | "device-gone"
  | "policy";

/** What the driver and its kernel throw on purpose. */
export class BallonetError extends ActionError<ErrorCode> {
  override readonly name: string = "BallonetError";
}

/** The error of what a caller gave: code `config`. */
export function configError(what: string, seen: string, todo: string): BallonetError {
  return new BallonetError({ code: "config", what, seen, todo });
}

/** `value` as the hexadecimal number that the specifications print: 0x1af4, 0x0b. */
export function hex(value: number | bigint, digits = 2): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}
