/**
 * Builds the driver with a mutant's mistake in it: runtime/ by the bundler, assembly/ by its own
 * compiler with the options that the real core is built with.
 *
 * It must not keep anything: nothing is written to disk, and a build is a build of the sources as
 * they are now. Invariant: a build differs from the real one in the patched text alone.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { main as asc } from "assemblyscript/asc";
import { build as bundle, type Plugin } from "esbuild";
import { coreModule } from "../../support/vm.ts";
import type { Build } from "../bench.ts";
import { applyPatch, type Mutant, type Patch, patchesOf } from "./mutant.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const CORE = "assembly/";

/** What scenarios use of a build. */
const ENTRY = `
export { createWasmVm } from "./src/embed/example/vm.ts";
export { follow, gentle } from "./runtime/index.ts";
`;

function sourceOf(file: string): string {
  return readFileSync(resolve(ROOT, file), "utf8");
}

/** File names with their patched text. Throws when a patch does not fit. */
export function patchedFiles(patches: readonly Patch[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const patch of patches) {
    const text = files.get(patch.file) ?? sourceOf(patch.file);
    files.set(patch.file, applyPatch(text, patch));
  }
  return files;
}

export async function buildMutant(mutant: Mutant): Promise<Build> {
  const files = patchedFiles(patchesOf(mutant));
  const names = [...files.keys()];
  const core = names.some((name) => name.startsWith(CORE)) ? await buildCore(files) : coreModule;
  return { ...(await buildRuntime(files)), core };
}

function patching(files: ReadonlyMap<string, string>): Plugin {
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

async function buildRuntime(files: ReadonlyMap<string, string>): Promise<Omit<Build, "core">> {
  const { outputFiles } = await bundle({
    stdin: { contents: ENTRY, resolveDir: ROOT, loader: "ts" },
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
  return (await import(/* @vite-ignore */ url)) as Omit<Build, "core">;
}

async function buildCore(files: ReadonlyMap<string, string>): Promise<WebAssembly.Module> {
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
