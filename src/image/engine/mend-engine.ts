/**
 * Mends a mistake of the engine in its C, as long as its package has it.
 *
 * `push` of an array whose `length` was set beyond its elements took what lay in the heap behind
 * those for elements: `a.length = 3; a.push(1); a[0]`. Freeing such an element, or any other use of
 * it, breaks the heap.
 */
import { ImageError } from "../errors.ts";

/** Of an array's object, in the engine's memory. */
const LENGTH = 20;
const COUNT = 40;

/** Where `push` has found that the length is a small number, and goes on the fast way with it. */
const FAST_PUSH = new RegExp(
  [
    / {2}var_i0 = (?<array>\w+);\n/,
    / {2}var_i0 = (?<load>i32_load_\w+\([^;]*?\(u64\)\(var_i0\)) \+ LENGTHu\);\n/,
    / {2}var_j0 = i64_load_\w+\([^;]*;\n/,
    / {2}(?<length>\w+) = var_j0;\n/,
    / {2}var_j1 = 4294967295ull;\n {2}var_i0 = var_j0 > var_j1;\n/,
    / {2}if \(var_i0\) \{goto (?<slow>\w+);\}\n/,
  ]
    .map(({ source }) => source.replace("LENGTH", String(LENGTH)))
    .join(""),
  "g",
);

/** The slow way, unless there are as many elements. */
const MENDED = [
  "$&  var_i0 = $<array>;\n",
  `  var_i0 = $<load> + ${COUNT}u);\n`,
  "  if (var_i0 != (u32)$<length>) {goto $<slow>;}\n",
].join("");

/** All that decides what is mended, for the digest that the C is kept under. */
export const MEND_RECIPE = [FAST_PUSH.source, MENDED].join();

/**
 * Returns the engine's C, each file's text by its name, with `push` mended.
 * @throws ImageError `convert` unless the mistake is in one place.
 */
export function mendEngine(texts: ReadonlyMap<string, string>): Map<string, string> {
  let places = 0;
  const mended = new Map<string, string>();
  for (const [name, text] of texts) {
    places += text.match(FAST_PUSH)?.length ?? 0;
    mended.set(name, text.replace(FAST_PUSH, MENDED));
  }
  if (places === 1) return mended;
  throw new ImageError({
    code: "convert",
    what: "the JavaScript engine",
    seen: `${places} places that look like its fast push`,
    todo: "use the version of the engine's package that this one depends on",
  });
}
