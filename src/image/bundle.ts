/**
 * Bundles the guest program: TypeScript to one script that leaves its exports in `guest`.
 *
 * It must not know what the program does. Invariant: nothing but the program's own files goes in.
 */
import { build } from "esbuild";
import { ImageError } from "./errors.ts";

/** Where long lines are broken, at the next place that allows it. */
const LINE_CHARS = 100;

/** Bundles the module at `entry`. Rejects with ImageError `bundle`. */
export async function bundleGuest(entry: string): Promise<string> {
  try {
    const result = await build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      format: "iife",
      globalName: "guest",
      target: "es2022",
      platform: "neutral",
      charset: "utf8",
      legalComments: "none",
      // The engine keeps the text of every function, and of every one around it: what is longer
      // than it must be costs memory in the guest several times over. Functions keep their names,
      // for stack traces, and lines are short, so that a line number says something.
      minify: true,
      keepNames: true,
      lineLimit: LINE_CHARS,
      logLevel: "silent",
    });
    return result.outputFiles[0]?.text ?? "";
  } catch (error) {
    throw new ImageError({
      code: "bundle",
      what: entry,
      seen: error instanceof Error ? error.message : String(error),
      todo: "correct the program",
    });
  }
}
