/**
 * Where this package lies and which version it is, from its sources or compiled. It imports Node's
 * own modules only: the doctor, which says what is missing, uses it.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Returns the folder with the package's package.json. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("the package's package.json is missing");
    folder = parent;
  }
  return folder;
}

/** Returns the version in the package's package.json. */
export function packageVersion(): string {
  return versionIn(join(packageFolder(), "package.json"));
}

/** Returns the version of an installed dependency; undefined when it is not installed. */
export function dependencyVersion(name: string): string | undefined {
  // Node's own search would fail for a package that does not export its package.json.
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
