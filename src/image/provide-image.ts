/**
 * The package's own image: built in a checkout, and unpacked where the package is installed, which
 * takes no compiler, no other package, and no place to write to but the user's cache.
 */
import { archivePath, imageName, readArchive } from "./archive.ts";
import { type BuildProgress, buildImage } from "./build-image.ts";
import type { Architecture } from "./compiler.ts";
import { ImageError } from "./errors.ts";
import { cachedImage, writeImage } from "./keep-image.ts";

/** What `provideImage` is given. */
export interface ProvideImageOptions {
  /** The processor that the image is for. */
  readonly arch: Architecture;
  /** As of `buildImage`. */
  readonly entry?: string;
  /** Where to write it. Default: build/images in a checkout, else the user's cache. */
  readonly out?: string;
  /** True: `contents` suffice; an installed package then writes nothing. Default: false. */
  readonly inMemory?: boolean;
  /** Aborting rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called before each step of a build. */
  readonly onProgress?: (progress: BuildProgress) => void;
}

/** An image to boot. */
export interface ProvidedImage {
  /** The image's file; with `contents` the archive that it is in. */
  readonly path: string;
  /** Size of the image. */
  readonly bytes: number;
  /** The image, where it is in no file of its own. */
  readonly contents?: Uint8Array;
}

/**
 * Returns the package's image. Rejects with ImageError when it cannot be built, with the error of
 * the file system when a file cannot be read or written, or with the signal's reason.
 */
export async function provideImage(options: ProvideImageOptions): Promise<ProvidedImage> {
  const { arch, entry, out, inMemory = false, signal } = options;
  const archive = entry === undefined ? archivePath() : undefined;
  if (archive === undefined) {
    return buildImage(options);
  }
  const { packed, files } = await readArchive(archive);
  const contents = files.get(imageName(arch));
  if (contents === undefined) {
    const seen = `no ${imageName(arch)} in ${archive}`;
    throw new ImageError({ code: "core", what: "image", seen, todo: "install ballonet anew" });
  }
  signal?.throwIfAborted();
  const bytes = contents.length;
  if (out !== undefined) {
    await writeImage(out, contents);
    return { path: out, bytes };
  }
  if (inMemory) return { path: archive, bytes, contents };
  return { path: await cachedImage(imageName(arch), contents, [packed]), bytes };
}
