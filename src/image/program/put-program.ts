/**
 * Puts the user's program and policy into an image that is already linked, without a compiler.
 *
 *   file     headers · code, data and packed snapshot
 *   memory             code, data and packed snapshot · zeros · the image's end
 *
 * They lie at the image's end, so the file gets the zeros before them, too, and the last segment
 * gets longer. Their lengths stand behind a mark (snapshotSource). What the kernel does with them:
 * runtime/kernel/boot/program.c and policy.c.
 */
import { ImageError } from "../errors.ts";
import { PROGRAM_MARK } from "./mark.ts";

const PT_LOAD = 1;
const PAGE_BYTES = 4096;
/** Where the fields of an ELF file of this width stand that are read or changed here. */
const FIELDS = {
  32: { table: 28, sections: 32, counts: 42, offset: 4, place: 12, fileBytes: 16, bytes: 20 },
  64: { table: 32, sections: 40, counts: 54, offset: 8, place: 24, fileBytes: 32, bytes: 40 },
} as const;

/** Multiboot 0.6.96, 3.1: the header, which may say itself what to load. */
const MULTIBOOT = {
  magic: 0x1bad_b002,
  searchBytes: 8192,
  hasAddresses: 0x1_0000,
  loadEnd: 20,
  end: 24,
} as const;

function refuse(seen: string): never {
  const todo = "build the image again with this version of ballonet";
  throw new ImageError({ code: "core", what: "the image for a program", seen, todo });
}

/** Numbers of an ELF file, which have its width. */
class ElfView {
  readonly view: DataView;
  readonly is64: boolean;

  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < 64 || this.view.getUint32(0) !== 0x7f45_4c46) refuse("no ELF file");
    this.is64 = this.view.getUint8(4) === 2;
  }

  get(at: number): number {
    const { view } = this;
    return this.is64 ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true);
  }

  set(at: number, value: number): void {
    if (this.is64) this.view.setBigUint64(at, BigInt(value), true);
    else this.view.setUint32(at, value, true);
  }
}

/** What goes into an image, as the kernel reads it. */
interface Texts {
  /** The program's script. */
  readonly program?: string;
  /** The policy's name, a line end, and its script. */
  readonly policy?: string;
}

/**
 * Returns the image with the texts in it. Its section headers are left out, as no loader reads
 * them.
 * @throws ImageError `core` for an image that is not this package's, or has such texts already.
 */
export function putProgram(image: Uint8Array, { program = "", policy = "" }: Texts): Uint8Array {
  const elf = new ElfView(image);
  const fields = FIELDS[elf.is64 ? 64 : 32];
  const size = elf.view.getUint16(fields.counts, true);
  const count = elf.view.getUint16(fields.counts + 2, true);
  const headers = Array.from({ length: count }, (_, index) => elf.get(fields.table) + index * size);
  const last = headers.findLast((at) => elf.view.getUint32(at, true) === PT_LOAD);
  if (last === undefined) refuse("no segment");
  const start = elf.get(last + fields.offset);
  const place = elf.get(last + fields.place);
  const end = place + elf.get(last + fields.bytes);
  const programAt = Math.ceil(end / PAGE_BYTES) * PAGE_BYTES;

  const lengths = [program, policy].map((text) => Buffer.byteLength(text));
  const text = new TextEncoder().encode(program + policy);
  const made = new Uint8Array(start + programAt - place + text.length);
  made.set(image.subarray(0, start + elf.get(last + fields.fileBytes)));
  made.set(text, start + programAt - place);
  const changed = new ElfView(made);
  changed.set(last + fields.fileBytes, made.length - start);
  changed.set(last + fields.bytes, made.length - start);
  changed.set(fields.sections, 0);
  // The number of section headers, and which one has their names.
  changed.view.setUint32(fields.counts + 6, 0, true);
  putMultiboot(changed.view, programAt + text.length);
  const mark = Buffer.from(image.buffer, image.byteOffset, image.byteLength).indexOf(PROGRAM_MARK);
  const lengthAt = mark + PROGRAM_MARK.length;
  for (const [index, length] of lengths.entries()) {
    const at = lengthAt + 4 * index;
    if (mark < 0 || changed.view.getUint32(at, true) !== 0) refuse("no place for a program");
    changed.view.setUint32(at, length, true);
  }
  return made;
}

/** Tells a Multiboot loader that goes by addresses where the image ends now. */
function putMultiboot(view: DataView, end: number): void {
  for (let at = 0; at < MULTIBOOT.searchBytes; at += 4) {
    if (view.getUint32(at, true) !== MULTIBOOT.magic) continue;
    if ((view.getUint32(at + 4, true) & MULTIBOOT.hasAddresses) === 0) return;
    view.setUint32(at + MULTIBOOT.loadEnd, end, true);
    view.setUint32(at + MULTIBOOT.end, end, true);
    return;
  }
}
