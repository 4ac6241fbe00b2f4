/**
 * The help texts, made from the table of commands.
 *
 * Invariant: what stands in the table stands in the help, and nothing else does.
 */
import { COMMANDS, type CommandSpec } from "./commands.ts";
import type { OptionSpec } from "./options.ts";

const EXIT_CODES = [
  ["0", "all went well"],
  ["1", "a rule was broken: changed memory, a target not reached, a guest that gave up"],
  ["2", "the command line makes no sense"],
  ["3", "something is missing on this machine (`ballonet doctor` says what)"],
  ["130, 143", "interrupted; the guest was ended and nothing is left behind"],
] as const;

/** Options that are wider stand on a line of their own. */
const COLUMN_MOST = 24;

function table(rows: readonly (readonly [string, string])[]): string[] {
  const fitting = rows.map(([left]) => left.length).filter((length) => length <= COLUMN_MOST);
  const width = Math.max(0, ...fitting);
  return rows.flatMap(([left, right]) =>
    left.length > width
      ? [`  ${left}`, `  ${" ".repeat(width)}  ${right}`]
      : [`  ${left.padEnd(width)}  ${right}`],
  );
}

function optionRow({ name, short, value, text }: OptionSpec): [string, string] {
  const dashed = `${short ? `-${short}, ` : ""}--${name}`;
  return [value === undefined ? dashed : `${dashed} ${value}`, text];
}

export function generalHelp(): string {
  return [
    "ballonet: a virtio memory balloon driver, booted in v86 or QEMU",
    "",
    "Usage: ballonet COMMAND [OPTIONS]",
    "",
    "Commands",
    ...table(COMMANDS.map(({ name, text }) => [name, text])),
    "",
    "Options",
    ...table([
      ["-h, --help", "say this; `ballonet COMMAND --help` says more"],
      ["-V, --version", "say the version"],
    ]),
    "",
    "Exit codes",
    ...table(EXIT_CODES),
    "",
  ].join("\n");
}

function usage({ name, operand }: CommandSpec): string {
  const word = operand?.required ? ` ${operand.value}` : operand && ` [${operand.value}]`;
  return `Usage: ballonet ${name}${word ?? ""} [OPTIONS]`;
}

export function commandHelp(command: CommandSpec): string {
  const { name, text, operand, options, notes, examples } = command;
  return [
    `ballonet ${name}: ${text}`,
    "",
    usage(command),
    "",
    ...(operand === undefined ? [] : [...table([[operand.value, operand.text]]), ""]),
    "Options",
    ...table(options.map(optionRow)),
    "",
    ...notes.flatMap((note) => [note, ""]),
    "Examples",
    ...examples.flatMap(([line, meaning]) => [`  ${line}`, `      ${meaning}`]),
    "",
  ].join("\n");
}
