/**
 * Bundles the guest program: TypeScript to scripts that leave its `boot` and `wake` in the global
 * `guest`.
 *
 * There is a script for each statement at the top of a module, where one would do: what compiling
 * one needs is free again before the next, so what is kept lies close together. A single script
 * scatters it over as much memory as compiling the whole takes, and each page of that is part of
 * the image and of the guest.
 *
 * It must not know what the program does. Invariant: nothing but the program's own files goes in,
 * and the scripts do in their order what the bundle would do as a whole.
 */
import { resolve } from "node:path";
import { type BuildOptions, build, transform } from "esbuild";
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
      // The engine keeps the text of every function, and of every one around it: what is longer
      // than it must be costs memory in the guest several times over. Functions keep their names,
      // for stack traces; names at the top of modules are global ones now, and so must be unlike
      // any that somebody else might use.
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

/**
 * The statements of a module that esbuild has printed, each in as few characters as it takes.
 * Functions come first: they can be called before the place where they stand.
 */
async function statements(text: string): Promise<string[]> {
  const functions: string[] = [];
  const others: string[] = [];
  let open = "";
  for (const line of text.split("\n")) {
    // A statement begins where a line does; but so can a line of a text that goes over several.
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

/** Undefined when it is not whole statements. Lines are short, so that a line number says
 * something. */
async function shortest(text: string): Promise<string | undefined> {
  try {
    const options = { ...OUTPUT, minifyWhitespace: true, lineLimit: LINE_CHARS };
    return (await transform(text, options)).code;
  } catch {
    return undefined;
  }
}
