/**
 * The command line: which command, its options, its exit code, and every failure in words.
 *
 * It holds no logic and touches nothing global: outputs, environment, signal and the work itself
 * are handed in. Invariant: `main` never throws for what a user can do or lack; it returns a code.
 */

import { type Failure, FailureError } from "../failure.ts";
import { packageVersion } from "../package.ts";
import { failureOf } from "../session/failure-of.ts";
import { nearestName } from "../text/did-you-mean.ts";
import { boot } from "./commands/boot.ts";
import { compare } from "./commands/compare.ts";
import { doctor } from "./commands/doctor.ts";
import { explain } from "./commands/explain.ts";
import { image } from "./commands/image.ts";
import { COMMANDS, type CommandSpec } from "./commands.ts";
import { exitCodeOf, GOOD } from "./exit-codes.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { type Given, parseOptions } from "./options.ts";
import { failedLines } from "./session/text.ts";
import { type Io, Screen } from "./terminal.ts";

/** The work behind the commands; loaded when needed, because `--help` needs none of it. */
export interface Services {
  runSession(): Promise<typeof import("../session/session.ts").runSession>;
  buildImage(): Promise<typeof import("../image/build-image.ts").buildImage>;
  laboratory(): Promise<typeof import("../lab/index.ts")>;
  diagnose(): Promise<typeof import("../session/doctor.ts").diagnose>;
}

export const SERVICES: Services = {
  runSession: async () => (await import("../session/session.ts")).runSession,
  buildImage: async () => (await import("../image/build-image.ts")).buildImage,
  laboratory: () => import("../lab/index.ts"),
  diagnose: async () => (await import("../session/doctor.ts")).diagnose,
};

/** Why a run is cut short: the abort reason of `Io.signal`. */
export class Interrupted extends Error {
  readonly exitCode: number;
  /** Nobody is there to read why. */
  readonly silent: boolean;

  constructor(parts: { signal: string; exitCode: number; silent?: boolean }) {
    super(parts.signal);
    this.name = "Interrupted";
    this.exitCode = parts.exitCode;
    this.silent = parts.silent ?? false;
  }
}

export interface MainOptions {
  /** What was typed after the program's name. */
  readonly args: readonly string[];
  readonly io: Io;
  readonly services?: Services;
}

/** Runs one command and returns the exit code. Rejects only with a bug. */
export async function main({ args, io, services = SERVICES }: MainOptions): Promise<number> {
  try {
    return await dispatch({ args, io, services });
  } catch (error) {
    if (error instanceof Interrupted) {
      if (!error.silent) io.err.write(`${error.message}: ended, and nothing is left running\n`);
      return error.exitCode;
    }
    const failure = failureOf(error) ?? missingPackage(error);
    if (failure === undefined) throw error;
    tellFailure({ failure, io, json: args.includes("--json") });
    return exitCodeOf(failure);
  }
}

async function dispatch({ args, io, services }: Required<MainOptions>): Promise<number> {
  const [first = "", ...rest] = args;
  if (first === "") {
    io.err.write(generalHelp());
    return exitCodeOf({ kind: "usage" });
  }
  if (first === "--version" || first === "-V") {
    io.out.write(`ballonet ${packageVersion()}\n`);
    return GOOD;
  }
  const helpFor = first === "help" || first === "--help" || first === "-h";
  if (helpFor && rest[0] === undefined) {
    io.out.write(generalHelp());
    return GOOD;
  }
  const command = findCommand(helpFor ? (rest[0] ?? "") : first);
  const { name, options: specs, operand } = command;
  const given = helpFor
    ? undefined
    : parseOptions({ command: `ballonet ${name}`, specs, operand, args: rest });
  if (given === undefined || given.has("help")) {
    io.out.write(commandHelp(command));
    return GOOD;
  }
  return perform({ name, given, io, services });
}

async function perform(parts: {
  name: string;
  given: Given;
  io: Io;
  services: Services;
}): Promise<number> {
  const { name, given, io, services } = parts;
  switch (name) {
    case "boot":
      return boot({ given, io, run: await services.runSession() });
    case "image":
      return image({ given, io, build: await services.buildImage() });
    case "explain":
      return explain({ given, io, lab: await services.laboratory() });
    case "compare":
      return compare({ given, io, lab: await services.laboratory() });
    default:
      return doctor({ given, io, examine: await services.diagnose() });
  }
}

function findCommand(typed: string): CommandSpec {
  const found = COMMANDS.find(({ name }) => name === typed);
  if (found !== undefined) return found;
  const names = COMMANDS.map(({ name }) => name);
  const nearest = nearestName(typed, names);
  throw new FailureError({
    kind: "usage",
    what: typed.startsWith("-") ? "unknown option" : "unknown command",
    seen: `"${typed}"`,
    todo: `${nearest ? `did you mean ${nearest}? ` : ""}see \`ballonet --help\``,
  });
}

function tellFailure(parts: { failure: Failure; io: Io; json: boolean }): void {
  const { failure, io, json } = parts;
  const { kind, what, seen, todo } = failure;
  if (json) {
    io.out.write(`${JSON.stringify({ type: "failed", kind, what, seen, todo })}\n`);
    return;
  }
  const screen = new Screen(io.err, io.environment);
  for (const line of failedLines(failure, screen.paint)) screen.line(line);
}

/** A dependency that is not installed fails where it is imported. */
function missingPackage(error: unknown): Failure | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code !== "ERR_MODULE_NOT_FOUND") return undefined;
  const { message } = error as Error;
  return {
    kind: "missing",
    what: "a package that this one needs",
    seen: message.split("\n")[0] ?? "",
    todo: "run `npm ci` in the package's folder; `ballonet doctor` says more",
  };
}
