/**
 * The image that checks a device: the package's own image, and a script that runs in the place of
 * its guest.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageFolder } from "../package.ts";
import { archivePath, CHECK_SCRIPT, readArchive } from "./archive.ts";
import { bundleInPlace } from "./bundle.ts";
import { ImageError } from "./errors.ts";
import { cachedImage, writeImage } from "./keep-image.ts";
import { putProgram } from "./program/put-program.ts";
import { type ProvidedImage, type ProvideImageOptions, provideImage } from "./provide-image.ts";

/** What such a script begins with: IN_PLACE of runtime/kernel/boot/program.c. */
const IN_PLACE = "/*in the guest's place*/";

/** Returns the checks as a script. Rejects with ImageError. */
export async function checkScript(): Promise<string> {
  const archive = archivePath();
  if (archive === undefined) {
    return IN_PLACE + (await bundleInPlace(join(packageFolder(), "runtime/kernel/check-main.ts")));
  }
  const script = (await readArchive(archive)).files.get(CHECK_SCRIPT);
  if (script !== undefined) return Buffer.from(script).toString();
  const seen = `no ${CHECK_SCRIPT} in ${archive}`;
  throw new ImageError({ code: "core", what: "image", seen, todo: "install ballonet anew" });
}

/**
 * Returns the image that checks a device; without `out` it lies in the cache. Rejects with
 * ImageError, with the error of the file system, or with the signal's reason.
 */
export async function provideCheckImage(
  options: Omit<ProvideImageOptions, "entry" | "inMemory">,
): Promise<ProvidedImage> {
  const { out, ...others } = options;
  const script = await checkScript();
  const image = await provideImage({ ...others, inMemory: true });
  options.signal?.throwIfAborted();
  const made = putProgram(image.contents ?? (await readFile(image.path)), {
    program: script,
  });
  const bytes = made.length;
  if (out !== undefined) {
    await writeImage(out, made);
    return { path: out, bytes };
  }
  return { path: await cachedImage(`check-${options.arch}.elf`, made), bytes };
}
