/**
 * The help texts, made from the specs of the commands; they fit a terminal of 80 columns.
 */
import { wrapped } from "../text/wrap.ts";
import type { CommandSpec } from "./command.ts";
import type { OptionSpec } from "./options.ts";

const EXIT_CODES = [
  ["0", "all went well"],
  ["1", "failed: memory changed, a target was missed, or the guest gave up"],
  ["2", "the command line makes no sense"],
  ["3", "something is missing on this machine (`ballonet doctor` shows what)"],
  ["130, 143", "interrupted; the guest was ended and nothing is left behind"],
] as const;

const COLUMNS = 80;
/** Options that are wider stand on a line of their own. */
const COLUMN_MOST = 20;

function table(rows: readonly (readonly [string, string])[]): string[] {
  const fitting = rows.map(([left]) => left.length).filter((length) => length <= COLUMN_MOST);
  const width = Math.max(0, ...fitting);
  return rows.flatMap(([left, right]) => {
    const [first = "", ...rest] = wrapped(right, COLUMNS - width - 4);
    const indent = `  ${" ".repeat(width)}  `;
    const head =
      left.length > width ? [`  ${left}`, indent + first] : [`  ${left.padEnd(width)}  ${first}`];
    return [...head, ...rest.map((line) => indent + line)];
  });
}

function optionRow({ name, short, value, text }: OptionSpec): [string, string] {
  const dashed = `${short ? `-${short}, ` : ""}--${name}`;
  return [value === undefined ? dashed : `${dashed} ${value}`, text];
}

export function generalHelp(commands: readonly CommandSpec[]): string {
  return [
    "ballonet: a virtio memory balloon driver, booted in v86 or QEMU",
    "",
    "Usage: ballonet COMMAND [OPTIONS]",
    "",
    "Commands",
    ...table(commands.map(({ name, text }) => [name, text])),
    "",
    "Options",
    ...table([
      ["-h, --help", "show this help; `ballonet COMMAND --help` shows more"],
      ["-V, --version", "show the version"],
    ]),
    "",
    "Exit codes",
    ...table(EXIT_CODES),
    "",
  ].join("\n");
}

function usage({ name, operand, files, rest }: CommandSpec): string {
  const word = operand?.required ? ` ${operand.value}` : operand && ` [${operand.value}]`;
  const behind = files === undefined ? "" : ` ${files.value}`;
  const more = rest === undefined ? "" : ` [-- ${rest}]`;
  return `Usage: ballonet ${name}${word ?? ""}${behind} [OPTIONS]${more}`;
}

export function commandHelp(command: CommandSpec): string {
  const { name, text, operand, files, options, notes, examples } = command;
  const words = [operand, files].flatMap((word) => (word === undefined ? [] : word));
  return [
    ...wrapped(`ballonet ${name}: ${text}`, COLUMNS),
    "",
    usage(command),
    "",
    ...(words.length === 0 ? [] : [...table(words.map((one) => [one.value, one.text])), ""]),
    "Options",
    ...table(options.map(optionRow)),
    "",
    ...notes.flatMap((note) => [...wrapped(note, COLUMNS), ""]),
    "Examples",
    ...examples.flatMap(([line, meaning]) => [`  ${line}`, `      ${meaning}`]),
    "",
  ].join("\n");
}
