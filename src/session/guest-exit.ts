/**
 * What the end of a guest means, in words.
 *
 * It knows the guest program's exit codes and the boot code's stop codes, and starts nothing.
 * Invariant: every code that an image of this package can end with has words here.
 */
import { EXIT, STOP } from "../../runtime/kernel/exit-codes.ts";
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

/** Every code with words, for tests. */
export const GUEST_EXIT_CODES: readonly number[] = [...MEANING.keys()];

/** The guest's own last words: a panic line, or what it logged as an error, without its advice. */
const LAST_WORDS = /^ballonet: (?:panic|error): (.*?)(?:; do .*)?$/;

export function lastWords(lines: readonly string[]): string | undefined {
  for (const line of [...lines].reverse()) {
    const words = LAST_WORDS.exec(line)?.[1];
    if (words !== undefined) return words;
  }
  return undefined;
}

/** The failure that a machine's unexpected end is. */
export function endOfGuest(exit: GuestExit, lines: readonly string[]): FailureError {
  const words = lastWords(lines);
  const meaning = exit.guestExitCode === undefined ? undefined : MEANING.get(exit.guestExitCode);
  const seen = [words, meaning && `exit code ${exit.guestExitCode}`].filter(Boolean).join("; ");
  if (meaning !== undefined) return new FailureError({ ...meaning, seen });
  return new FailureError({
    kind: exit.reason === "failed" ? "emulator" : "guest",
    what: exit.reason === "failed" ? "the emulator failed" : "the guest ended",
    seen: [describeExit(exit), words].filter(Boolean).join("; "),
    todo: "read the guest's log with --verbose, or the emulator's message, for the reason",
  });
}
