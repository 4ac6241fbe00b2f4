/**
 * Bundles the user's program with the packages that it imports, to one script for the guest.
 *
 * `ballonet/guest` is this package's own, wherever the program lies. The program's modules become
 * one asynchronous function: its names are no globals, and `await` works at the top of a module.
 */
import { stat } from "node:fs/promises";
import { builtinModules } from "node:module";
import { join, relative, resolve } from "node:path";
import type { BuildOptions, Message, Plugin } from "esbuild";
import { installAdvice, isCheckout, missingPackage, packageFolder } from "../../package.ts";
import { loadEsbuild } from "../../peers.ts";
import { ImageError } from "../errors.ts";

/** The name of the script in stack traces. */
export const SCRIPT_NAME = "program.js";

/** A bundled program. */
export interface BundledProgram {
  readonly script: string;
  /** The source map of the script, as JSON: it leads from SCRIPT_NAME to the sources. */
  readonly map: string;
  /** The files that it is made of: when one changes, so does the program. */
  readonly inputs: readonly string[];
}

const GUEST = "ballonet/guest";
/** The name of the module that imports the program. */
const START = "start";
const NODE_MODULES = new Set(builtinModules);
/** A chain of imports is told up to so many messages. */
const MESSAGES_MAX = 3;

function guestEntry(): string {
  const folder = packageFolder();
  return isCheckout() ? join(folder, "runtime/guest/index.ts") : join(folder, "lib/guest.js");
}

/** Resolves this package's own module, and refuses those of Node. */
const modules: Plugin = {
  name: "guest",
  setup(build) {
    build.onResolve({ filter: /^ballonet\/guest$/ }, () => {
      return { path: guestEntry(), sideEffects: true };
    });
    // The program runs, whatever its package says of modules that nobody imports from.
    build.onResolve({ filter: /^/ }, ({ path, importer }) => {
      return importer === resolve(START) ? { path, sideEffects: true } : undefined;
    });
    build.onResolve(
      { filter: /^[\w:/]+$/ },
      async ({ path, importer, resolveDir, kind, pluginData }) => {
        const isNode = path.startsWith("node:") || NODE_MODULES.has(path);
        if (!isNode || pluginData === modules) return undefined;
        // A package of that name is as good: `events` and `buffer` are packages, too.
        const options = { importer, resolveDir, kind, pluginData: modules };
        const found = path.startsWith("node:") ? undefined : await build.resolve(path, options);
        if (found !== undefined && found.errors.length === 0) return found;
        const from = importer === "" ? "" : ` in ${relative(process.cwd(), importer)}`;
        return {
          errors: [{ text: `"${path}"${from} is a module of Node, which a guest has not` }],
        };
      },
    );
  },
};

const OPTIONS = {
  bundle: true,
  write: false,
  outfile: SCRIPT_NAME,
  format: "esm",
  // The packages' own variants without Node.
  platform: "browser",
  mainFields: ["browser", "module", "main"],
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "silent",
  sourcemap: "external",
  sourcesContent: false,
  metafile: true,
  treeShaking: true,
  minifyWhitespace: true,
  define: { "process.env.NODE_ENV": '"production"', "import.meta.url": '"file:///program.js"' },
  banner: { js: '(async()=>{"use strict";' },
  footer: { js: "})();" },
  plugins: [modules],
} as const satisfies BuildOptions;

/**
 * Bundles the program at `entry`. Rejects with ImageError: `package` where esbuild is not
 * installed, `program` for a program that cannot be bundled.
 */
export async function bundleProgram(entry: string): Promise<BundledProgram> {
  const path = resolve(entry);
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isFile)
    throw refused(entry, `no file ${path}`, "give the path of a TypeScript or JavaScript file");
  const { build } = await loadBundler();
  const names = [GUEST, path].map((name) => `import ${JSON.stringify(name)};`);
  try {
    const { outputFiles, metafile } = await build({
      ...OPTIONS,
      stdin: { contents: names.join("\n"), resolveDir: process.cwd(), sourcefile: START },
      absWorkingDir: process.cwd(),
    });
    const text = (name: string) => outputFiles.find((it) => it.path.endsWith(name))?.text ?? "";
    const inputs = Object.keys(metafile.inputs).filter((name) => name !== START);
    return {
      script: text(SCRIPT_NAME),
      map: text(".map"),
      inputs: inputs.map((it) => resolve(it)),
    };
  } catch (error) {
    const { errors = [] } = error as { errors?: readonly Message[] };
    if (errors.length === 0) throw error;
    throw refused(
      entry,
      errors.slice(0, MESSAGES_MAX).map(messageOf).join("; "),
      "correct the program",
    );
  }
}

function refused(what: string, seen: string, todo: string): ImageError {
  return new ImageError({ code: "program", what, seen, todo });
}

function messageOf({ text, location }: Message): string {
  return location === null ? text : `${location.file}:${location.line}:${location.column}: ${text}`;
}

async function loadBundler(): Promise<typeof import("esbuild")> {
  try {
    return await loadEsbuild();
  } catch (error) {
    const absent = missingPackage(error);
    if (absent === undefined) throw error;
    throw new ImageError({
      code: "package",
      what: "the package esbuild, which bundles programs",
      seen: absent.seen,
      todo: installAdvice("esbuild", ["esbuild"]),
    });
  }
}
