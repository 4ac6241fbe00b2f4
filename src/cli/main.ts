#!/usr/bin/env node
/**
 * The program `ballonet`: connects the command line to the process's outputs and signals.
 *
 * The first signal ends the guest in good order and sets the exit code. A second one ends the
 * process at once.
 */
import { Interrupted, main } from "./cli.ts";
import { exitCodeOf } from "./exit-codes.ts";
import type { Output } from "./terminal.ts";

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
/** The shell's code for a process that wrote to a closed pipe: 128 + SIGPIPE. */
const BROKEN_PIPE = 141;
/**
 * npm forwards SIGINT to its child, which has it from the terminal already: one Ctrl-C arrives
 * twice. So a second signal within this time does not count.
 */
const SAME_SIGNAL_MS = 1_000;
const COLUMNS = 80;

const interruption = new AbortController();
let interruptedMs = 0;
/** Standard output cannot be written, as on a full disk. */
let isLost = false;

function interrupt(signal: string, exitCode: number): void {
  if (!interruption.signal.aborted) {
    interruptedMs = performance.now();
    const silent = exitCode === BROKEN_PIPE;
    interruption.abort(new Interrupted({ signal, exitCode, silent }));
  } else if (performance.now() - interruptedMs > SAME_SIGNAL_MS) {
    process.exit(exitCode);
  }
}

for (const [signal, exitCode] of Object.entries(SIGNALS)) {
  process.on(signal, () => interrupt(signal, exitCode));
}

function output(stream: NodeJS.WriteStream): Output {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // The reader of the output has left, as in `ballonet boot | head -1`.
    if (error.code !== "EPIPE" && !isLost) {
      isLost = true;
      if (stream === process.stdout) process.stderr.write(`failed   output: ${error.message}\n`);
    }
    interrupt("SIGPIPE", BROKEN_PIPE);
  });
  return {
    write: (text) => {
      stream.write(text);
    },
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.columns ?? COLUMNS;
    },
  };
}

process.on("exit", () => {
  if (isLost) process.exitCode = exitCodeOf({ kind: "missing" });
});

process.exitCode = await main({
  args: process.argv.slice(2),
  io: {
    out: output(process.stdout),
    err: output(process.stderr),
    environment: process.env,
    signal: interruption.signal,
  },
});
