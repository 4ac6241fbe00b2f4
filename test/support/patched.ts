/**
 * Builds of the sources with some text in them replaced: runtime/ and src/ by the bundler,
 * assembly/ by its own compiler with the options that the real core is built with.
 *
 * A build differs from the real one in the patched text alone, and a patch that no longer fits its
 * file exactly once is an error.
 */
import { readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { main as asc } from "assemblyscript/asc";
import { type BuildOptions, build as bundle, context, type Plugin } from "esbuild";
import { packageFolder } from "../../src/package.ts";

const ROOT = packageFolder();

/** Text to be found exactly once in one file, and what stands there instead. */
export interface Patch {
  /** From the root of the package. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Stands once in the file; `find` is looked for behind it, and taken where it stands first. */
  readonly after?: string;
}

/** File names with their patched text. */
export type PatchedFiles = ReadonlyMap<string, string>;

/** Matches `text` however it is broken into lines and indented. */
function anyWhitespace(text: string): RegExp {
  const words = text.trim().split(/\s+/);
  const escaped = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(escaped.join("\\s+"), "g");
}

/** Where `text` stands in `source`, as [start, end]; throws Error when that is not once. */
function findOnce(source: string, text: string, file: string): readonly [number, number] {
  const places = [...source.matchAll(anyWhitespace(text))];
  const [place] = places;
  if (place === undefined || places.length > 1) {
    throw new Error(
      `${file} holds this text ${places.length} times, not once; make the patch fit again:\n${text}`,
    );
  }
  return [place.index, place.index + place[0].length];
}

/**
 * Returns the patched text; whitespace in `find` and `after` stands for any whitespace.
 * @throws Error when the text to be found is not there exactly once.
 */
export function applyPatch(source: string, { file, find, replace, after }: Patch): string {
  if (after === undefined) {
    const [start, end] = findOnce(source, find, file);
    return `${source.slice(0, start)}${replace}${source.slice(end)}`;
  }
  const [, from] = findOnce(source, after, file);
  const place = anyWhitespace(find).exec(source.slice(from));
  if (place === null) throw new Error(`${file} lacks this text behind "${after}":\n${find}`);
  const start = from + place.index;
  return `${source.slice(0, start)}${replace}${source.slice(start + place[0].length)}`;
}

/** Throws when a patch does not fit. */
export function patchFiles(patches: readonly Patch[]): PatchedFiles {
  const files = new Map<string, string>();
  for (const patch of patches) {
    const text = files.get(patch.file) ?? readFileSync(resolve(ROOT, patch.file), "utf8");
    files.set(patch.file, applyPatch(text, patch));
  }
  return files;
}

function patching(now: () => PatchedFiles): Plugin {
  return {
    name: "patching",
    setup: (build) => {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const contents = now().get(relative(ROOT, path));
        return contents === undefined ? undefined : { contents, loader: "ts" };
      });
    },
  };
}

function bundling(entry: string, now: () => PatchedFiles) {
  return {
    stdin: { contents: entry, resolveDir: ROOT, loader: "ts" },
    bundle: true,
    format: "esm",
    platform: "node",
    write: false,
    logLevel: "silent",
    plugins: [patching(now)],
  } as const satisfies BuildOptions;
}

/** Bundles and imports a module, given as its source with imports from the root of the package. */
export async function importPatched<T>(entry: string, files: PatchedFiles): Promise<T> {
  const { outputFiles } = await bundle(bundling(entry, () => files));
  return importCode(outputFiles[0]?.contents);
}

/** Imports many builds of one module: what is the same in all of them is parsed once. */
export async function patchedImporter<T>(entry: string): Promise<{
  with(files: PatchedFiles): Promise<T>;
  dispose(): Promise<void>;
}> {
  let files: PatchedFiles = new Map();
  const made = await context(bundling(entry, () => files));
  return {
    with: async (patched) => {
      files = patched;
      const { outputFiles } = await made.rebuild();
      return importCode(outputFiles[0]?.contents);
    },
    dispose: () => made.dispose(),
  };
}

async function importCode<T>(code: Uint8Array | undefined): Promise<T> {
  if (code === undefined) throw new Error("the bundler gave no file");
  const url = `data:text/javascript;base64,${Buffer.from(code).toString("base64")}`;
  return (await import(/* @vite-ignore */ url)) as T;
}

/** Returns the core of patched sources; undefined when none of them is the core's. */
export async function patchedCoreBytes(
  files: PatchedFiles,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (![...files.keys()].some((name) => name.startsWith("assembly/"))) return undefined;
  return new Uint8Array(await compileCore(files));
}

/** The core, built as its configuration says. */
export async function compilePatchedCore(files: PatchedFiles): Promise<WebAssembly.Module> {
  return new WebAssembly.Module(new Uint8Array(await compileCore(files)));
}

async function compileCore(files: PatchedFiles): Promise<Uint8Array> {
  let wasm: Uint8Array | undefined;
  const { error, stderr } = await asc(["assembly/index.ts", "--target", "release"], {
    readFile: (name, base) => {
      try {
        return files.get(name) ?? readFileSync(resolve(ROOT, base, name), "utf8");
      } catch {
        return null;
      }
    },
    writeFile: (name, contents) => {
      if (name.endsWith(".wasm")) wasm = Buffer.from(contents);
    },
    listFiles: () => [],
  });
  if (error !== null || wasm === undefined) throw new Error(`asc: ${error} ${stderr}`);
  return wasm;
}
