/**
 * Results of build steps, kept under a digest of all that went into each.
 *
 * It must not know what a step does. Invariant: a file is there whole or not at all, whoever else
 * is making the same one.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** Results kept in the cache; the oldest go first. About 4 MB each at most. */
const CACHE_ENTRIES_MAX = 64;

function digest(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex").slice(0, 32);
}

export class Cache {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** The path of the result of `make`, which is called only when it is not there yet. */
  async file(
    name: string,
    inputs: readonly (string | Uint8Array)[],
    make: (path: string) => Promise<void>,
  ): Promise<string> {
    const path = join(this.directory, `${digest([name, ...inputs])}-${name}`);
    if (existsSync(path)) return path;
    await mkdir(this.directory, { recursive: true });
    // Another process may be making the same: whoever is done last renames over an equal file.
    const partial = `${path}.${process.pid}.partial`;
    try {
      await make(partial);
      await rename(partial, path);
    } finally {
      await rm(partial, { force: true, recursive: true });
    }
    return path;
  }

  async prune(): Promise<void> {
    const names = await readdir(this.directory);
    const ages = await Promise.all(
      names.map(async (name) => {
        const path = join(this.directory, name);
        return { path, at: (await stat(path)).mtimeMs };
      }),
    );
    ages.sort((left, right) => right.at - left.at);
    for (const { path } of ages.slice(CACHE_ENTRIES_MAX)) await rm(path, { recursive: true });
  }
}
