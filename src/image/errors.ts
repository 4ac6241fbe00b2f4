/** The errors of the image builder. */
import { ActionError } from "../../runtime/index.ts";

/**
 * Every code of an `ImageError`.
 *
 * - `no-compiler`: no C compiler that can make x86 code was found.
 * - `compile`: the compiler or the linker failed.
 * - `convert`: wasm2c failed.
 * - `engine`: the JavaScript engine's package is not of the shape that the builder knows.
 * - `core`: core.wasm is missing, or imports or exports what the glue cannot carry.
 * - `program`: the user's program is missing, or cannot be bundled.
 * - `bundle`: the guest bundle does not evaluate, or does not export `boot` and `wake`.
 * - `image`: a file is no image of this package's.
 * - `package`: a package that building needs is not installed.
 */
export type ImageErrorCode =
  | "no-compiler"
  | "compile"
  | "convert"
  | "engine"
  | "core"
  | "program"
  | "bundle"
  | "image"
  | "package";

/** What `buildImage` rejects with, except for an abort. */
export class ImageError extends ActionError<ImageErrorCode> {
  override readonly name: string = "ImageError";
}
