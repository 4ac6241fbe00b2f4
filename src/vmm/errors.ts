/**
 * The errors of src/vmm. An abort is not among them: an aborted call rejects with the signal's own
 * reason, as everywhere in JavaScript.
 */
import { ActionError } from "../../runtime/index.ts";

/**
 * Every code of a `VmmError`. Codes are part of the public API: they are added, never renamed.
 *
 * - `option`: a setting of the caller is out of range or contradicts another.
 * - `image`: the guest image is missing, not bootable this way, or does not fit the memory.
 * - `qemu-not-found`: there is no QEMU program to start.
 * - `exited-early`: the machine ended before it could be used.
 * - `exited`: the machine has ended, so that nothing can be asked of it any more.
 * - `timeout`: something did not happen in the time given.
 * - `closed`: a channel (QMP, control) closed while something was expected from it.
 * - `protocol`: the other end of a channel broke its protocol.
 * - `qmp-command`: QEMU refused a command (see `QmpCommandError`).
 * - `control-reply`: the guest answered a request with an error (see `ControlReplyError`).
 * - `migration`: a guest did not get from one machine into another (see `MigrationError`).
 * - `no-balloon`: this machine was launched without a balloon device.
 * - `not-supported`: this kind of machine cannot do that.
 * - `v86-internals`: the installed v86 lacks an internal that this version relies on.
 */
export type VmmErrorCode =
  | "option"
  | "image"
  | "qemu-not-found"
  | "exited-early"
  | "exited"
  | "timeout"
  | "closed"
  | "protocol"
  | "qmp-command"
  | "control-reply"
  | "migration"
  | "no-balloon"
  | "not-supported"
  | "v86-internals";

/** What src/vmm throws on purpose. Its subclasses add fields. */
export class VmmError extends ActionError<VmmErrorCode> {
  override readonly name: string = "VmmError";
}

/** QEMU answered a command with an error. */
export class QmpCommandError extends VmmError {
  override readonly name: string = "QmpCommandError";
  readonly command: string;
  /** QAPI's error class: "GenericError", "CommandNotFound", "DeviceNotActive", ... */
  readonly errorClass: string;
  readonly desc: string;

  constructor({
    command,
    errorClass,
    desc,
  }: { command: string; errorClass: string; desc: string }) {
    super({
      code: "qmp-command",
      what: `QMP command ${command}`,
      seen: `${errorClass}: ${desc}`,
      todo: "correct the command or its arguments for this version of QEMU",
    });
    this.command = command;
    this.errorClass = errorClass;
    this.desc = desc;
  }
}

/** The guest answered a control request with a JSON-RPC error object. */
export class ControlReplyError extends VmmError {
  override readonly name: string = "ControlReplyError";
  readonly method: string;
  /** JSON-RPC 2.0's error code: -32601 is an unknown method, -32602 bad parameters, ... */
  readonly rpcCode: number;
  readonly rpcMessage: string;
  /** The `data` member of the error object, if it had one. */
  readonly detail: unknown;

  constructor(parts: { method: string; rpcCode: number; rpcMessage: string; detail?: unknown }) {
    super({
      code: "control-reply",
      what: `control request ${parts.method}`,
      seen: `error ${parts.rpcCode}: ${parts.rpcMessage}`,
      todo: "correct the request, or read the guest's log for the reason",
    });
    this.method = parts.method;
    this.rpcCode = parts.rpcCode;
    this.rpcMessage = parts.rpcMessage;
    this.detail = parts.detail;
  }
}

/** A guest did not arrive, and QEMU said why. */
export class MigrationError extends VmmError {
  override readonly name: string = "MigrationError";
  readonly sourceSaid: string;
  readonly destinationSaid: string;
  /** Features that the guest uses and the destination lacks; 0n if it was something else. */
  readonly missing: bigint;
  /** The source's run state, as QEMU calls it, when the failure was seen: "postmigrate", ... */
  readonly sourceState: string;

  constructor(parts: {
    sourceSaid: string;
    destinationSaid?: string;
    missing?: bigint;
    missingNames?: string;
    sourceState: string;
    cause?: unknown;
  }) {
    const { sourceSaid, destinationSaid = "", missing = 0n, missingNames = "" } = parts;
    const { sourceState, cause } = parts;
    const words = JSON.stringify({ sourceSaid, destinationSaid });
    super({
      code: "migration",
      what: "migration",
      seen:
        missing === 0n
          ? `a guest that did not arrive: ${words}`
          : `a guest that uses ${missingNames}, which the destination lacks: ${words}`,
      todo: "give both machines the same version, memory, devices and features",
      cause,
    });
    this.sourceSaid = sourceSaid;
    this.destinationSaid = destinationSaid;
    this.missing = missing;
    this.sourceState = sourceState;
  }
}

/** The last lines of a log as one phrase for an error's `seen`. */
export function tailPhrase(lines: readonly string[]): string {
  return lines.length === 0 ? "an empty log" : `a log that ends with ${JSON.stringify(lines)}`;
}
