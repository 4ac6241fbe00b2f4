/**
 * Bundles the user's program with the packages that it imports, to one script for the guest.
 *
 * The program's modules become one asynchronous function: its names are no globals, and `await`
 * works at the top of a module.
 */
import type { BuildOptions } from "esbuild";
import { bundleModules } from "./bundle-modules.ts";

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

const GUEST = {
  filter: /^ballonet\/guest$/,
  room: "runtime/guest",
  file: "guest.js",
  hasGlobals: true,
} as const;

const OPTIONS = {
  outfile: SCRIPT_NAME,
  format: "esm",
  sourcemap: "external",
  sourcesContent: false,
  define: { "process.env.NODE_ENV": '"production"', "import.meta.url": '"file:///program.js"' },
  banner: { js: '(async()=>{"use strict";' },
  footer: { js: "})();" },
} as const satisfies BuildOptions;

/**
 * Bundles the program at `entry`. Rejects with ImageError: `package` where esbuild is not
 * installed, `program` for a program that cannot be bundled.
 */
export async function bundleProgram(entry: string): Promise<BundledProgram> {
  const { outputFiles, inputs } = await bundleModules({
    entry,
    start: (path) =>
      ["ballonet/guest", path].map((name) => `import ${JSON.stringify(name)};`).join("\n"),
    own: GUEST,
    options: OPTIONS,
  });
  const text = (name: string) => outputFiles.find((it) => it.path.endsWith(name))?.text ?? "";
  return { script: text(SCRIPT_NAME), map: text(".map"), inputs };
}
