/**
 * The errors of the image builder: a code, what was seen, what to do.
 *
 * It must not print or exit. Invariant: whoever builds an image learns from the message alone what
 * to install or to change.
 */

/**
 * - `no-compiler`: no C compiler that can make x86 code was found.
 * - `compile`: the compiler or the linker failed.
 * - `convert`: wasm2c failed.
 * - `engine`: the JavaScript engine's package is not of the shape that the builder knows.
 * - `core`: core.wasm is missing, or imports or exports what the glue cannot carry.
 * - `bundle`: the guest bundle does not evaluate, or does not export `boot` and `wake`.
 */
export type ImageErrorCode = "no-compiler" | "compile" | "convert" | "engine" | "core" | "bundle";

export interface ImageErrorParts {
  readonly code: ImageErrorCode;
  readonly what: string;
  readonly seen: string;
  readonly todo: string;
}

export class ImageError extends Error {
  readonly code: ImageErrorCode;
  readonly seen: string;
  readonly todo: string;

  constructor(parts: ImageErrorParts) {
    super(`${parts.what}: seen ${parts.seen}; ${parts.todo}`);
    this.name = "ImageError";
    this.code = parts.code;
    this.seen = parts.seen;
    this.todo = parts.todo;
  }
}
