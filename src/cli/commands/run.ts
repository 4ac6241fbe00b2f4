/**
 * `ballonet run`: a program of the user's in a guest; its output on the terminal, its exit code as
 * the command's.
 */
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { FailureError } from "../../failure.ts";
import { checkProgramMachine } from "../../session/program-machine.ts";
import type { ProgramLine, RunProgramOptions } from "../../session/run-program.ts";
import { type Call, type CommandSpec, HELP } from "../command.ts";
import { MACHINE_OPTIONS, machineChoice, policyChoice, policyOption } from "../machine-options.ts";
import type { Given } from "../options.ts";
import { BuildSteps } from "../progress.ts";
import { failedLines } from "../session/text.ts";
import { type Io, Screen } from "../terminal.ts";

export const spec: CommandSpec = {
  name: "run",
  text: "run a program of your own in a guest",
  operand: { value: "FILE", required: true, text: "the program, TypeScript or JavaScript" },
  rest: "ARGUMENTS",
  options: [
    MACHINE_OPTIONS.on,
    MACHINE_OPTIONS.arch,
    MACHINE_OPTIONS.machine,
    MACHINE_OPTIONS.qemu,
    MACHINE_OPTIONS.memory,
    {
      name: "env",
      value: "NAME=VALUE",
      repeatable: true,
      text: "a variable of the program's environment; repeat for more",
    },
    policyOption("how the driver follows a target (cooperative)"),
    { name: "append", value: "WORDS", text: "words for the guest's driver: ballonet.KEY=VALUE" },
    { name: "watch", text: "boot anew at each change of the program's files" },
    { name: "verbose", short: "v", text: "show the guest's own log, too, on standard error" },
    HELP,
  ],
  notes: [
    "What the program prints with console.warn and console.error goes to standard error, all " +
      "else to standard output. The command ends with the program's exit code, or with 14 after " +
      "an error that nothing caught. When the program could not run, a message that begins with " +
      "`failed` says so, and the code is 1 to 3, as in `ballonet --help`.",
    "A program imports what only a guest has from ballonet/guest, and packages that need no " +
      "Node. It takes the package esbuild to bundle them. GUIDE.md says more.",
  ],
  examples: [
    ["ballonet run app.ts", "on v86"],
    ["ballonet run app.ts --on qemu --memory 1G -- one two", "on QEMU, with arguments"],
    ["ballonet run app.ts --watch", "again at each change"],
  ],
};

/** How often --watch looks at the files. */
const LOOK_MS = 250;

type Work = Pick<typeof import("../../session/index.ts"), "runProgram">;

function variables(given: Given): Record<string, string> {
  const pairs = given.values("env").map((text) => {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name !== undefined && value !== undefined) return [name, value];
    const todo = "write --env NAME=VALUE";
    throw new FailureError({ kind: "usage", what: "option --env", seen: `"${text}"`, todo });
  });
  return Object.fromEntries(pairs);
}

/** @throws FailureError `usage` for options that contradict each other. */
function programOptions(given: Given, environment: Io["environment"]): RunProgramOptions {
  const machine = machineChoice(given, environment);
  checkProgramMachine(machine);
  const { name, file } = policyChoice(given);
  const words = name === undefined ? [] : [`ballonet.policy=${name}`];
  return {
    ...machine,
    app: given.operand ?? "",
    args: given.rest,
    env: variables(given),
    policy: file,
    append: [...words, ...given.values("append")].join(" "),
  };
}

export async function run(
  { given, io }: Call,
  load: () => Promise<Work> = () => import("../../session/index.ts"),
): Promise<number> {
  const { runProgram } = await load();
  const options = programOptions(given, io.environment);
  const runOnce = (signal: AbortSignal, onBundled: (inputs: readonly string[]) => void) =>
    once({ io, runProgram, options: { ...options, signal, onBundled }, given });
  if (!given.has("watch")) return runOnce(io.signal, () => {});
  return watch(io, options.app, runOnce);
}

async function once(parts: {
  io: Io;
  given: Given;
  options: RunProgramOptions;
  runProgram: Work["runProgram"];
}): Promise<number> {
  const { io, given, options, runProgram } = parts;
  const steps = new BuildSteps(new Screen(io.err, io.environment));
  const isVerbose = given.has("verbose");
  return runProgram({
    ...options,
    onLine: ({ level, text }: ProgramLine) => {
      const to = level === "warn" || level === "error" ? io.err : io.out;
      to.write(`${text}\n`);
    },
    onStart: () => steps.end(),
    ...(isVerbose ? { onProgress: (step) => steps.show(step) } : {}),
    ...(isVerbose ? { onLog: (line: string) => io.err.write(`${line}\n`) } : {}),
  });
}

/** Runs the program again whenever one of its files has changed, until the signal aborts. */
async function watch(
  io: Io,
  app: string,
  runOnce: (signal: AbortSignal, onBundled: (inputs: readonly string[]) => void) => Promise<number>,
): Promise<never> {
  const { failureOf } = await import("../../session/index.ts");
  const screen = new Screen(io.err, io.environment);
  let files: readonly string[] = [app];
  for (;;) {
    const startedMs = Date.now();
    const changed = new AbortController();
    const running = runOnce(AbortSignal.any([io.signal, changed.signal]), (inputs) => {
      files = inputs;
    }).then(
      (code) => screen.line(`ended with code ${code}; waiting for a change`),
      (error: unknown) => {
        if (changed.signal.aborted || io.signal.aborted) return;
        const failure = failureOf(error);
        if (failure === undefined) throw error;
        for (const line of failedLines(failure, screen.paint)) screen.line(line);
      },
    );
    while (!io.signal.aborted && (await lastChange(files)) <= startedMs) {
      await sleep(LOOK_MS, undefined, { signal: io.signal }).catch(() => {});
    }
    changed.abort(new Error("a file of the program has changed"));
    await running;
    io.signal.throwIfAborted();
    screen.line("a file has changed: booting anew");
  }
}

/** When a file was changed last, in milliseconds since 1970. */
async function lastChange(files: readonly string[]): Promise<number> {
  const times = files.map((path) =>
    stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    ),
  );
  return Math.max(0, ...(await Promise.all(times)));
}
