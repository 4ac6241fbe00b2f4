/** The functions in the C that wasm2c writes for a module. */

/** A definition. Its first group is its name. */
export const FUNCTION = /^\w+ (\w+)\(\w+\* instance[^{}]*\) \{\n(?:.*\n)*?\}\n/gm;
/** Also what is no function, such as a store. */
const CALL = /\b(\w+)\(instance\b/g;

/** All that decides what these are, for digests. */
export const FUNCTIONS_RECIPE = [FUNCTION.source, CALL.source].join();

/** Returns the C of each function by its name. `texts` has each file's text by the file's name. */
export function functionsOf(texts: ReadonlyMap<string, string>): Map<string, string> {
  const functions = new Map<string, string>();
  for (const text of texts.values()) {
    for (const [whole, name = ""] of text.matchAll(FUNCTION)) functions.set(name, whole);
  }
  return functions;
}

/** Returns the names of what a function calls, once for each call. */
export function callees(text: string): string[] {
  return [...text.matchAll(CALL)].map(([, name = ""]) => name);
}
