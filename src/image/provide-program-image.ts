/**
 * An image with the user's program or policy in it: the package's own image, what is the user's
 * bundled, and both put together. No compiler runs where the package is installed.
 */
import { readFile } from "node:fs/promises";
import type { BuildProgress } from "./build-image.ts";
import type { Architecture } from "./compiler.ts";
import { cachedImage, writeImage } from "./keep-image.ts";
import { bundlePolicy } from "./program/bundle-policy.ts";
import { bundleProgram } from "./program/bundle-program.ts";
import { putProgram } from "./program/put-program.ts";
import { sourceLines } from "./program/source-lines.ts";
import { provideImage } from "./provide-image.ts";

/** What `provideProgramImage` is given. */
export interface ProvideProgramImageOptions {
  /** Path of the program: a TypeScript or JavaScript module. Default: none. */
  readonly app?: string | undefined;
  /** Path of a policy: such a module, whose default export is a `Policy`. Default: none. */
  readonly policy?: string | undefined;
  /** The processor that the image is for. */
  readonly arch: Architecture;
  /** Where to write it. Default: `contents` are returned, and nothing is written. */
  readonly out?: string;
  /** Aborting rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called before each step of a build. */
  readonly onProgress?: (progress: BuildProgress) => void;
}

/** An image with a program or a policy. */
export interface ProgramImage {
  readonly contents: Uint8Array;
  /** Size of the image. */
  readonly bytes: number;
  /** Bytes of the program in it; 0: there is none. */
  readonly programBytes: number;
  /** Files that program and policy are made of. */
  readonly inputs: readonly string[];
  /** Replaces places in the bundled program, as stack traces have them, by lines of its sources. */
  readonly sourceLines: (text: string) => string;
}

/**
 * Returns an image with the program and the policy. Rejects with ImageError when one cannot be
 * bundled or the image not be built, with the error of the file system, or with the signal's
 * reason.
 */
export async function provideProgramImage(
  options: ProvideProgramImageOptions,
): Promise<ProgramImage> {
  const { app, policy, out, arch, signal, onProgress } = options;
  const program = app === undefined ? undefined : await bundleProgram(app);
  const decides = policy === undefined ? undefined : await bundlePolicy(policy);
  const image = await provideImage({
    arch,
    inMemory: true,
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  signal?.throwIfAborted();
  const { script = "", map } = program ?? {};
  const contents = putProgram(image.contents ?? (await readFile(image.path)), {
    program: script,
    policy: decides === undefined ? "" : `${decides.name}\n${decides.script}`,
  });
  if (out !== undefined) await writeImage(out, contents);
  return {
    contents,
    bytes: contents.length,
    programBytes: Buffer.byteLength(script),
    inputs: [...(program?.inputs ?? []), ...(decides?.inputs ?? [])],
    sourceLines: map === undefined ? (text) => text : sourceLines(map),
  };
}

/** Returns the path of a file with the image, in the cache, for an emulator that takes a path. */
export function programImageFile(image: ProgramImage, arch: Architecture): Promise<string> {
  return cachedImage(`program-${arch}.elf`, image.contents);
}
