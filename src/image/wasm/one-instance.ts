/**
 * Lets the engine's functions know that there is one instance of its module, which the boot code
 * has: what each has as its first parameter in wasm2c's C is then a constant. Functions that the
 * boot code or a table of the module calls keep it.
 */

/** Of a function that has a number and no name: its definition, its declaration, and calls. */
const PARAMETER = new RegExp(
  [
    String.raw`\b(w2c_engine_f\d+\()`,
    String.raw`(?:w2c_engine\* instance|w2c_engine\*|(?:\(struct w2c_engine\*\) )?instance)(?:, )?`,
  ].join(""),
  "g",
);
const INCLUDE = '#include "engine-module.h"\n';
const INSTANCE = "extern w2c_engine engine;\nstatic w2c_engine* const instance = &engine;\n";

/** All that decides what it is to them, for the digest that the C is kept under. */
export const INSTANCE_RECIPE = [PARAMETER.source, INSTANCE].join();

/** Returns the engine's C, each file's text by its name. `header` is in each of them. */
export function oneInstance(
  texts: ReadonlyMap<string, string>,
  header: string,
): Map<string, string> {
  const made = new Map<string, string>();
  for (const [name, text] of texts) made.set(name, text.replace(PARAMETER, "$1"));
  const included = made.get(header) ?? "";
  return made.set(header, included.replace(INCLUDE, INCLUDE + INSTANCE));
}
