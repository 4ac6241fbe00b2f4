/**
 * The image as a bzImage, for loaders that take nothing else (Linux,
 * Documentation/arch/x86/boot.rst): the same file, with a setup header that says so.
 *
 *   0x0000 ELF header · 0x01f1 setup header and code (setup.S) · 0x1000 the image
 *
 * QEMU takes any file with that header for a Linux and starts its BIOS, so an image is without it
 * until it is asked for.
 */
import { ImageError } from "./errors.ts";

/** Bytes of the file before the image, and where the setup header begins. */
const SETUP = { header: 0x1f1, end: 0x1000 } as const;
const HEADER = { size: 0x1f4, magic: 0x202 } as const;
const MAGIC = "HdrS";
/** Units of `size`. */
const PARAGRAPH_BYTES = 16;

/** Puts the setup code into an image that was linked. */
export function withSetup(elf: Uint8Array, setup: Uint8Array): Uint8Array {
  if (setup.length > SETUP.end) throw new Error(`a setup of ${setup.length} bytes`);
  const gap = elf.subarray(SETUP.header, SETUP.end);
  if (gap.some((byte) => byte !== 0)) throw new Error("no gap before the image's first segment");
  const result = elf.slice();
  result.set(setup.subarray(SETUP.header), SETUP.header);
  return result;
}

/**
 * Returns an image as a bzImage.
 * @throws ImageError `image` when it is no image of this package.
 */
export function asBzImage(elf: Uint8Array): Uint8Array {
  if (elf.length <= SETUP.end || elf[SETUP.header] !== SETUP.end / 512 - 1) {
    throw new ImageError({
      code: "image",
      what: "a bzImage",
      seen: "an image without a setup header",
      todo: "build it anew with this package",
    });
  }
  const length = Math.ceil((elf.length - SETUP.end) / PARAGRAPH_BYTES) * PARAGRAPH_BYTES;
  const result = new Uint8Array(SETUP.end + length);
  result.set(elf);
  result.set(new TextEncoder().encode(MAGIC), HEADER.magic);
  new DataView(result.buffer).setUint32(HEADER.size, length / PARAGRAPH_BYTES, true);
  return result;
}
