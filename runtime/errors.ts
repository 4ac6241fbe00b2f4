/**
 * The few flat errors of runtime/: a code, what was seen, what to do about it.
 *
 * An error here means that somebody must act: change a setting, fix a device, file a bug. "Again
 * later" is a return value, never an error. This file knows nothing of PCI, virtio or balloons
 * beyond the words in its codes.
 *
 * Invariant: a message is always "what: seen SEEN; do TODO", so that one line in a log suffices.
 */

/**
 * Every code there is. Codes are part of the public API: they are added, never renamed.
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
  | "device-gone";

export interface ErrorParts {
  readonly code: ErrorCode;
  /** The thing that went wrong, as a short noun phrase: "device status after reset". */
  readonly what: string;
  /** What was observed, with the numbers: "0xff after 1000 polls". */
  readonly seen: string;
  /** What the reader should do: "check that the device is still plugged in". */
  readonly todo: string;
}

/** The only error class that runtime/ throws on purpose. */
export class BallonetError extends Error {
  readonly code: ErrorCode;
  readonly seen: string;
  readonly todo: string;

  constructor({ code, what, seen, todo }: ErrorParts) {
    super(`${what}: seen ${seen}; do ${todo}`);
    this.name = "BallonetError";
    this.code = code;
    this.seen = seen;
    this.todo = todo;
  }
}

/** `value` as the hexadecimal number that the specifications print: 0x1af4, 0x0b. */
export function hex(value: number | bigint, digits = 2): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}
