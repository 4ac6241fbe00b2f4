/**
 * The options and the operand of a command, and their parser. What was typed is understood, or
 * refused with the nearest name; nothing is ignored.
 */

import { parseArgs } from "node:util";
import { nearestName } from "../../runtime/abi.ts";
import { FailureError } from "../failure.ts";

/** An option of a command. */
export interface OptionSpec {
  readonly name: string;
  readonly short?: string;
  /** The name of the value in the help. An option without one is a switch. */
  readonly value?: string;
  /** All values, when they can be listed. */
  readonly choices?: readonly string[];
  /** A path is a value, too: what has a dot or a slash. */
  readonly orFile?: boolean;
  /** May be given more than once; where values can be listed, also as a list with commas. */
  readonly repeatable?: boolean;
  /** A value may be followed by =FILE, and commas in it are the file's. */
  readonly withFile?: boolean;
  /** One line for the help. */
  readonly text: string;
}

/** The word that a command takes besides its options. */
export interface OperandSpec {
  /** Its name in the help. */
  readonly value: string;
  /** All words, when they can be listed. */
  readonly choices?: readonly string[];
  readonly required?: boolean;
  /** One line for the help. */
  readonly text: string;
}

/** The files that a command takes, one or more, behind its operand. */
export interface FilesSpec {
  /** Their name in the help. */
  readonly value: string;
  /** One line for the help. */
  readonly text: string;
}

/** What was typed. */
export interface Given {
  /** The operand; undefined when there was none. */
  readonly operand: string | undefined;
  /** The files behind it. */
  readonly files: readonly string[];
  /** What stands after `--`, for a command that takes it. */
  readonly rest: readonly string[];
  has(name: string): boolean;
  /** The value; undefined when the option was not given. */
  value(name: string): string | undefined;
  values(name: string): readonly string[];
}

function refuse(what: string, seen: string, todo: string): FailureError {
  return new FailureError({ kind: "usage", what, seen, todo });
}

function hint(typed: string, names: readonly string[], prefix = ""): string {
  const nearest = nearestName(typed, names);
  return nearest === undefined ? "" : `did you mean ${prefix}${nearest}? `;
}

/**
 * Parses what was typed after the command; `command` is its name in messages: `ballonet boot`.
 * @throws FailureError `usage`.
 */
export function parseOptions(parts: {
  command: string;
  specs: readonly OptionSpec[];
  operand?: OperandSpec | undefined;
  files?: FilesSpec | undefined;
  /** Whether the command takes words after `--` as they are. */
  takesRest?: boolean | undefined;
  args: readonly string[];
}): Given {
  const { command, specs, operand, files } = parts;
  const end = parts.takesRest ? parts.args.indexOf("--") : -1;
  const args = end < 0 ? parts.args : parts.args.slice(0, end);
  const rest = end < 0 ? [] : parts.args.slice(end + 1);
  const listed = `see \`${command} --help\``;
  const config = specs.map(({ name, short, value }) => [
    name,
    { type: value ? ("string" as const) : ("boolean" as const), ...(short ? { short } : {}) },
  ]);
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(config),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string[]>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      const isFile = files !== undefined && operands.length > 0;
      const typed = { command, spec: operand, typed: token.value, before: operands };
      operands.push(isFile ? token.value : readOperand(typed));
      continue;
    }
    const spec = specs.find(({ name }) => name === token.name);
    if (spec === undefined) {
      const names = specs.map(({ name }) => name);
      throw refuse("unknown option", token.rawName, `${hint(token.name, names, "--")}${listed}`);
    }
    const values = given.get(spec.name) ?? [];
    if (values.length > 0 && !spec.repeatable) {
      throw refuse(`option --${spec.name}`, "more than one", "give it once");
    }
    given.set(spec.name, [...values, ...readValues({ spec, token, listed })]);
  }
  if (operand?.required && operands.length === 0 && !given.has("help")) {
    const todo = `write ${command} ${operand.choices?.[0] ?? operand.value}; ${listed}`;
    throw refuse(`\`${command}\``, `no ${operand.value}`, todo);
  }
  if (files !== undefined && operands.length === 1 && !given.has("help")) {
    throw refuse(`\`${command} ${operands[0]}\``, `no ${files.value}`, `name one; ${listed}`);
  }
  return {
    operand: operands[0],
    files: operands.slice(1),
    rest,
    has: (name) => given.has(name),
    value: (name) => given.get(name)?.[0],
    values: (name) => given.get(name) ?? [],
  };
}

function readOperand(parts: {
  command: string;
  spec: OperandSpec | undefined;
  typed: string;
  before: readonly string[];
}): string {
  const { command, spec, typed, before } = parts;
  const listed = `see \`${command} --help\``;
  const what = `\`${command}\``;
  if (spec === undefined) throw refuse(what, `"${typed}", which no option takes`, listed);
  if (before.length > 0) throw refuse(what, `"${typed}" after "${before[0]}"`, "give one of them");
  const { choices, value } = spec;
  if (choices === undefined || choices.includes(typed)) return typed;
  const todo = `${hint(typed, choices)}choose one of ${choices.join(", ")}`;
  throw refuse(`${what} ${value}`, `"${typed}"`, todo);
}

/** Of a longer list of words only the nearest one is told. */
const CHOICES_SHOWN = 50;

function readValues(parts: {
  spec: OptionSpec;
  token: { value?: string | undefined; inlineValue?: boolean | undefined };
  listed: string;
}): readonly string[] {
  const { spec, token, listed } = parts;
  const { value } = token;
  const what = `option --${spec.name}`;
  if (spec.value === undefined) {
    if (value === undefined) return [""];
    throw refuse(what, `the value "${value}"`, "leave the value out: it is a switch");
  }
  // In most cases a value that looks like an option is an option after a forgotten value.
  if (value === undefined || value === "" || (value.startsWith("--") && !token.inlineValue)) {
    const seen = value ? `${value} instead of a value` : "no value";
    throw refuse(what, seen, `write --${spec.name} ${spec.value}; ${listed}`);
  }
  const { choices, repeatable = false, withFile = false, orFile = false } = spec;
  if (choices === undefined || (orFile && isPath(value))) return [value];
  const values = repeatable && !withFile ? value.split(",") : [value];
  const words = withFile ? [value.split("=", 1)[0] ?? ""] : values;
  const wrong = words.find((word) => !choices.includes(word));
  if (wrong === undefined) return values;
  const all = choices.length > CHOICES_SHOWN ? listed : `choose one of ${choices.join(", ")}`;
  const file = orFile ? ", or give a file, such as ./mine.ts" : "";
  throw refuse(what, `"${wrong}"`, `${hint(wrong, choices)}${all}${file}`);
}

/** Returns whether a value of an option with `orFile` is a path and no word. */
export function isPath(value: string): boolean {
  return /[./\\]/.test(value);
}
