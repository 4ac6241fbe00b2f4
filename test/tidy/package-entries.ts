/** Where users of the package start: its public entries and its programs. */
import { join } from "node:path";
import { readRootFile } from "./source-files.ts";

interface PackageJson {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  readonly bin: Readonly<Record<string, string>>;
}

const packageJson = JSON.parse(readRootFile("package.json")) as PackageJson;

/** Where an entry is not made of the room in src/ that has its name. */
const ROOMS: Readonly<Record<string, string>> = {
  index: "src",
  runtime: "runtime",
  kernel: "runtime/kernel",
  guest: "runtime/guest",
};

/** lib/device.js is made of src/device/index.ts (.ci/lib.js). */
function sourceOf(built: string): string {
  const name = built.replace(/^(\.\/)?lib\//, "").replace(/\.js$/, "");
  if (name === "cli") return "src/cli/main.ts";
  return `${ROOMS[name] ?? `src/${name}`}/index.ts`;
}

/** Sources of the package's public entries, by the name that a user imports. */
export const publicEntries: ReadonlyMap<string, string> = new Map(
  Object.entries(packageJson.exports)
    .map(([name, target]) => [name, typeof target === "string" ? target : target.default] as const)
    .filter(([, built]) => built.startsWith("./lib/"))
    .map(([name, built]) => [join("ballonet", name), sourceOf(built)]),
);

export const programs: readonly string[] = Object.values(packageJson.bin).map(sourceOf);
