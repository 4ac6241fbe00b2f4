/**
 * Reads a Multiboot 1 ELF32 image and checks that its segments fit. v86 itself reports nothing when
 * an image is not bootable or does not fit into memory: the guest then runs without any code.
 */

import { VmmError } from "../errors.ts";
import { unreadableImage } from "../machine.ts";
import { files } from "../node-modules.ts";

/** A part of the image and its place in memory. */
export interface Segment {
  readonly physicalAddress: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
}

const HEADER_MAGIC = 0x1bad_b002;
/** Multiboot 0.6.96, 3.1: the header lies in the first 8 KiB, aligned to 4. */
const HEADER_SEARCH_BYTES = 8_192;
const HEADER_BYTES = 12;
const ELF_HEADER_BYTES = 52;
const PROGRAM_HEADER_BYTES = 32;
const PT_LOAD = 1;
/** A linker makes a handful; the field could say 65,535. */
const MAX_PROGRAM_HEADERS = 64;

/**
 * Reads and checks an image, given as a path or as bytes; the bytes returned are a copy whose
 * buffer holds nothing else. Rejects with VmmError, code `image`.
 */
export async function loadMultiboot(options: {
  image: string | Uint8Array;
  memoryBytes: number;
}): Promise<{ image: Uint8Array<ArrayBuffer>; segments: Segment[] }> {
  const name = typeof options.image === "string" ? options.image : "given as bytes";
  const bytes = typeof options.image === "string" ? await readImage(name) : options.image;
  const image = new Uint8Array(bytes);
  return { image, segments: readMultiboot({ image, name, memoryBytes: options.memoryBytes }) };
}

async function readImage(path: string): Promise<Uint8Array> {
  try {
    return await (await files()).readFile(path);
  } catch (cause) {
    throw unreadableImage(path, cause);
  }
}

/**
 * Returns the loadable segments. They lie within the file and within the memory.
 * @throws VmmError `image`, with `name` in it.
 */
export function readMultiboot(parts: {
  image: Uint8Array;
  name: string;
  memoryBytes: number;
}): Segment[] {
  const { image, name, memoryBytes } = parts;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const refuse = (seen: string, todo: string): never => {
    throw new VmmError({ code: "image", what: `guest image ${name}`, seen, todo });
  };
  if (!hasMultibootHeader(view)) {
    refuse("no Multiboot header in its first 8 KiB", "give a Multiboot 1 image (the i386 one)");
  }
  const isElf32 =
    view.byteLength >= ELF_HEADER_BYTES &&
    view.getUint32(0) === 0x7f45_4c46 &&
    view.getUint8(4) === 1 &&
    view.getUint16(18, true) === 3;
  if (!isElf32) refuse("a Multiboot header but no ELF32 for i386", "give the i386 image");
  const tableOffset = view.getUint32(28, true);
  const count = view.getUint16(44, true);
  const tableFits =
    count <= MAX_PROGRAM_HEADERS &&
    view.getUint16(42, true) === PROGRAM_HEADER_BYTES &&
    tableOffset + count * PROGRAM_HEADER_BYTES <= view.byteLength;
  if (!tableFits) refuse("a broken program header table", "build the image again");
  const segments: Segment[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = tableOffset + index * PROGRAM_HEADER_BYTES;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const segment = {
      physicalAddress: view.getUint32(at + 12, true),
      fileBytes: view.getUint32(at + 16, true),
      memoryBytes: view.getUint32(at + 20, true),
    };
    const inFile = view.getUint32(at + 4, true) + segment.fileBytes <= view.byteLength;
    if (!inFile || segment.fileBytes > segment.memoryBytes) {
      refuse(`a broken segment at ${segment.physicalAddress}`, "build the image again");
    }
    // v86 skips a segment that ends at the very end of memory, so it does not fit either.
    const end = segment.physicalAddress + segment.memoryBytes;
    if (end >= memoryBytes) {
      refuse(`a segment up to ${end} in ${memoryBytes} bytes of memory`, "give it more memory");
    }
    segments.push(segment);
  }
  return segments;
}

function hasMultibootHeader(view: DataView): boolean {
  const end = Math.min(view.byteLength, HEADER_SEARCH_BYTES) - HEADER_BYTES;
  for (let at = 0; at <= end; at += 4) {
    if (view.getUint32(at, true) !== HEADER_MAGIC) continue;
    const sum = HEADER_MAGIC + view.getUint32(at + 4, true) + view.getUint32(at + 8, true);
    if (sum % 0x1_0000_0000 === 0) return true;
  }
  return false;
}
