/**
 * The failure that a guest's exit code stands for.
 */
import { EXIT, STOP } from "../../runtime/abi.ts";
import { FailureError } from "../failure.ts";
import { describeExit } from "../vmm/exit.ts";
import type { GuestExit } from "../vmm/vmm.ts";

const REPORT = "report the panic line with the options that led to it";

/** What each code means, and what to do about it. */
const MEANING = new Map<number, readonly [what: string, todo: string]>([
  [
    EXIT.powerOff,
    ["the guest was switched off by its power button", "leave it running until it is done"],
  ],
  [EXIT.noBalloon, ["the guest found no balloon", "give the machine a balloon device"]],
  [EXIT.tooLittleMemory, ["the guest has too little memory", "give it more with --memory"]],
  [
    EXIT.badCommandLine,
    ["the guest refused its command line", "correct the ballonet.KEY=VALUE words"],
  ],
  [EXIT.deviceFailed, ["the guest could not use the balloon device", "see the log line"]],
  [
    EXIT.programFailed,
    ["the program in the guest failed", "see the error that it printed, with its stack"],
  ],
  [STOP.wasmTrap, ["the guest panicked: WebAssembly trap", REPORT]],
  [STOP.exception, ["the guest panicked: CPU exception", REPORT]],
  [STOP.uncaught, ["the guest panicked: uncaught error", REPORT]],
  [
    STOP.noMemory,
    [
      "the guest panicked: out of memory",
      "give it more with --memory, or leave it more with lower targets",
    ],
  ],
  [STOP.engine, ["the guest panicked: JavaScript engine", REPORT]],
  [
    STOP.loader,
    [
      "the guest cannot boot: too little memory, or a loader that it does not understand",
      "give it more with --memory; if it has enough, report the panic line",
    ],
  ],
  [
    STOP.processor,
    ["the processor lacks what the guest needs", "give the machine a newer processor"],
  ],
]);

/** Every code with a meaning, for tests. */
export const GUEST_EXIT_CODES: readonly number[] = [...MEANING.keys()];

/** A panic line or a logged error, without its advice. */
const ERROR_LINE = /^ballonet: (?:panic|error): (.*?)(?:; do .*)?$/;

/** Returns the last panic or error that the guest logged. */
export function lastErrorLine(lines: readonly string[]): string | undefined {
  for (const line of [...lines].reverse()) {
    const text = ERROR_LINE.exec(line)?.[1];
    if (text !== undefined) return text;
  }
  return undefined;
}

/** Returns the failure of a machine that ended by itself; `lines` is the guest's log. */
export function failureOfExit(exit: GuestExit, lines: readonly string[]): FailureError {
  const logged = lastErrorLine(lines);
  const code = exit.guestExitCode;
  const meaning = code === undefined ? undefined : MEANING.get(code);
  if (meaning !== undefined) {
    const [what, todo] = meaning;
    const seen = [logged, `exit code ${code}`].filter(Boolean).join("; ");
    const kind = code === EXIT.badCommandLine ? "usage" : "guest";
    return new FailureError({ kind, what, seen, todo });
  }
  return new FailureError({
    kind: exit.reason === "failed" ? "emulator" : "guest",
    what: exit.reason === "failed" ? "the emulator failed" : "the guest ended",
    seen: [describeExit(exit), logged].filter(Boolean).join("; "),
    todo: "read the guest's log with --verbose, or the emulator's message, for the reason",
  });
}
