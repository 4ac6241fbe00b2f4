/** Finds a program as a shell does. */
import { access, constants, stat } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";

/** Returns the path of an executable file: of a path, or of a name in PATH. Undefined: none. */
export async function findProgram(name: string): Promise<string | undefined> {
  const directories = (process.env.PATH ?? "").split(delimiter).filter((path) => path !== "");
  const candidates = name.includes("/") ? [resolve(name)] : directories.map((d) => join(d, name));
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK);
      // A folder may be "executed", too.
      if ((await stat(candidate)).isFile()) return candidate;
    } catch {}
  }
  return undefined;
}
