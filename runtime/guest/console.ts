/**
 * `console`: each line of the text becomes a line of the machine's log, behind a label that says
 * its level. The host knows by the label whose line it is.
 */
import { formatAll } from "./format.ts";
import { host } from "./host.ts";

/** The levels, and the label of each in the log. */
export const LABELS = {
  log: "program: ",
  info: "program: ",
  debug: "program.debug: ",
  warn: "program.warn: ",
  error: "program.error: ",
} as const;

/** What `console` can do in a guest. */
export type ConsoleLevel = keyof typeof LABELS;

/** A host cuts longer lines: what does not fit goes on in a line of its own. */
const LINE_BYTES_MAX = 4000;

function write(level: ConsoleLevel, values: readonly unknown[]): void {
  // A 0 would end the kernel's text, and half of a pair of surrogates is no character.
  const text = formatAll(values).replace(/\0/g, "\ufffd").replace(LONE, "\ufffd");
  for (const line of text.split(/\r\n|\n|\r/)) {
    for (const part of parts(line)) host.write(LABELS[level], part);
  }
}

const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** A character takes at most 3 bytes for each of its code units. */
function parts(line: string): string[] {
  if (line.length <= LINE_BYTES_MAX / 3) return [line];
  return line.match(new RegExp(`.{1,${Math.floor(LINE_BYTES_MAX / 4)}}`, "gu")) ?? [];
}

const level =
  (name: ConsoleLevel) =>
  (...values: readonly unknown[]): void =>
    write(name, values);

/** The program's console: what a program most often calls. */
export const guestConsole = {
  log: level("log"),
  info: level("info"),
  debug: level("debug"),
  warn: level("warn"),
  error: level("error"),
  trace: (...values: readonly unknown[]): void => {
    const stack = new Error().stack ?? "";
    write("error", [`Trace: ${formatAll(values)}\n${stack.trimEnd()}`]);
  },
  dir: (value: unknown): void => write("log", [value]),
  assert: (isTrue?: unknown, ...values: readonly unknown[]): void => {
    if (!isTrue) write("error", ["Assertion failed", ...values]);
  },
};
