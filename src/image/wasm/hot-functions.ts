/**
 * Finds the functions of a JavaScript engine that programs spend their time in: its interpreters,
 * and what the one of JavaScript calls. They get a file of their own, in which the compiler can put
 * one into another.
 *
 * The names in the engine's module are numbers, which change with every release. An interpreter is
 * known by its shape: it tells many cases apart, in a loop, and calls itself. So do those of
 * JavaScript, of regular expressions, and the parser.
 */
import { ImageError } from "../errors.ts";
import { callees, FUNCTION, FUNCTIONS_RECIPE, functionsOf } from "./c-functions.ts";

const CASES_MIN = 30;
/** The one of JavaScript has a case for each of its instructions, and the most of all. */
const LARGEST_CASES_MIN = 200;
/** With the calls of these calls there is more code than time in it. */
const CALLS_DEEP = 4;

/** All that decides which functions these are, for the digest that the C is kept under. */
export const HOT_RECIPE = [CASES_MIN, CALLS_DEEP, FUNCTIONS_RECIPE].join();

/**
 * Moves the hot functions of wasm2c's C into `file`, which includes `header` as the others do.
 * `texts` has each file's text by its name; so has what is returned.
 * @throws ImageError `convert` when no function looks like an interpreter.
 */
export function splitHotFunctions(
  texts: ReadonlyMap<string, string>,
  { file, header }: { readonly file: string; readonly header: string },
): Map<string, string> {
  const functions = functionsOf(texts);
  const hot = hotNames(functions);
  const split = new Map<string, string>();
  for (const [name, text] of texts) {
    const rest = text.replace(FUNCTION, (whole, called: string) => (hot.has(called) ? "" : whole));
    split.set(name, rest);
  }
  const moved = [...hot].map((name) => functions.get(name));
  return split.set(file, [`#include "${header}"\n`, ...moved].join("\n"));
}

function hotNames(functions: ReadonlyMap<string, string>): Set<string> {
  const interpreters = [...functions]
    .map(([name, text]) => ({ name, text, cases: text.split("case ").length - 1 }))
    .filter(({ name, text, cases }) => cases >= CASES_MIN && callees(text).includes(name))
    .sort((a, b) => b.cases - a.cases);
  const largest = interpreters[0];
  if (largest === undefined || largest.cases < LARGEST_CASES_MIN) {
    throw new ImageError({
      code: "convert",
      what: "the JavaScript engine",
      seen: `at most ${largest?.cases ?? 0} cases in one of ${functions.size} functions`,
      todo: "use the version of the engine's package that this one depends on",
    });
  }
  const hot = new Set(interpreters.map(({ name }) => name));
  let level = [largest.name];
  for (let depth = 0; depth < CALLS_DEEP; depth++) {
    const called = level.flatMap((name) => callees(functions.get(name) ?? ""));
    level = called.filter((name) => functions.has(name) && !hot.has(name));
    for (const name of level) hot.add(name);
  }
  return hot;
}
