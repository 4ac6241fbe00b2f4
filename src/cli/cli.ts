/**
 * The command line: finds the command, runs it, and turns every failure into words and a code.
 *
 * Outputs, environment, signal and commands are handed in, so that tests run all of it.
 */

import { nearestName } from "../../runtime/abi.ts";
import { type Failure, FailureError } from "../failure.ts";
import { packageVersion } from "../package.ts";
import { failureOf } from "../session/failure-of.ts";
import type { Command } from "./command.ts";
import * as boot from "./commands/boot.ts";
import * as check from "./commands/check.ts";
import * as compare from "./commands/compare.ts";
import * as doctor from "./commands/doctor.ts";
import * as explain from "./commands/explain.ts";
import * as image from "./commands/image.ts";
import * as judge from "./commands/judge.ts";
import * as list from "./commands/list.ts";
import * as play from "./commands/play.ts";
import * as report from "./commands/report.ts";
import * as runCommand from "./commands/run.ts";
import * as simulate from "./commands/simulate.ts";
import { exitCodeOf, GOOD } from "./exit-codes.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { parseOptions } from "./options.ts";
import { failedLines } from "./session/text.ts";
import { type Io, Screen } from "./terminal.ts";

/** In the order of the help. */
export const COMMANDS: readonly Command[] = [
  boot,
  runCommand,
  play,
  image,
  judge,
  check,
  report,
  compare,
  simulate,
  list,
  explain,
  doctor,
];

/** Why a run is cut short: the abort reason of `Io.signal`. */
export class Interrupted extends Error {
  readonly exitCode: number;
  /** The reader of the output has left: print nothing. */
  readonly silent: boolean;

  constructor(parts: { signal: string; exitCode: number; silent?: boolean }) {
    super(parts.signal);
    this.name = "Interrupted";
    this.exitCode = parts.exitCode;
    this.silent = parts.silent ?? false;
  }
}

interface MainOptions {
  /** What was typed after the program's name. */
  readonly args: readonly string[];
  readonly io: Io;
  readonly commands?: readonly Command[];
}

/** Runs one command and returns the exit code. Rejects only with a bug. */
export async function main({ args, io, commands = COMMANDS }: MainOptions): Promise<number> {
  const json = args.includes("--json");
  try {
    return await dispatch({ args, io, commands });
  } catch (error) {
    if (error instanceof Interrupted) {
      const { message: signal, exitCode } = error;
      if (json && !error.silent) writeJson(io, { type: "interrupted", signal, exitCode });
      if (!error.silent) io.err.write(`${error.message}: stopped; nothing is left running\n`);
      return error.exitCode;
    }
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    printFailure({ failure, io, json });
    return exitCodeOf(failure);
  }
}

async function dispatch({ args, io, commands }: Required<MainOptions>): Promise<number> {
  const specs = commands.map(({ spec }) => spec);
  const [first = "", ...rest] = args;
  if (first === "") {
    io.err.write(generalHelp(specs));
    return exitCodeOf({ kind: "usage" });
  }
  if (first === "--version" || first === "-V") {
    io.out.write(`ballonet ${packageVersion()}\n`);
    return GOOD;
  }
  const isHelp = first === "help" || first === "--help" || first === "-h";
  if (isHelp && rest[0] === undefined) {
    io.out.write(generalHelp(specs));
    return GOOD;
  }
  const command = findCommand(commands, isHelp ? (rest[0] ?? "") : first);
  const { name, options, operand, files, rest: words } = command.spec;
  const takesRest = words !== undefined;
  const given = isHelp
    ? undefined
    : parseOptions({
        command: `ballonet ${name}`,
        specs: options,
        operand,
        files,
        takesRest,
        args: rest,
      });
  if (given === undefined || given.has("help")) {
    io.out.write(commandHelp(command.spec));
    return GOOD;
  }
  return command.run({ given, io });
}

function findCommand(commands: readonly Command[], typed: string): Command {
  const found = commands.find(({ spec }) => spec.name === typed);
  if (found !== undefined) return found;
  const nearest = nearestName(
    typed,
    commands.map(({ spec }) => spec.name),
  );
  throw new FailureError({
    kind: "usage",
    what: typed.startsWith("-") ? "unknown option" : "unknown command",
    seen: `"${typed}"`,
    todo: `${nearest ? `did you mean ${nearest}? ` : ""}see \`ballonet --help\``,
  });
}

function writeJson({ out }: Io, value: object): void {
  out.write(`${JSON.stringify(value)}\n`);
}

function printFailure(parts: { failure: Failure; io: Io; json: boolean }): void {
  const { failure, io, json } = parts;
  const { kind, what, seen, todo } = failure;
  if (json) {
    const rest = { guestExitCode: null, logTail: [] };
    writeJson(io, { type: "failed", kind, what, seen, todo, ...rest });
    return;
  }
  const screen = new Screen(io.err, io.environment);
  for (const line of failedLines(failure, screen.paint)) screen.line(line);
}
