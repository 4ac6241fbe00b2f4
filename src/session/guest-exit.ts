/**
 * The failure that a guest's exit code stands for.
 */
import { EXIT, STOP } from "../../runtime/abi.ts";
import { type Failure, FailureError } from "../failure.ts";
import { describeExit } from "../vmm/exit.ts";
import type { GuestExit } from "../vmm/vmm.ts";

type Meaning = Pick<Failure, "kind" | "what" | "todo">;

const REPORT = "report the panic line with the options that led to it";

const MEANING = new Map<number, Meaning>([
  [
    EXIT.powerOff,
    {
      kind: "guest",
      what: "the guest was switched off by its power button",
      todo: "leave it running until it is done",
    },
  ],
  [
    EXIT.noBalloon,
    {
      kind: "guest",
      what: "the guest found no balloon",
      todo: "give the machine a balloon device",
    },
  ],
  [
    EXIT.tooLittleMemory,
    { kind: "guest", what: "the guest has too little memory", todo: "give it more with --memory" },
  ],
  [
    EXIT.badCommandLine,
    {
      kind: "usage",
      what: "the guest refused its command line",
      todo: "correct the ballonet.KEY=VALUE words",
    },
  ],
  [
    EXIT.deviceFailed,
    { kind: "guest", what: "the guest could not use the balloon device", todo: "see the log line" },
  ],
  [STOP.wasmTrap, { kind: "guest", what: "the guest panicked: WebAssembly trap", todo: REPORT }],
  [STOP.exception, { kind: "guest", what: "the guest panicked: CPU exception", todo: REPORT }],
  [STOP.uncaught, { kind: "guest", what: "the guest panicked: uncaught error", todo: REPORT }],
  [
    STOP.noMemory,
    {
      kind: "guest",
      what: "the guest panicked: out of memory",
      todo: "give it more with --memory, or leave it more with lower targets",
    },
  ],
  [STOP.engine, { kind: "guest", what: "the guest panicked: JavaScript engine", todo: REPORT }],
  [
    STOP.loader,
    {
      kind: "guest",
      what: "the guest cannot boot: too little memory, or a loader that it does not understand",
      todo: "give it more with --memory; if it has enough, report the panic line",
    },
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
  const meaning = exit.guestExitCode === undefined ? undefined : MEANING.get(exit.guestExitCode);
  const seen = [logged, meaning && `exit code ${exit.guestExitCode}`].filter(Boolean).join("; ");
  if (meaning !== undefined) return new FailureError({ ...meaning, seen });
  return new FailureError({
    kind: exit.reason === "failed" ? "emulator" : "guest",
    what: exit.reason === "failed" ? "the emulator failed" : "the guest ended",
    seen: [describeExit(exit), logged].filter(Boolean).join("; "),
    todo: "read the guest's log with --verbose, or the emulator's message, for the reason",
  });
}
