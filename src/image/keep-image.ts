/** Where an image goes that the archive brings or that is made of one: a file, or the cache. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cacheFolder } from "../package.ts";
import { Cache } from "./cache.ts";

/** Writes the image, and makes the folder that it lies in. */
export async function writeImage(path: string, contents: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, contents);
}

/** Returns the path of the image in the user's cache, where it lies under a digest of `inputs`. */
export async function cachedImage(
  name: string,
  contents: Uint8Array,
  inputs: readonly Uint8Array[] = [contents],
): Promise<string> {
  const cache = new Cache(join(cacheFolder(), "images"));
  const path = await cache.file(name, inputs, (partial) => writeFile(partial, contents));
  await cache.prune();
  return path;
}
