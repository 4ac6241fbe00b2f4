/** What is judged by booting it: a Linux, or an image that an emulator starts by itself. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Architecture } from "../image/compiler.ts";

/** An ELF file that an emulator may start: a Multiboot image, or one with a PVH note. */
export interface BootImage {
  readonly path: string;
  readonly name: string;
  readonly arch: Architecture;
  /** Whether it is this project's own, with a control channel on its second serial port. */
  readonly isOurs: boolean;
}

/*
 * ELF: 0 magic   18 machine, 16 bits
 */
const MAGIC = "\x7fELF";
const MACHINE_AT = 18;
const HEADER_BYTES = 52;
const ARCHITECTURES: ReadonlyMap<number, Architecture> = new Map([
  [3, "i386"],
  [62, "x86_64"],
]);

/** In the boot code of every image of ours, which is not packed. */
const OUR_WORDS = "ballonet: panic: ";

/** Returns undefined for a file that cannot be read, or is no ELF file for a PC. */
export async function readBootImage(path: string | undefined): Promise<BootImage | undefined> {
  if (path === undefined) return undefined;
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined || bytes.length < HEADER_BYTES) return undefined;
  if (bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) return undefined;
  const arch = ARCHITECTURES.get(bytes.readUInt16LE(MACHINE_AT));
  if (arch === undefined) return undefined;
  return { path, name: basename(path), arch, isOurs: bytes.includes(OUR_WORDS) };
}
