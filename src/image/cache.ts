/**
 * Results of build steps, kept under a digest of all that went into each.
 *
 * A result is there whole or not at all, also when several builds make the same one at once.
 */
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
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
    if (existsSync(path)) {
      // What is used is young: pruning must not take the engine, which takes longest to make. A
      // cache that may only be read keeps its ages.
      const now = new Date();
      await utimes(path, now, now).catch(() => {});
      return path;
    }
    await mkdir(this.directory, { recursive: true });
    // Another build may be making the same now: the first result stays, since they are equal.
    const partial = `${path}.${randomUUID()}.partial`;
    try {
      await make(partial);
      await rename(partial, path).catch((error: unknown) => {
        if (!existsSync(path)) throw error;
      });
    } finally {
      await rm(partial, { force: true, recursive: true });
    }
    return path;
  }

  /** Removes the oldest results beyond the most that are kept. */
  async prune(): Promise<void> {
    const names = await readdir(this.directory);
    const ages = await Promise.all(
      names.map(async (name) => {
        const path = join(this.directory, name);
        // Another build may have removed or renamed it since: it counts as the oldest.
        const at = await stat(path).then(
          ({ mtimeMs }) => mtimeMs,
          () => 0,
        );
        return { path, at };
      }),
    );
    ages.sort((left, right) => right.at - left.at);
    const old = ages.slice(CACHE_ENTRIES_MAX);
    for (const { path } of old) await rm(path, { recursive: true, force: true });
  }
}
