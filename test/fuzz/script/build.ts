/** Bundles one target of TypeScript with counters in the sources that it is about. */
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { build as bundle } from "esbuild";
import { packageFolder } from "../../../src/package.ts";
import { COUNTERS, instrument } from "./instrument.ts";

export interface Program {
  /** The counters of each source, one after the other. */
  readonly files: readonly { readonly name: string; readonly branches: number }[];
  /** What the sources name, as bytes. */
  readonly words: readonly Uint8Array[];
}

const TEXT_LENGTH_MAX = 40;
const ROOT = packageFolder();

/** A number as the bytes that a device or a table would have. */
function bytesOf(number: number): Uint8Array[] {
  if (!Number.isInteger(number) || number < 0 || number > 0xffff_ffff) return [];
  const width = number < 0x100 ? 1 : number < 0x1_0000 ? 2 : 4;
  return [Uint8Array.from({ length: width }, (_, at) => number / 256 ** at)];
}

/** Writes the program of a target to `out`. `covers`: folders and files, from the package's root. */
export async function buildScript(
  script: string,
  covers: readonly string[],
  out: string,
): Promise<Program> {
  const files: { name: string; branches: number }[] = [];
  const texts = new Set<string>();
  const numbers = new Set<number>();
  let next = 0;
  const here = join(ROOT, "test/fuzz/script");
  await bundle({
    stdin: {
      contents: `import { serve } from "${here}/worker.ts";
        import { run } from "${here}/targets/${script}"; serve(run);`,
      resolveDir: ROOT,
      loader: "ts",
    },
    bundle: true,
    format: "esm",
    platform: "node",
    outfile: out,
    logLevel: "silent",
    banner: {
      js: `import { workerData as given } from "node:worker_threads";
        globalThis.${COUNTERS} = new Uint32Array(given.branches);`,
    },
    plugins: [
      {
        name: "counters",
        setup: (made) => {
          made.onLoad({ filter: /\.ts$/ }, ({ path }) => {
            const name = relative(ROOT, path);
            if (!covers.some((it) => name === it || name.startsWith(`${it}/`))) return undefined;
            const { code, branches, ...named } = instrument(path, readFileSync(path, "utf8"), next);
            next += branches;
            files.push({ name, branches });
            for (const text of named.texts) texts.add(text);
            for (const number of named.numbers) numbers.add(number);
            return { contents: code, loader: "ts" };
          });
        },
      },
    ],
  });
  const short = [...texts].filter(({ length }) => length > 1 && length <= TEXT_LENGTH_MAX);
  const words = [
    ...short.map((text) => new TextEncoder().encode(text)),
    ...[...numbers].flatMap(bytesOf),
  ];
  return { files, words };
}
