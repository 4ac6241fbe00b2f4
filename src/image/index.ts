/** ballonet/image: making bootable images. Public names only. */
export {
  type BuildImageOptions,
  type BuildProgress,
  type BuiltImage,
  buildImage,
} from "./build-image.ts";
export type { Architecture } from "./compiler.ts";
export { ImageError, type ImageErrorCode } from "./errors.ts";
export { provideCheckImage } from "./provide-check-image.ts";
export { type ProvidedImage, type ProvideImageOptions, provideImage } from "./provide-image.ts";
export {
  type ProgramImage,
  type ProvideProgramImageOptions,
  provideProgramImage,
} from "./provide-program-image.ts";
