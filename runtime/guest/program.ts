/** What a program knows of itself, and how it ends. Importing it defines the guest's globals. */
import "./globals.ts";
import { programWords } from "./command-line.ts";
import { host } from "./host.ts";

const words = programWords(host.commandLine());

/** The program's arguments: what stands after `--` on the guest's command line. */
export const args: readonly string[] = words.args;

/** The program's environment: the words `env.NAME=VALUE` of the guest's command line. */
export const env: Readonly<Record<string, string>> = words.env;

const CODE_MAX = 127;

/**
 * Ends the program, and with it the machine. `ballonet run` ends with the same code.
 * @throws RangeError unless the code is a whole number from 0 to 127.
 */
export function exit(code = 0): never {
  if (!Number.isInteger(code) || code < 0 || code > CODE_MAX) {
    throw new RangeError(`exit: a whole number from 0 to ${CODE_MAX}, not ${code}`);
  }
  return host.exit(code);
}

/**
 * Returns whether `Date` knows the date: from the machine's real-time clock, which is taken for
 * UTC. On a machine without one, dates count from 1970 at boot.
 */
export function knowsDate(): boolean {
  return host.knowsDate();
}
