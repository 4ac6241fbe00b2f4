/**
 * Bundles the guest program: TypeScript to scripts that leave its `boot` and `wake` in the global
 * `guest`. Run in their order, the scripts do what the bundle does as a whole.
 *
 * Each statement at the top of a module is a script of its own. The engine then frees the memory
 * that compiling one statement takes before it compiles the next, and the objects that stay lie
 * close together. A single script scatters them over all the memory that compiling it takes, and
 * each of those pages is part of the image and of the guest.
 */
import { resolve } from "node:path";
import type { BuildOptions } from "esbuild";
import { loadEsbuild } from "../peers.ts";
import { ImageError } from "./errors.ts";

/** Where long lines are broken, at the next place that allows it. */
const LINE_CHARS = 100;

const OUTPUT = {
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "silent",
} as const satisfies BuildOptions;

/** Bundles the module at `entry`. Rejects with ImageError `bundle`. */
export async function bundleGuest(entry: string): Promise<string[]> {
  const { build } = await loadEsbuild();
  try {
    const module = JSON.stringify(resolve(entry));
    const result = await build({
      ...OUTPUT,
      stdin: {
        contents: `import { boot, wake } from ${module}; globalThis.guest = { boot, wake };`,
        resolveDir: resolve("."),
      },
      bundle: true,
      write: false,
      format: "esm",
      platform: "neutral",
      // The engine keeps the text of each function, and again as part of each function around it:
      // long texts cost the guest memory several times. `keepNames` is for stack traces.
      // Names at the top of modules become global ones: minified ones are unlike any other.
      minifyIdentifiers: true,
      minifySyntax: true,
      keepNames: true,
    });
    return await statements(result.outputFiles[0]?.text ?? "");
  } catch (error) {
    throw new ImageError({
      code: "bundle",
      what: entry,
      seen: error instanceof Error ? error.message : String(error),
      todo: "correct the program",
    });
  }
}

/** Bundles the module at `entry` to one script that calls its `boot`. */
export async function bundleInPlace(entry: string): Promise<string> {
  const contents = `import { boot } from ${JSON.stringify(resolve(entry))}; boot();`;
  const { build } = await loadEsbuild();
  const { outputFiles } = await build({
    ...OUTPUT,
    stdin: { contents, resolveDir: resolve(".") },
    bundle: true,
    write: false,
    format: "iife",
    platform: "neutral",
    minify: true,
  });
  return outputFiles[0]?.text ?? "";
}

/**
 * The statements of a module that esbuild has printed, each in as few characters as it takes.
 * Functions come first: they can be called before the place where they stand.
 */
async function statements(text: string): Promise<string[]> {
  const functions: string[] = [];
  const others: string[] = [];
  let open = "";
  for (const line of text.split("\n")) {
    // A statement starts at the start of a line, but so may a line inside of a template string.
    const begins = /^[^\s)\]}/]/.test(line);
    const whole = begins && open !== "" ? await shortest(open) : undefined;
    if (whole !== undefined) {
      (/^(async )?function\b/.test(whole) ? functions : others).push(whole);
      open = "";
    }
    if (open !== "" || begins) open += `${line}\n`;
  }
  const last = await shortest(open);
  if (last === undefined) throw new Error("the bundle's last statement has no end");
  return [...functions, ...others, last];
}

/** Returns undefined unless `text` is whole statements. Short lines make line numbers useful. */
async function shortest(text: string): Promise<string | undefined> {
  const { transform } = await loadEsbuild();
  try {
    const options = { ...OUTPUT, minifyWhitespace: true, lineLimit: LINE_CHARS };
    return (await transform(text, options)).code;
  } catch {
    return undefined;
  }
}
