/** A machine's end in words, and the errors that follow from it. */

import { tailPhrase, VmmError } from "./errors.ts";
import type { GuestLog } from "./log.ts";
import type { GuestExit } from "./vmm.ts";

/** Returns a machine's end in a few words. */
export function describeExit(exit: GuestExit): string {
  const how = {
    guest: `the guest's exit code ${exit.guestExitCode}`,
    shutdown: "a shutdown",
    halted: "a guest halted for good",
    killed: "a kill",
    failed: `a failure of the emulator (status ${exit.code}, signal ${exit.signal})`,
  }[exit.reason];
  return exit.complaint === "" ? how : `${how}, saying ${JSON.stringify(exit.complaint)}`;
}

/** For calls to a machine that has ended. Quotes the reason and the end of the log. */
export function exitedError(parts: { exit: GuestExit; log: GuestLog; cause?: unknown }): VmmError {
  const error = new VmmError({
    code: "exited",
    what: "the machine",
    seen: `${describeExit(parts.exit)} and ${tailPhrase(parts.log.tail())}`,
    todo: "launch it again",
    cause: parts.cause,
  });
  // V8 keeps each `this` of the stack, and so the machine, until the stack is read for the first
  // time. The log has this error, and may be kept for long.
  void error.stack;
  return error;
}

/** For `Vmm.balloon` of a machine without one. */
export function noBalloonError(): VmmError {
  return new VmmError({
    code: "no-balloon",
    what: "the balloon",
    seen: "a machine launched without one",
    todo: "launch it without balloon: false",
  });
}
