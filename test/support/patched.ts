/**
 * Builds of the sources with some text in them replaced: runtime/ and src/ by the bundler,
 * assembly/ by its own compiler with the options that the real core is built with.
 *
 * It must not keep anything: nothing is written to disk, and a build is a build of the sources as
 * they are now. Invariant: a build differs from the real one in the patched text alone, and a patch
 * that no longer fits its file exactly once is an error.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { main as asc } from "assemblyscript/asc";
import { build as bundle, type Plugin } from "esbuild";
import { packageRoot } from "../../src/image/build-image.ts";

const ROOT = packageRoot();

/** Text to be found exactly once in one file, and what stands there instead. */
export interface Patch {
  /** From the root of the package. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** File names with their patched text. */
export type PatchedFiles = ReadonlyMap<string, string>;

/** The patched text. Throws when the text to be found is not there exactly once. */
export function applyPatch(source: string, { file, find, replace }: Patch): string {
  const [before, after, ...more] = source.split(find);
  if (before === undefined || after === undefined || more.length > 0) {
    const times = source.split(find).length - 1;
    throw new Error(
      `${file} holds the text to be patched ${times} times, not once; make it fit again:\n${find}`,
    );
  }
  return `${before}${replace}${after}`;
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

function patching(files: PatchedFiles): Plugin {
  const byPath = new Map([...files].map(([name, text]) => [resolve(ROOT, name), text]));
  return {
    name: "patching",
    setup: (context) => {
      context.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const contents = byPath.get(path);
        return contents === undefined ? undefined : { contents, loader: "ts" };
      });
    },
  };
}

/** Bundles and imports a module, given as its source with imports from the root of the package. */
export async function importPatched<T>(entry: string, files: PatchedFiles): Promise<T> {
  const { outputFiles } = await bundle({
    stdin: { contents: entry, resolveDir: ROOT, loader: "ts" },
    bundle: true,
    format: "esm",
    platform: "node",
    write: false,
    logLevel: "silent",
    plugins: [patching(files)],
  });
  const code = outputFiles[0]?.contents;
  if (code === undefined) throw new Error("the bundler gave no file");
  const url = `data:text/javascript;base64,${Buffer.from(code).toString("base64")}`;
  return (await import(/* @vite-ignore */ url)) as T;
}

/** The core, built as its configuration says. */
export async function compilePatchedCore(files: PatchedFiles): Promise<WebAssembly.Module> {
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
  return new WebAssembly.Module(new Uint8Array(wasm));
}
