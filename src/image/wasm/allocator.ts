/**
 * Finds the functions of an engine's memory allocator in wasm2c's C, and puts them into a section
 * of their own: nothing else may allocate while one of them is interrupted.
 *
 * The names in the engine's module are numbers. The allocator keeps what it knows at addresses that
 * stand in its code, and one function stores to more such addresses than any other: `malloc`.
 */
import { ImageError } from "../errors.ts";
import { callees, FUNCTION, FUNCTIONS_RECIPE, functionsOf } from "./c-functions.ts";

const CONSTANT = /^ *(?<variable>\w+) = (?<address>\d+)u;$/;
const STORE = /_store\w*\([^,]*, \(u64\)\((?<variable>\w+)\)(?: \+ (?<offset>\d+))?/;
const ASSIGNMENT = /^ *(?<variable>\w+) \S*=/;
/** All of them also store why they failed, as others do. */
const SHARED_MIN = 3;
/** `malloc`, `free`, `realloc`. */
const FUNCTIONS_MIN = 3;
/** Without `noclone`, a part of a function may go elsewhere. */
const PLACE = '__attribute__((noinline, noclone, section(".text.allocator")))';

/** All that decides which functions these are, for the digest that the C is kept under. */
export const ALLOCATOR_RECIPE = [
  ...[CONSTANT, STORE, ASSIGNMENT].map(({ source }) => source),
  ...[FUNCTIONS_RECIPE, SHARED_MIN, FUNCTIONS_MIN, PLACE],
].join();

/**
 * Returns the engine's C, each file's text by its name, with the allocator in its section.
 * @throws ImageError `convert` when no functions look like an allocator.
 */
export function placeAllocator(texts: ReadonlyMap<string, string>): Map<string, string> {
  const found = allocatorNames(functionsOf(texts));
  const placed = new Map<string, string>();
  for (const [file, text] of texts) {
    placed.set(
      file,
      text.replace(FUNCTION, (whole, name: string) =>
        found.has(name) ? `${PLACE} ${whole}` : whole,
      ),
    );
  }
  return placed;
}

function allocatorNames(functions: ReadonlyMap<string, string>): Set<string> {
  const all = [...functions].map(([name, text]) => ({ name, text, stores: storesOf(text) }));
  const malloc = all.reduce((most, it) => (it.stores.size > most.stores.size ? it : most));
  const shared = (stores: ReadonlySet<number>) =>
    [...stores].filter((address) => malloc.stores.has(address)).length;
  const found = new Set(
    all.filter(({ stores }) => shared(stores) >= SHARED_MIN).map(({ name }) => name),
  );
  if (found.size < FUNCTIONS_MIN) {
    throw new ImageError({
      code: "convert",
      what: "the JavaScript engine",
      seen: `${found.size} functions that look like its allocator's`,
      todo: "use the version of the engine's package that this one depends on",
    });
  }
  const calledBy = (text: string) => callees(text).filter((it) => functions.has(it));
  for (const name of calledBy(malloc.text)) found.add(name);
  // Those that only pass a call on: others call them amid what they do with the heap.
  for (const { name, text } of all) {
    const called = calledBy(text).filter((it) => it !== name);
    if (called.length > 0 && called.every((it) => found.has(it))) found.add(name);
  }
  return found;
}

/** Returns the addresses in linear memory that a function stores to and that stand in its code. */
function storesOf(text: string): Set<number> {
  const constants = new Map<string, number>();
  const stores = new Set<number>();
  for (const line of text.split("\n")) {
    const constant = CONSTANT.exec(line)?.groups;
    const store = STORE.exec(line)?.groups;
    const base = constants.get(store?.variable ?? "");
    if (base) stores.add(base + Number(store?.offset ?? 0));
    const assigned = ASSIGNMENT.exec(line)?.groups?.variable;
    if (assigned) constants.delete(assigned);
    if (constant) constants.set(constant.variable ?? "", Number(constant.address));
  }
  return stores;
}
