/**
 * What an installed package brings for its guest: the images, and the boot code of others.
 *
 *   lib/guest.br   brotli( [[name, bytes], ..] as JSON · newline · the files, one after another )
 *   the images     with the places that their calls lead to (call-distances.ts)
 *
 * A checkout has none: its images are built of its sources, so that none is older than they are.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import { isCheckout, packageFolder } from "../package.ts";
import type { Cache } from "./cache.ts";
import { distancesOfCalls } from "./call-distances.ts";
import type { Architecture } from "./compiler.ts";

const decompress = promisify(brotliDecompress);

export interface Archive {
  readonly path: string;
  /** The file as it is: whoever keeps a part of it keeps it under a digest of this. */
  readonly packed: Uint8Array;
  /**
   * Contents by name: `ballonet-ARCH.elf`, `check.js`, `boot/NAME`, `judge/FOLDER/NAME`,
   * `judge/agent-ARCH`, `judge/relay-x86_64`, `play/NAME`.
   */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Returns the path of the installed package's archive; undefined in a checkout. */
export function archivePath(): string | undefined {
  return isCheckout() ? undefined : join(packageFolder(), "lib", "guest.br");
}

/** The name of the script that checks a device, in the archive. */
export const CHECK_SCRIPT = "check.js";

/** The name of an image in the archive. */
export function imageName(arch: Architecture): string {
  return `ballonet-${arch}.elf`;
}

/** Rejects with the system's error for a file that is not there, or that is not brotli. */
export async function readArchive(path: string): Promise<Archive> {
  const packed = await readFile(path);
  const whole = await decompress(packed);
  const end = whole.indexOf("\n");
  const directory = JSON.parse(whole.toString("utf8", 0, end)) as [string, number][];
  let at = end + 1;
  const files = directory.map(([name, bytes]): [string, Uint8Array] => {
    const contents = whole.subarray(at, at + bytes);
    at += bytes;
    if (name.endsWith(".elf")) distancesOfCalls(contents);
    return [name, contents];
  });
  return { path, packed, files: new Map(files) };
}

/** Where sources lie that are compiled when they are needed. */
export interface Sources {
  /** The folder of the guest's C. */
  readonly boot: string;
  /** The guest's program. */
  readonly entry: string;
  /** The folder of the judge's programs in C. */
  readonly judge: string;
}

/** Where the sources lie: in the checkout, or unpacked into the cache. */
export async function unpackedSources(cache: Cache): Promise<Sources> {
  const path = archivePath();
  if (path === undefined) {
    const kernel = join(packageFolder(), "runtime", "kernel");
    const judge = join(packageFolder(), "src", "judge");
    return { boot: join(kernel, "boot"), entry: join(kernel, "main.ts"), judge };
  }
  const { packed, files } = await readArchive(path);
  const folder = await cache.file("boot-code", [packed], async (partial) => {
    for (const [name, contents] of files) {
      if (!/^(boot|judge)\//.test(name)) continue;
      const target = join(partial, ...name.split("/"));
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, contents);
    }
  });
  const entry = join(packageFolder(), "lib", "kernel-main.js");
  return { boot: join(folder, "boot"), entry, judge: join(folder, "judge") };
}
