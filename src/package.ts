/**
 * Where this package lies and which version it is.
 *
 * It imports nothing that could be missing, so that whatever says what is missing can use it.
 * Invariant: the answer is the same from the sources and from what is compiled of them.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder with the package's package.json. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("the package's package.json is missing");
    folder = parent;
  }
  return folder;
}

export function packageVersion(): string {
  return versionIn(join(packageFolder(), "package.json"));
}

/** The version of an installed dependency; undefined when it is not installed. */
export function dependencyVersion(name: string): string | undefined {
  // Looked for as Node does, but by file: not every package lets its package.json be imported.
  for (let folder = packageFolder(); ; folder = dirname(folder)) {
    const path = join(folder, "node_modules", name, "package.json");
    if (existsSync(path)) return versionIn(path);
    if (dirname(folder) === folder) return undefined;
  }
}

function versionIn(path: string): string {
  const { version } = JSON.parse(readFileSync(path, "utf8")) as { version?: unknown };
  return String(version);
}
