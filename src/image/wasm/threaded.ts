/**
 * Lets each instruction of JavaScript's interpreter go to the next one by itself. In wasm2c's C
 * each goes back to the start of a loop, which looks whether instructions are to be printed, for
 * the engine's own developers, and then has a switch.
 */
import { ImageError } from "../errors.ts";

/** The interpreter has a case for each instruction; no other loop has so many. */
const CASES_MIN = 200;
/** An instruction's number is a byte. */
const NUMBERS = 256;

/** The loop's start. The number that it reads is one more than that of the case. */
const LOOP = new RegExp(
  [
    String.raw`^ +(?<label>var_L\d+): \n(?<start>(?:(?! *var_[BL]\d+:).*\n)*?)`,
    String.raw`(?<constants>(?: *var_j0 = \d+ull;\n *var_l\d+ = var_j0;\n)*)`,
    String.raw`(?<read> *var_i0 = var_\w+;\n *var_i0 = i32_load8_u_\w+\([^;]*;\n`,
    String.raw` *(?<number>var_\w+) = var_i0;\n) *var_i1 = 1u;\n *var_i0 -= var_i1;\n`,
    String.raw` *switch \(var_i0\) \{\n(?<cases>(?: *case \d+: goto \w+;\n)+)`,
    String.raw` *default: goto (?<other>\w+);\n *\}\n`,
  ].join(""),
  "gm",
);
const PRINTS = new RegExp(
  [
    String.raw` *var_i0 = i32_load8_u_\w+\([^;]*;\n *var_i1 = 128u;\n *var_i0 &= var_i1;\n`,
    String.raw` *if \(var_i0\) \{\n(?: *var_i\d = [^;]*;\n)* *\w+\(instance, [^;]*;\n *\}\n`,
  ].join(""),
);

/** Returns the C with the loop in the place of `loop` opened. */
function open(text: string, loop: RegExpExecArray): string {
  const { start = "", constants = "", read = "", number = "" } = loop.groups ?? {};
  const { label = "", cases = "", other = "" } = loop.groups ?? {};
  const ways = Array.from({ length: NUMBERS }, () => other);
  for (const [, which, way = ""] of cases.matchAll(/case (\d+): goto (\w+);/g)) {
    ways[Number(which) + 1] = way;
  }
  const targets = [...new Set(ways)];
  const list = ways.map((way) => `&&var_W${targets.indexOf(way)}`).join(", ");
  const next = `{\n${start.replace(PRINTS, "")}${read}  goto *var_ways[${number}]; }`;
  const head = text.lastIndexOf("  FUNC_PROLOGUE;\n", loop.index);
  const behind = loop.index + loop[0].length;
  const end = text.indexOf("\n}\n", behind);
  return [
    text.slice(0, head),
    `  static const void* const var_ways[] = {${list}};\n`,
    text.slice(head, loop.index),
    `${label}: ${next}\n`,
    // Constants are set where they are used: between two instructions there are none to keep.
    ...targets.map((way, at) => `var_W${at}:;\n${constants}goto ${way};\n`),
    text.slice(behind, end).replaceAll(`goto ${label};`, () => next),
    text.slice(end),
  ].join("");
}

/** All that decides what becomes of the interpreter, for the digest that the C is kept under. */
export const THREADED_RECIPE = [LOOP.source, PRINTS.source, open.toString()].join();

/**
 * Returns the engine's C, each file's text by its name, with the interpreter's loop opened.
 * @throws ImageError `convert` unless there is one such loop.
 */
export function threadInterpreter(texts: ReadonlyMap<string, string>): Map<string, string> {
  let places = 0;
  const threaded = new Map<string, string>();
  for (const [name, text] of texts) {
    const loops = [...text.matchAll(LOOP)].filter(
      ({ groups }) => (groups?.cases ?? "").split("\n").length > CASES_MIN,
    );
    places += loops.length;
    threaded.set(name, loops.reduce(open, text));
  }
  if (places === 1) return threaded;
  throw new ImageError({
    code: "convert",
    what: "the JavaScript engine",
    seen: `${places} loops that look like its interpreter's`,
    todo: "use the version of the engine's package that this one depends on",
  });
}
