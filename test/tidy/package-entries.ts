/** Where users of the package start: its public entries and its programs. */
import { join } from "node:path";
import { readRootFile } from "./source-files.ts";

interface PackageJson {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  readonly bin: Readonly<Record<string, string>>;
}

const packageJson = JSON.parse(readRootFile("package.json")) as PackageJson;

const sourceOf = (built: string) => built.replace(/^(\.\/)?dist\//, "").replace(/\.js$/, ".ts");

/** Sources of the package's public entries, by the name that a user imports. */
export const publicEntries: ReadonlyMap<string, string> = new Map(
  Object.entries(packageJson.exports)
    .map(([name, target]) => [name, typeof target === "string" ? target : target.default] as const)
    .filter(([, built]) => built.startsWith("./dist/"))
    .map(([name, built]) => [join("ballonet", name), sourceOf(built)]),
);

export const programs: readonly string[] = Object.values(packageJson.bin).map(sourceOf);
