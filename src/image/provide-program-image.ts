/**
 * An image with the user's program in it: the package's own image, the program bundled, and both
 * put together. No compiler runs where the package is installed.
 */
import { readFile } from "node:fs/promises";
import type { BuildProgress } from "./build-image.ts";
import type { Architecture } from "./compiler.ts";
import { cachedImage, writeImage } from "./keep-image.ts";
import { bundleProgram } from "./program/bundle-program.ts";
import { putProgram } from "./program/put-program.ts";
import { sourceLines } from "./program/source-lines.ts";
import { provideImage } from "./provide-image.ts";

/** What `provideProgramImage` is given. */
export interface ProvideProgramImageOptions {
  /** Path of the program: a TypeScript or JavaScript module. */
  readonly app: string;
  /** The processor that the image is for. */
  readonly arch: Architecture;
  /** Where to write it. Default: `contents` are returned, and nothing is written. */
  readonly out?: string;
  /** Aborting rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called before each step of a build. */
  readonly onProgress?: (progress: BuildProgress) => void;
}

/** An image with a program. */
export interface ProgramImage {
  readonly contents: Uint8Array;
  /** Size of the image. */
  readonly bytes: number;
  /** Bytes of the program in it. */
  readonly programBytes: number;
  /** Files that the program is made of. */
  readonly inputs: readonly string[];
  /** Replaces places in the bundled program, as stack traces have them, by lines of its sources. */
  readonly sourceLines: (text: string) => string;
}

/**
 * Returns an image with the program. Rejects with ImageError when the program cannot be bundled or
 * the image not be built, with the error of the file system, or with the signal's reason.
 */
export async function provideProgramImage(
  options: ProvideProgramImageOptions,
): Promise<ProgramImage> {
  const { app, out, arch, signal, onProgress } = options;
  const { script, map, inputs } = await bundleProgram(app);
  const image = await provideImage({
    arch,
    inMemory: true,
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  signal?.throwIfAborted();
  const contents = putProgram(image.contents ?? (await readFile(image.path)), script);
  if (out !== undefined) await writeImage(out, contents);
  const programBytes = Buffer.byteLength(script);
  return { contents, bytes: contents.length, programBytes, inputs, sourceLines: sourceLines(map) };
}

/** Returns the path of a file with the image, in the cache, for an emulator that takes a path. */
export function programImageFile(image: ProgramImage, arch: Architecture): Promise<string> {
  return cachedImage(`program-${arch}.elf`, image.contents);
}
