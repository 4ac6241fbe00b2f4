/**
 * Reads the JavaScript engine from its npm package and finds out what its minified names mean.
 *
 * The names change with every release of the package, so there is no table of them: the package's
 * own loader shows which is which. An unknown import is an error here, not a trap in the guest.
 */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { packageFile } from "../../peers.ts";
import { ImageError } from "../errors.ts";
import { readFirstGlobal, readImports, withInitialPages } from "../wasm/binary.ts";

const PACKAGE = "@jitl/quickjs-ng-wasmfile-release-sync";
const WASM_PAGE_BYTES = 65536;

/** The engine's imports, by meaning. */
export type EngineImport =
  | "assert_fail"
  | "abort"
  | "keepalive_clear"
  | "localtime"
  | "setitimer"
  | "tzset"
  | "clock_time_get"
  | "date_now"
  | "resize_heap"
  | "environ_get"
  | "environ_sizes_get"
  | "fd_close"
  | "fd_seek"
  | "fd_write"
  | "proc_exit"
  | "call_function"
  | "should_interrupt"
  | "load_module"
  | "normalize_module"
  | "free_host_ref";

export interface EnginePackage {
  /** The module. Its initial memory is only as large as its data and stack. */
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly initialPages: number;
  /** Where the engine's own stack starts; it grows down. */
  readonly stackTop: number;
  /** The name of the one module that it imports from. */
  readonly importModule: string;
  readonly memoryImport: string;
  /** Meaning -> minified name. */
  readonly imports: ReadonlyMap<EngineImport, string>;
  /** `QTS_Call` and so on -> minified name. */
  readonly exports: ReadonlyMap<string, string>;
  /** Runs the constructors of static objects. */
  readonly constructors: string;
}

/** The engine is not as it is expected to be. */
export function engineError(what: string, seen: string): ImageError {
  return new ImageError({
    code: "engine",
    what,
    seen,
    todo: "use the version of the package that this one depends on",
  });
}

const unknown = (seen: string) => engineError(PACKAGE, seen);

/** Patterns by which an import's code in the loader is recognised. The first match counts. */
const MARKS: readonly (readonly [EngineImport, RegExp])[] = [
  ["assert_fail", /Assertion failed/],
  ["call_function", /\.callFunction\(/],
  ["should_interrupt", /\.shouldInterrupt\(/],
  ["load_module", /\.loadModuleSource\(/],
  ["normalize_module", /\.normalizeModule\(/],
  ["free_host_ref", /\.freeHostRef\(/],
  ["localtime", /getSeconds\(\)/],
  ["tzset", /getTimezoneOffset\(\)/],
  ["setitimer", /setTimeout\(/],
  ["resize_heap", /2147483648/],
  ["clock_time_get", /BigInt\(/],
  ["date_now", /^\(\)=>Date\.now\(\)$/],
  ["environ_get", /Infinity/],
  ["environ_sizes_get", /\.length;.*for\(/],
  ["fd_close", /^\(\)=>52$/],
  ["fd_seek", /return 70/],
  ["fd_write", /10===/],
  ["abort", /^\(\)=>\w+\(""\)$/],
  ["keepalive_clear", /^\(\)=>\{[\w$]+=!1;[\w$]+=0\}$/],
  ["proc_exit", /^[\w$]+$/],
];

/** Returns the properties of the object literal that opens at `open`: their sources by name. */
function splitProperties(source: string, open: number): Map<string, string> {
  const properties = new Map<string, string>();
  let depth = 0;
  let quote = "";
  let start = open + 1;
  for (let at = open; at < source.length; at++) {
    const char = source[at] as string;
    if (quote) {
      if (char === "\\") at++;
      else if (char === quote) quote = "";
    } else if (char === '"' || char === "'" || char === "`") quote = char;
    else if ("{[(".includes(char)) depth++;
    else if ("}])".includes(char)) depth--;
    if ((depth === 1 && char === "," && !quote) || depth === 0) {
      const property = source.slice(start, at);
      const colon = property.indexOf(":");
      properties.set(property.slice(0, colon).trim(), property.slice(colon + 1).trim());
      start = at + 1;
    }
    if (depth === 0) return properties;
  }
  throw unknown("an import object without an end");
}

/**
 * Returns the names of the engine's imports by meaning, out of the loader's code for each. `memory`
 * is the name of the imported memory, which has no code.
 * @throws ImageError `engine` when an import is not recognised or a meaning is found twice.
 */
export function nameImports(
  loader: string,
  names: readonly string[],
  memory: string,
): Map<EngineImport, string> {
  // The import object is the one literal that starts with a first import's name.
  const anchor = loader.search(/[\w$]+=\{\w+:\([^)]*\)=>\w+\(`Assertion failed/);
  if (anchor < 0) throw unknown("no import object in the loader");
  const properties = splitProperties(loader, loader.indexOf("{", anchor));
  const found = new Map<EngineImport, string>();
  for (const name of names) {
    if (name === memory) continue;
    const code = properties.get(name);
    const mark = MARKS.find(([, pattern]) => code !== undefined && pattern.test(code));
    if (!mark)
      throw unknown(`import ${name} of unknown meaning: ${code?.slice(0, 80) ?? "absent"}`);
    if (found.has(mark[0])) throw unknown(`two imports that look like ${mark[0]}`);
    found.set(mark[0], name);
  }
  return found;
}

/** Returns the names of the engine's exports by meaning: the loader assigns each to a property. */
export function nameExports(loader: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, meaning, name] of loader.matchAll(/\.(_[A-Za-z]\w*)=\w+\.([\w$]+)/g)) {
    if (meaning && name) found.set(meaning.replace(/^_(?=QTS_)/, "").replace(/^_/, ""), name);
  }
  return found;
}

/** Reads the engine's package. Rejects with ImageError `engine` when it is not as expected. */
export async function readEngine(): Promise<EnginePackage> {
  const folder = dirname(packageFile(PACKAGE, "package.json"));
  const loader = await readFile(join(folder, "dist/emscripten-module.mjs"), "utf8");
  const original = new Uint8Array(await readFile(join(folder, "dist/emscripten-module.wasm")));
  const imports = readImports(original);
  const memory = imports.find((entry) => entry.kind === "memory");
  if (!memory) throw unknown("no imported memory");
  const functions = imports.filter((entry) => entry.kind === "function");
  const stackTop = readFirstGlobal(original);
  if (stackTop === undefined) throw unknown("no stack pointer");
  const constructors = /\w+=!0;[\w$]+\.([\w$]+)\(\);/.exec(loader)?.[1];
  if (!constructors) throw unknown("no call of the constructors in the loader");
  // Data, then the stack, then the heap: what lies above the stack's top grows on demand.
  const initialPages = Math.ceil(stackTop / WASM_PAGE_BYTES);
  return {
    wasm: new Uint8Array(withInitialPages(original, initialPages)),
    initialPages,
    stackTop,
    importModule: memory.module,
    memoryImport: memory.name,
    imports: nameImports(
      loader,
      functions.map((entry) => entry.name),
      memory.name,
    ),
    exports: nameExports(loader),
    constructors,
  };
}
