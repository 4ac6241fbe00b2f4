/**
 * Values as text, for `console`: strings as they are, other values much as in source code.
 */

/** Deeper values are shown by their kind alone. */
const DEPTH_MAX = 4;
/** More elements or properties than these are counted, not shown. */
const ITEMS_MAX = 100;
/** A value that fits into so many characters stands in one line. */
const LINE_CHARS = 72;

/** Returns the text of one line or more of `console.log(...values)`. */
export function formatAll(values: readonly unknown[]): string {
  const [first, ...rest] = values;
  if (typeof first !== "string") return values.map(formatOne).join(" ");
  let at = 0;
  // %s, %d, %i, %f, %j, %o, %O and %c, as every console has them.
  const text = first.replace(/%([sdifjoOc%])/g, (whole, letter: string) => {
    if (letter === "%") return "%";
    if (at >= rest.length) return whole;
    const value = rest[at++];
    if (letter === "s") return formatOne(value);
    if (letter === "c") return "";
    if (letter === "j") return JSON.stringify(value) ?? "undefined";
    if (letter === "o" || letter === "O") return formatValue(value, 0, []);
    if (typeof value === "bigint") return `${value}n`;
    const number = letter === "f" ? Number.parseFloat(String(value)) : Number(value);
    return String(letter === "i" ? Math.trunc(number) : number);
  });
  return [text, ...rest.slice(at).map(formatOne)].join(" ");
}

function formatOne(value: unknown): string {
  return typeof value === "string" ? value : formatValue(value, 0, []);
}

/** Returns an error's name, message, stack and causes. */
export function formatError(error: unknown): string {
  if (!(error instanceof Error)) return formatOne(error);
  const stack = typeof error.stack === "string" ? error.stack.trimEnd() : "";
  const head = `${error.name}: ${error.message}`;
  const whole = stack.startsWith(head) ? stack : [head, stack].filter(Boolean).join("\n");
  const parts = [whole];
  if (error.cause !== undefined) parts.push(`caused by ${formatError(error.cause)}`);
  if (error instanceof AggregateError) {
    for (const one of error.errors) parts.push(`one of them is ${formatError(one)}`);
  }
  return parts.join("\n");
}

type Around = readonly object[];

function formatValue(value: unknown, depth: number, around: Around): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "bigint":
      return `${value}n`;
    case "symbol":
      return value.toString();
    case "function":
      return `[${isClass(value) ? "class" : "function"} ${value.name || "(no name)"}]`;
    case "object":
      return value === null ? "null" : formatObject(value, depth, around);
    default:
      return Object.is(value, -0) ? "-0" : String(value);
  }
}

function isClass(value: object): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value));
}

function formatObject(value: object, depth: number, around: Around): string {
  if (around.includes(value)) return "[circular]";
  if (value instanceof Error) return formatError(value);
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  }
  if (value instanceof RegExp) return String(value);
  const name = nameOf(value);
  if (depth >= DEPTH_MAX) return `[${name || "Object"}]`;
  const inside = (item: unknown) => formatValue(item, depth + 1, [...around, value]);
  if (Array.isArray(value)) return list("", "[", limited(value, inside), "]", depth);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const items = Array.from(value as Uint8Array, String);
    return list(`${name}(${items.length}) `, "[", limited(items, String), "]", depth);
  }
  if (value instanceof Map) {
    const pairs = limited([...value], ([key, one]) => `${inside(key)} => ${inside(one)}`);
    return list(`Map(${value.size}) `, "{", pairs, "}", depth);
  }
  if (value instanceof Set) {
    return list(`Set(${value.size}) `, "{", limited([...value], inside), "}", depth);
  }
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet) {
    return `${name} {}`;
  }
  const properties = limited(Object.entries(Object.getOwnPropertyDescriptors(value)), (entry) => {
    const [key, { enumerable, get, value: one }] = entry;
    if (!enumerable) return "";
    const shown = /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key);
    return `${shown}: ${get === undefined ? inside(one) : "[getter]"}`;
  });
  const label = name === "Object" || name === "" ? "" : `${name} `;
  return list(label, "{", properties.filter(Boolean), "}", depth);
}

function nameOf(value: object): string {
  const made = Object.getPrototypeOf(value)?.constructor;
  return typeof made === "function" ? made.name : "";
}

function limited<T>(items: readonly T[], show: (item: T) => string): string[] {
  const shown = items.slice(0, ITEMS_MAX).map(show);
  const more = items.length - shown.length;
  return more > 0 ? [...shown, `... ${more} more`] : shown;
}

function list(
  label: string,
  open: string,
  items: readonly string[],
  close: string,
  depth: number,
): string {
  if (items.length === 0) return `${label}${open}${close}`;
  const gap = open === "{" ? " " : "";
  const line = `${label}${open}${gap}${items.join(", ")}${gap}${close}`;
  if (line.length <= LINE_CHARS && !line.includes("\n")) return line;
  const indent = "  ".repeat(depth + 1);
  const lines = items.map((item) => `${indent}${item},\n`).join("");
  return `${label}${open}\n${lines}${"  ".repeat(depth)}${close}`;
}
