/**
 * What a command is: its place in the help, its options, and the function that runs it.
 *
 * A command is one file in commands/ and one entry of COMMANDS (cli.ts).
 */
import type { FilesSpec, Given, OperandSpec, OptionSpec } from "./options.ts";
import type { Io } from "./terminal.ts";

export interface CommandSpec {
  readonly name: string;
  /** One line for the help. */
  readonly text: string;
  /** The word that it takes besides its options. */
  readonly operand?: OperandSpec;
  /** The files that it takes behind that word. */
  readonly files?: FilesSpec;
  /** The name in the help of the words after `--`, which are taken as they are. */
  readonly rest?: string;
  readonly options: readonly OptionSpec[];
  /** Paragraphs after the options. */
  readonly notes: readonly string[];
  /** What to type, and what it does. */
  readonly examples: readonly (readonly [string, string])[];
}

/** One call of a command: what was typed, and where to write. */
export interface Call {
  readonly given: Given;
  readonly io: Io;
}

export interface Command {
  readonly spec: CommandSpec;
  /**
   * Returns the exit code. The work is imported here and not at the top of the command's file, so
   * that `--help` loads no emulator and no compiler.
   * @throws what `failureOf` turns into an exit code, and the reason of `io.signal`.
   */
  run(call: Call): Promise<number>;
}

export const HELP: OptionSpec = { name: "help", short: "h", text: "show this help" };

export const ARCHITECTURES = ["i386", "x86_64"];

/** An option that takes one of a few words. */
export function choice(name: string, choices: readonly string[], text: string): OptionSpec {
  return { name, value: choices.join("|"), choices, text };
}

/** An option that takes words of many, with commas between them or one after the other. */
export function repeatable(
  name: string,
  choices: readonly string[],
  text: string,
  value = name.toUpperCase(),
): OptionSpec {
  return { name, value: `${value},...`, choices, repeatable: true, text };
}
